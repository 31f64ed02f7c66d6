-- What balances of a window are summed from: temporary tables of one transaction.
-- Statements that read the journal take $1 books, $2 read after these entries, $3 which the closing before had read up to these, $4 read
-- up to these, $5 whether days are value dates (windows.py).

-- name: give_memory
-- Sums of millions of lines are made in memory, without compiling: for the caller's transaction.
SELECT set_config('work_mem', '256MB', true), set_config('jit', 'off', true)

-- name: drop
-- What an earlier window of this transaction left.
DROP TABLE IF EXISTS pg_temp.saldo_place, pg_temp.saldo_posting, pg_temp.saldo_part, pg_temp.saldo_row

-- name: make_place
-- Accounts, where they stand, and whether the provider has them at the end (is_here) and had them at the closing before (was_here).
CREATE TEMP TABLE saldo_place (account bigint PRIMARY KEY, house text NOT NULL, is_here boolean NOT NULL, was_here boolean NOT NULL)
ON COMMIT DROP

-- name: make_posting
-- What entries credited (below zero) or took back by line.
CREATE TEMP TABLE saldo_posting (account bigint, line int, kind smallint, space int, day date, counted boolean, amount bigint)
ON COMMIT DROP

-- name: make_part
-- Sums by account, cell and Move.
CREATE TEMP TABLE saldo_part (account bigint, creditor int, payee int, period int, kind smallint, pool smallint, move smallint,
    amount bigint) ON COMMIT DROP

-- name: place_now
-- Accounts of provider $1 now, and those of its closing $2; only $4 where given. The house is the stock's on $3, else that of the newest
-- document, else what the closing knew.
INSERT INTO saldo_place (account, house, is_here, was_here)
WITH here AS (
    SELECT p.personal_account AS account FROM reference.personal_account p
    WHERE p.provider = $1 AND ($4::bigint[] IS NULL OR p.personal_account = ANY($4::bigint[]))),
was AS (
    SELECT s.account, s.house FROM saldo.snapshot s
    WHERE s.provider = $1 AND s.period = $2 AND ($4::bigint[] IS NULL OR s.account = ANY($4::bigint[]))),
stock AS (
    SELECT DISTINCT ON (l.personal_account) l.personal_account AS account, h.code
    FROM housing.live_account l JOIN housing.premises p USING (premises) JOIN housing.house h USING (house)
    WHERE l.state = 0 AND ($4::bigint[] IS NULL OR l.personal_account = ANY($4::bigint[]))
    ORDER BY l.personal_account, (l.valid_from <= $3) DESC, l.valid_from DESC)
SELECT coalesce(h.account, w.account), coalesce(k.code, d.house, w.house, ''), h.account IS NOT NULL, w.account IS NOT NULL
FROM here h FULL JOIN was w ON w.account = h.account
    LEFT JOIN stock k ON k.account = coalesce(h.account, w.account)
    LEFT JOIN LATERAL (SELECT a.house FROM billing.document o JOIN billing.run_account a USING (run, account)
        WHERE k.code IS NULL AND o.account = coalesce(h.account, w.account) AND o.nth IS NOT NULL
        ORDER BY o.period DESC, o.nth DESC LIMIT 1) d ON true

-- name: place_closed
-- Accounts of provider $1 as the closing of $2 found them, and those that the closing $3 had and it has not; only $4 where given.
INSERT INTO saldo_place (account, house, is_here, was_here)
SELECT coalesce(h.account, w.account), coalesce(h.house, w.house), h.account IS NOT NULL, w.account IS NOT NULL
FROM (SELECT s.account, s.house FROM saldo.snapshot s
        WHERE s.provider = $1 AND s.period = $2 AND ($4::bigint[] IS NULL OR s.account = ANY($4::bigint[]))) h
    FULL JOIN (SELECT s.account, s.house FROM saldo.snapshot s
        WHERE s.provider = $1 AND s.period = $3 AND ($4::bigint[] IS NULL OR s.account = ANY($4::bigint[]))) w ON w.account = h.account

-- name: confine
-- Only these houses.
DELETE FROM saldo_place WHERE house <> ALL($1::text[])

-- name: analyze_place
-- The planner must know how many there are.
ANALYZE saldo_place

-- name: count_newcomers
-- Accounts that the closing before did not have.
SELECT count(*) FROM saldo_place WHERE is_here AND NOT was_here

-- name: snapshot
-- What was owed when $2 was closed; of an account that has left since, it is taken away again.
INSERT INTO saldo_part
SELECT n.account, c.creditor, c.payee, c.period, c.kind, c.pool, m.move, m.sign * n.amount
FROM (SELECT s.account, s.is_here, u.cell, u.amount
        FROM saldo_place s JOIN saldo.snapshot o ON o.provider = $1 AND o.period = $2 AND o.account = s.account
            CROSS JOIN LATERAL unnest(o.cells, o.sums) AS u(cell, amount) OFFSET 0) n
    JOIN saldo.cell c ON c.cell = n.cell
    JOIN (VALUES (0, 1), (12, -1)) AS m(move, sign) ON m.move = 0 OR NOT n.is_here

-- name: charges
-- Charges of the periods after $1 up to $2; earlier ones than $2 are opening balance.
INSERT INTO saldo_part
SELECT c.personal_account, c.creditor, c.payee, c.period, c.kind, c.pool, CASE WHEN c.period < $2 THEN 0 ELSE 1 END, c.amount
FROM reference.charge c JOIN saldo_place s ON s.account = c.personal_account AND s.is_here
WHERE c.kind < 3 AND c.period > $1 AND c.period <= $2 AND c.amount <> 0

-- name: not_yet
-- What was charged for the periods after $1 up to $2 only after $2 had been closed.
INSERT INTO saldo_part
SELECT c.personal_account, c.creditor, c.payee, c.period, c.kind, c.pool, CASE WHEN c.period < $2 THEN 0 ELSE 1 END, -l.amount
FROM saldo.late_charge l JOIN saldo_place s ON s.account = l.account AND s.is_here
    JOIN reference.charge c ON c.personal_account = l.account AND c.line = l.line
WHERE l.after_period >= $2 AND c.period > $1 AND c.period <= $2

-- name: late
-- What was charged for months up to $1 after $1 had been closed.
INSERT INTO saldo_part
SELECT c.personal_account, c.creditor, c.payee, c.period, c.kind, c.pool, 2, l.amount
FROM saldo.late_charge l JOIN saldo_place s ON s.account = l.account AND s.is_here
    JOIN reference.charge c ON c.personal_account = l.account AND c.line = l.line
WHERE l.after_period = $1 AND c.period <= $1

-- name: newcomers_charges
-- What accounts that came from another provider had been charged up to $1.
INSERT INTO saldo_part
SELECT c.personal_account, c.creditor, c.payee, c.period, c.kind, c.pool, 12, c.amount - coalesce((SELECT sum(l.amount)
    FROM saldo.late_charge l WHERE l.account = c.personal_account AND l.line = c.line AND l.after_period >= $1), 0)
FROM saldo_place s JOIN reference.charge c ON c.personal_account = s.account
WHERE s.is_here AND NOT s.was_here AND c.kind < 3 AND c.period <= $1 AND c.amount <> 0

-- name: recalculated
-- Of what a period charges, that which is no charge of the month itself: absence, quality, corrections, fines (LineKind 4 … 7).
INSERT INTO saldo_part
SELECT r.account, r.creditor, r.payee, $1, 0, r.pool, m.move, m.sign * r.amount
FROM (SELECT s.account, t.creditor, y.payee, t.pool, sum(u.amount)::bigint AS amount
    FROM saldo_place s
        CROSS JOIN LATERAL (SELECT d.run FROM billing.document d WHERE d.account = s.account AND d.period = $1 AND d.nth IS NOT NULL
            ORDER BY d.nth DESC LIMIT 1) d
        JOIN billing.run_account a ON a.run = d.run AND a.account = s.account AND cardinality(a.kinds) > 0
        CROSS JOIN LATERAL unnest(a.services, a.kinds, a.amounts) AS u(service, kind, amount)
        JOIN billing.run_terms t ON t.run = a.run AND t.house = a.house AND t.service = u.service
        JOIN reference.payee y ON y.recipient = t.recipient AND y.service = u.service
    WHERE s.is_here AND u.kind >= 4 GROUP BY s.account, t.creditor, y.payee, t.pool) r
    CROSS JOIN (VALUES (11, 1), (1, -1)) AS m(move, sign)

-- name: read_books
-- Entries of all accounts, as they stand in the books.
INSERT INTO saldo_posting
SELECT j.personal_account, u.line, j.kind, j.space, CASE WHEN $5::boolean THEN j.value_date ELSE j.bank_day END,
    j.sequence <= w.counted, sum(u.amount)
FROM unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::bigint[]) AS w(book, after, counted, upto)
    JOIN ledger.journal j ON j.book = w.book AND j.sequence > w.after AND j.sequence <= w.upto
    JOIN saldo_place s ON s.account = j.personal_account AND s.is_here
    CROSS JOIN LATERAL unnest(j.lines, j.amounts) AS u(line, amount)
WHERE u.line <> 0
GROUP BY 1, 2, 3, 4, 5, 6

-- name: read_chains
-- Entries of single accounts along their chains from the heads back: of all accounts ($6), or of newcomers before the books were read.
WITH RECURSIVE chain AS (
    SELECT h.book, h.personal_account, w.counted, w.upto, w.after, j.sequence, j.previous, j.kind, j.space, j.value_date, j.bank_day,
        j.lines, j.amounts
    FROM saldo_place s
        CROSS JOIN unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::bigint[]) AS w(book, after, counted, upto)
        CROSS JOIN LATERAL (SELECT * FROM ledger.account_head k WHERE k.book = w.book AND k.personal_account = s.account LIMIT 1) h
        CROSS JOIN LATERAL (SELECT * FROM ledger.journal e WHERE e.book = h.book AND e.sequence = h.last_sequence LIMIT 1) j
    WHERE s.is_here AND ($6::boolean OR NOT s.was_here)
    UNION ALL
    SELECT c.book, c.personal_account, c.counted, c.upto, c.after, j.sequence, j.previous, j.kind, j.space, j.value_date, j.bank_day,
        j.lines, j.amounts
    FROM chain c CROSS JOIN LATERAL (SELECT * FROM ledger.journal e WHERE e.book = c.book AND e.sequence = c.previous LIMIT 1) j)
INSERT INTO saldo_posting
SELECT c.personal_account, u.line, c.kind, c.space, CASE WHEN $5::boolean THEN c.value_date ELSE c.bank_day END,
    c.sequence <= c.counted, sum(u.amount)
FROM chain c CROSS JOIN LATERAL unnest(c.lines, c.amounts) AS u(line, amount)
WHERE u.line <> 0 AND c.sequence <= c.upto AND ($6::boolean OR c.sequence <= c.after)
   
GROUP BY 1, 2, 3, 4, 5, 6

-- name: analyze_posting
-- The planner must know how much was read.
ANALYZE saldo_posting

-- name: postings
-- Entries by cell and movement: $1 the period of the closing before, $2 its last day, $3 the period, $4 opening before, $5 the last day.
-- What the closing before had is a movement only of an account that it did not have.
INSERT INTO saldo_part
SELECT p.account, c.creditor, c.payee, c.period, c.kind, c.pool, CASE WHEN m.move < 0 THEN 12 ELSE m.move END, sum(p.amount)
FROM saldo_posting p JOIN saldo_place s ON s.account = p.account
    JOIN reference.charge c ON c.personal_account = p.account AND c.line = p.line
    CROSS JOIN LATERAL (SELECT saldo.move_of(p.kind, p.space, p.day, c.period, p.counted, $1, $2, $3, $4, $5) AS move OFFSET 0) m
WHERE m.move >= 0 OR (m.move = -1 AND NOT s.was_here)
GROUP BY 1, 2, 3, 4, 5, 6, 7

-- name: fold
-- A row an account, creditor, payee, kind and pool; months are summed.
CREATE TEMP TABLE saldo_row ON COMMIT DROP AS
SELECT g.account, g.house, g.creditor, g.payee, g.kind, g.pool, greatest(g.opening, 0) AS opening_debt,
    greatest(-g.opening, 0) AS opening_advance, g.charged, g.recalculated, g.late, g.opened, g.paid, g.elsewhere, g.reversed,
    g.refunded, g.reassigned, g.offsets, g.other, g.moved, greatest(g.closing, 0) AS closing_debt, greatest(-g.closing, 0) AS closing_advance
FROM (SELECT p.account, s.house, p.creditor, p.payee, p.kind, p.pool,
        coalesce(sum(p.amount) FILTER (WHERE p.move = 0), 0)::bigint AS opening,
        coalesce(sum(p.amount) FILTER (WHERE p.move = 1), 0)::bigint AS charged,
        coalesce(sum(p.amount) FILTER (WHERE p.move = 11), 0)::bigint AS recalculated,
        coalesce(sum(p.amount) FILTER (WHERE p.move = 2), 0)::bigint AS late,
        coalesce(sum(p.amount) FILTER (WHERE p.move = 3), 0)::bigint AS opened,
        coalesce(sum(p.amount) FILTER (WHERE p.move = 4), 0)::bigint AS paid,
        coalesce(sum(p.amount) FILTER (WHERE p.move = 5), 0)::bigint AS elsewhere,
        coalesce(sum(p.amount) FILTER (WHERE p.move = 6), 0)::bigint AS reversed,
        coalesce(sum(p.amount) FILTER (WHERE p.move = 7), 0)::bigint AS refunded,
        coalesce(sum(p.amount) FILTER (WHERE p.move = 8), 0)::bigint AS reassigned,
        coalesce(sum(p.amount) FILTER (WHERE p.move = 9), 0)::bigint AS offsets,
        coalesce(sum(p.amount) FILTER (WHERE p.move = 10), 0)::bigint AS other,
        coalesce(sum(p.amount) FILTER (WHERE p.move = 12), 0)::bigint AS moved,
        sum(p.amount)::bigint AS closing
    FROM saldo_part p JOIN saldo_place s ON s.account = p.account
    GROUP BY p.account, s.house, p.creditor, p.payee, p.kind, p.pool HAVING bool_or(p.amount <> 0)) g

-- name: take_closed
-- The rows of a closed month of provider $1 as they were kept, by house: nothing is summed again. $3: only these houses.
CREATE TEMP TABLE saldo_row ON COMMIT DROP AS
SELECT 0::bigint AS account, t.house, t.creditor, t.payee, t.kind, t.pool, t.opening_debt, t.opening_advance, t.charged, t.recalculated,
    t.late, t.opened, t.paid, t.elsewhere, t.reversed, t.refunded, t.reassigned, t.offsets, t.other, t.moved, t.closing_debt,
    t.closing_advance
FROM saldo.turnover t WITH NO DATA

-- name: fill_closed
-- See take_closed.
INSERT INTO saldo_row
SELECT 0, t.house, t.creditor, t.payee, t.kind, t.pool, t.opening_debt, t.opening_advance, t.charged, t.recalculated,
    t.late, t.opened, t.paid, t.elsewhere, t.reversed, t.refunded, t.reassigned, t.offsets, t.other, t.moved, t.closing_debt,
    t.closing_advance
FROM saldo.turnover t WHERE t.provider = $1 AND t.period = $2 AND ($3::text[] IS NULL OR t.house = ANY($3::text[]))

-- name: sheet
-- The rows of the sheet at the level asked for: $1 by house, $2 by account, $3 by creditor, $4 by service. Money owed as a penalty (1) or
-- for court costs (2) stands in columns of its own, whenever it was charged.
SELECT g.*, coalesce(c.code, '') AS creditor, coalesce(r.code, '') AS recipient, coalesce(y.service, '') AS service,
    coalesce(a.namespace || ':' || a.number, '') AS account
FROM (SELECT CASE WHEN $1::boolean THEN w.house ELSE '' END AS house, CASE WHEN $2::boolean THEN w.account ELSE 0 END AS account_number,
        CASE WHEN $3::boolean THEN w.creditor ELSE 0 END AS creditor_number, CASE WHEN $4::boolean THEN w.payee ELSE 0 END AS payee,
        CASE WHEN $4::boolean THEN w.kind ELSE -1 END AS kind, CASE WHEN $4::boolean THEN w.pool ELSE -1 END AS pool,
        sum(w.opening_debt)::bigint AS opening_debt, sum(w.opening_advance)::bigint AS opening_advance,
        coalesce(sum(w.charged) FILTER (WHERE w.kind IN (0, 3)), 0)::bigint AS charged, sum(w.recalculated)::bigint AS recalculated,
        coalesce(sum(w.late) FILTER (WHERE w.kind IN (0, 3)), 0)::bigint AS late,
        coalesce(sum(w.charged + w.late) FILTER (WHERE w.kind = 1), 0)::bigint AS penalties,
        coalesce(sum(w.charged + w.late) FILTER (WHERE w.kind = 2), 0)::bigint AS costs,
        sum(w.opened)::bigint AS opened, sum(w.paid)::bigint AS paid, sum(w.elsewhere)::bigint AS elsewhere,
        sum(w.reversed)::bigint AS reversed, sum(w.refunded)::bigint AS refunded, sum(w.reassigned)::bigint AS reassigned,
        sum(w.offsets)::bigint AS offsets, sum(w.other + w.moved)::bigint AS other,
        sum(w.closing_debt)::bigint AS closing_debt, sum(w.closing_advance)::bigint AS closing_advance
    FROM saldo_row w GROUP BY 1, 2, 3, 4, 5, 6) g
    LEFT JOIN reference.recipient c ON c.recipient = g.creditor_number LEFT JOIN reference.payee y ON y.payee = g.payee
    LEFT JOIN reference.recipient r ON r.recipient = y.recipient
    LEFT JOIN reference.personal_account a ON a.personal_account = g.account_number
ORDER BY char_length(g.house), g.house, char_length(a.number), a.number, c.code, r.code, y.service, g.kind, g.pool

-- name: account_cells
-- What is owed at the end by account and cell, where it is not nought.
SELECT a.namespace || ':' || a.number AS account, c.code AS creditor, r.code AS recipient, y.service, p.period, p.kind, p.pool,
    sum(p.amount)::bigint AS amount
FROM saldo_part p JOIN reference.personal_account a ON a.personal_account = p.account
    JOIN reference.recipient c ON c.recipient = p.creditor JOIN reference.payee y ON y.payee = p.payee
    JOIN reference.recipient r ON r.recipient = y.recipient
GROUP BY a.namespace, a.number, c.code, r.code, y.service, p.period, p.kind, p.pool HAVING sum(p.amount) <> 0
ORDER BY a.namespace, char_length(a.number), a.number, p.kind, p.period, c.code, r.code, y.service, p.pool
