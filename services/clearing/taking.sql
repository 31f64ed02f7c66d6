-- Statements taken in.

-- name: find_transit
-- The number of a transit account.
SELECT transit FROM reference.transit_account WHERE account = $1;

-- name: lock_transit
-- Let one taker of an account's statements in at a time, to the end of the transaction.
SELECT pg_advisory_xact_lock(hashtextextended('bank.statement/' || $1::int::text, 0));

-- name: find_newest_content
-- The content of the newest statement that spoke of exactly these days.
SELECT s.statement, s.content_digest FROM bank.statement s WHERE s.transit = $1 AND s.since = $2 AND s.until = $3 AND s.source = $4
ORDER BY s.statement DESC LIMIT 1;

-- name: find_other_source
-- A format of another family in which some of these days were told of before.
SELECT s.source FROM bank.statement s
WHERE s.transit = $1 AND s.until >= $2 AND s.since <= $3 AND split_part(s.source, '.', 1) <> $4 AND s.lines > 0
ORDER BY s.statement DESC LIMIT 1;

-- name: find_other_part
-- A final statement of the same days which another one continues or is continued by: its balances join to the other's.
SELECT s.statement FROM bank.statement s
WHERE s.transit = $1 AND s.since = $2 AND s.until = $3 AND s.kind = 'final' AND s.opening <> s.closing
  AND (s.closing = $4::bigint OR s.opening = $5::bigint)
ORDER BY s.statement DESC LIMIT 1;

-- name: add_statement
-- A statement that was believed.
INSERT INTO bank.statement (transit, source, kind, since, until, opening, closing, credited, debited, filtered, lines, content_digest,
    loaded_by, loaded_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) RETURNING statement;

-- name: find_known_lines
-- Lines of an account that are known by the bank's ids, with what was told of them; is_final: a final statement has them.
SELECT l.line, l.bank_id, l.day, l.is_credit, l.amount, l.number, l.document_day, l.operation, l.code, l.counterparty_account,
    l.counterparty_bic, l.counterparty_inn, l.is_reversal, l.sealed, l.class, l.sequence, l.reversed_by, s.kind = 'final' AS is_final,
    v.until AS vanished_until
FROM unnest($2::text[]) AS told(bank_id)
  CROSS JOIN LATERAL (SELECT * FROM bank.line o WHERE o.transit = $1 AND o.bank_id = told.bank_id LIMIT 1) l
  JOIN bank.statement s ON s.statement = l.last_statement
  LEFT JOIN bank.statement v ON v.statement = l.vanished_from;

-- name: add_lines
-- Lines that are told for the first time.
INSERT INTO bank.line (transit, bank_id, day, is_credit, amount, number, document_day, operation, code, counterparty_account,
    counterparty_bic, counterparty_inn, "references", is_reversal, sealed, first_statement, last_statement)
SELECT $1, t.bank_id, t.day, t.is_credit, t.amount, t.number, t.document_day, t.operation, t.code, t.account, t.bic, t.inn,
    ARRAY (SELECT jsonb_array_elements_text(t.told::jsonb)), t.is_reversal, t.sealed, $2, $2
FROM unnest($3::text[], $4::date[], $5::bool[], $6::bigint[], $7::text[], $8::date[], $9::text[], $10::text[], $11::text[], $12::text[],
    $13::text[], $14::text[], $15::bool[], $16::bytea[])
  AS t(bank_id, day, is_credit, amount, number, document_day, operation, code, account, bic, inn, told, is_reversal, sealed);

-- name: stand_on
-- Lines stand on a final statement, on the day that it tells.
UPDATE bank.line l SET last_statement = $2, day = t.day FROM unnest($3::text[], $4::date[]) AS t(bank_id, day)
WHERE l.transit = $1 AND l.bank_id = t.bank_id AND (l.last_statement, l.day) IS DISTINCT FROM ($2::bigint, t.day);

-- name: list_missing
-- Lines of the days of a final statement that do not stand on it.
SELECT l.line, l.bank_id, l.amount, l.is_credit, l.class, l.sequence FROM bank.line l
WHERE l.transit = $1 AND l.day BETWEEN $3 AND $4 AND l.last_statement <> $2 AND l.vanished_from IS NULL ORDER BY l.line;

-- name: vanish
-- Lines that a final statement of their day no longer has.
UPDATE bank.line SET vanished_from = $2 WHERE line = ANY ($1::bigint[]);

-- name: keep_reversed
-- Remember the entries of lines that came back after they were reversed.
INSERT INTO bank.reversed_booking (line, turn, sequence, reversed_by, vanished_from, came_back_on)
SELECT l.line, l.turn, l.sequence, l.reversed_by, l.vanished_from, $2 FROM bank.line l
WHERE l.line = ANY ($1::bigint[]) AND l.reversed_by IS NOT NULL;

-- name: come_back
-- Lines that vanished stand on a statement again, on the day that it tells; one whose entry was reversed is booked in its next turn.
UPDATE bank.line l SET vanished_from = NULL, last_statement = $1, day = t.day, turn = l.turn + (l.reversed_by IS NOT NULL)::int,
    sequence = CASE WHEN l.reversed_by IS NULL THEN l.sequence END, reversed_by = NULL
FROM unnest($2::bigint[], $3::date[]) AS t(line, day) WHERE l.line = t.line;

-- name: park_conflict
-- Keep what a known line was told of with another content; true when it was not kept before.
INSERT INTO intake.parked (what, transit, channel, space, external_id, content, content_digest)
VALUES ('conflict', $1, 0, 6, $1::int || ':' || $2, $3, sha256(convert_to($3, 'UTF8')))
ON CONFLICT ON CONSTRAINT parked_once DO NOTHING RETURNING true;
