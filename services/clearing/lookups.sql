-- Lines as people see them.

-- name: list_lines
-- Lines by transit account, day, class and what waits, the newest first. open: without a class, without an entry, held back.
SELECT l.line, t.account AS transit_account, l.bank_id, l.day, l.is_credit, l.amount, l.number, coalesce(l.class, '') AS line_class,
    l.why, l.held_back, l.screened, l.sequence, l.reversed_by, l.vanished_from IS NOT NULL AS vanished,
    coalesce(c.difference, 0)::bigint AS difference
FROM bank.line l JOIN reference.transit_account t USING (transit) LEFT JOIN bank.cover c ON c.line = l.line
WHERE ($1::text IS NULL OR t.account = $1) AND ($2::date IS NULL OR l.day = $2) AND ($3::text IS NULL OR coalesce(l.class, 'none') = $3)
  AND (NOT $4::bool OR l.class IS NULL OR l.held_back <> '' OR l.sequence IS NULL AND l.class NOT IN ('own_order', 'returned_order')
       OR l.vanished_from IS NOT NULL OR coalesce(c.difference, 0) <> 0)
ORDER BY l.line DESC LIMIT $5;

-- name: find_line
-- All about a line but its text.
SELECT l.line, t.account AS transit_account, l.transit, l.bank_id, l.day, l.is_credit, l.amount, l.number, l.document_day, l.operation,
    l.code, l.counterparty_account, l.counterparty_bic, l.counterparty_inn, coalesce(l.class, '') AS line_class, l.why,
    l.classified_by, l.classified_at, l.decision, l.held_back, l.screened, l.sequence, l.reversed_by, l.turn, l.first_statement,
    l.last_statement, l.vanished_from
FROM bank.line l JOIN reference.transit_account t USING (transit) WHERE l.line = $1;

-- name: find_sealed
-- A line's sealed text, for who may read it.
SELECT sealed, transit, bank_id FROM bank.line WHERE line = $1;

-- name: find_cover
-- What a line covers.
SELECT s.name AS space, c.by, c.reference, c.promised, c.gross, c.fee, r.code AS fee_bearer, c.difference, c.reason, c.turn
FROM bank.cover c JOIN reference.operation_space s USING (space) LEFT JOIN reference.recipient r ON r.recipient = c.fee_bearer
WHERE c.line = $1;

-- name: list_parts
-- What a cover consists of, as explained first and last.
SELECT p.turn, p.part, p.register, p.day, p.operation, p.promised, p.amount, p.fee, p.reason, p.told_by, p.told_at
FROM bank.cover_part p WHERE p.line = $1 ORDER BY p.turn, p.part;

-- name: list_statements
-- Statements of the line's day, the oldest first.
SELECT s.statement, s.source, s.kind, s.since, s.until, s.lines, s.loaded_by, s.loaded_at
FROM bank.statement s WHERE s.transit = $1 AND $2 BETWEEN s.since AND s.until ORDER BY s.statement;
