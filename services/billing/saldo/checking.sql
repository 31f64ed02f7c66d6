-- The check of balances: the same sums from several sources, held against one another. Temporary tables of one transaction.

-- name: make_left
-- One side of a comparison by account and cell.
CREATE TEMP TABLE check_left (account bigint, creditor int, payee int, period int, kind smallint, pool smallint, amount bigint,
    PRIMARY KEY (account, creditor, payee, period, kind, pool)) ON COMMIT DROP

-- name: make_right
-- The other side.
CREATE TEMP TABLE check_right (account bigint, creditor int, payee int, period int, kind smallint, pool smallint, amount bigint)
ON COMMIT DROP

-- name: make_window
-- Each provider's window by book; see saldo.move_of.
CREATE TEMP TABLE check_window (provider int, book smallint, after bigint, counted bigint, upto bigint, previous int, previous_last date,
    period int, opening_before date, last date) ON COMMIT DROP

-- name: make_place
-- Whose accounts the sheets count.
CREATE TEMP TABLE check_place (account bigint PRIMARY KEY, provider int) ON COMMIT DROP

-- name: make_paid
-- What the sheets say was credited, by the payee of the charge.
CREATE TEMP TABLE check_paid (payee int, amount bigint) ON COMMIT DROP

-- name: make_table
-- What is open by line in the tables at the accounts' heads.
CREATE TEMP TABLE check_table (account bigint, line int, amount bigint, PRIMARY KEY (account, line)) ON COMMIT DROP

-- name: add_window
-- A provider's window.
INSERT INTO check_window
SELECT $1, w.book, w.after, w.counted, w.upto, $6, $7, $8, $9, $10
FROM unnest($2::smallint[], $3::bigint[], $4::bigint[], $5::bigint[]) AS w(book, after, counted, upto)

-- name: add_place
-- The accounts of the filled window.
INSERT INTO check_place SELECT s.account, $1 FROM saldo_place s WHERE s.is_here ON CONFLICT DO NOTHING

-- name: add_paid
-- What the filled window says was credited.
INSERT INTO check_paid SELECT p.payee, -sum(p.amount) FROM saldo_part p WHERE p.move BETWEEN 3 AND 10 GROUP BY p.payee

-- name: clear_left
-- Anew.
TRUNCATE check_left

-- name: clear_right
-- Anew.
TRUNCATE check_right

-- name: left_parts
-- Closing balances of the filled window.
INSERT INTO check_left
SELECT p.account, p.creditor, p.payee, p.period, p.kind, p.pool, sum(p.amount) FROM saldo_part p
GROUP BY p.account, p.creditor, p.payee, p.period, p.kind, p.pool

-- name: right_parts
-- Closing balances of the filled window.
INSERT INTO check_right
SELECT p.account, p.creditor, p.payee, p.period, p.kind, p.pool, sum(p.amount) FROM saldo_part p
GROUP BY p.account, p.creditor, p.payee, p.period, p.kind, p.pool

-- name: right_snapshot
-- Balances as they were kept.
INSERT INTO check_right
SELECT s.account, c.creditor, c.payee, c.period, c.kind, c.pool, u.amount
FROM saldo.snapshot s CROSS JOIN LATERAL unnest(s.cells, s.sums) AS u(cell, amount) JOIN saldo.cell c ON c.cell = u.cell
WHERE s.provider = $1 AND s.period = $2

-- name: compare
-- Where the sides differ.
SELECT a.namespace || ':' || a.number AS account, c.code AS creditor, r.code || '/' || y.service AS payee, d.period, d.kind,
    d.amount_left AS "left", d.amount_right AS "right"
FROM (SELECT account, creditor, payee, period, kind, pool, coalesce(l.amount, 0) AS amount_left, coalesce(g.amount, 0) AS amount_right
    FROM check_left l FULL JOIN check_right g USING (account, creditor, payee, period, kind, pool)
    WHERE coalesce(l.amount, 0) <> coalesce(g.amount, 0)) d
    LEFT JOIN reference.personal_account a ON a.personal_account = d.account LEFT JOIN reference.recipient c ON c.recipient = d.creditor
    LEFT JOIN reference.payee y ON y.payee = d.payee LEFT JOIN reference.recipient r ON r.recipient = y.recipient
ORDER BY 1, 4, 2, 3, 5

-- name: compare_sheet
-- Where the kept sheet of a closed month ($1, $2) differs from the filled window, by house: rows as arrays of their sums.
SELECT d.house, c.code AS creditor, r.code || '/' || y.service AS payee, d.kept, d.made
FROM (SELECT house, creditor, payee, kind, pool, k.sums AS kept, m.sums AS made
    FROM (SELECT t.house, t.creditor, t.payee, t.kind, t.pool, ARRAY[t.opening_debt, t.opening_advance, t.charged, t.recalculated,
            t.late, t.opened, t.paid, t.elsewhere, t.reversed, t.refunded, t.reassigned, t.offsets, t.other, t.moved, t.closing_debt,
            t.closing_advance] AS sums
        FROM saldo.turnover t WHERE t.provider = $1 AND t.period = $2) k
    FULL JOIN (SELECT w.house, w.creditor, w.payee, w.kind, w.pool, ARRAY[sum(w.opening_debt), sum(w.opening_advance), sum(w.charged),
            sum(w.recalculated), sum(w.late), sum(w.opened), sum(w.paid), sum(w.elsewhere), sum(w.reversed), sum(w.refunded),
            sum(w.reassigned), sum(w.offsets), sum(w.other), sum(w.moved), sum(w.closing_debt), sum(w.closing_advance)]::bigint[] AS sums
        FROM saldo_row w GROUP BY w.house, w.creditor, w.payee, w.kind, w.pool) m USING (house, creditor, payee, kind, pool)
    WHERE k.sums IS DISTINCT FROM m.sums) d
    LEFT JOIN reference.recipient c ON c.recipient = d.creditor LEFT JOIN reference.payee y ON y.payee = d.payee
    LEFT JOIN reference.recipient r ON r.recipient = y.recipient
ORDER BY 1, 2, 3

-- name: compare_opening
-- Where the opening balances of a sheet (the filled rows) are not the closing ones of the month before ($1, $2) as they were kept.
SELECT c.code AS creditor, r.code || '/' || y.service AS payee, d.kind, d.closing AS "left", d.opening AS "right"
FROM (SELECT creditor, payee, kind, pool, coalesce(k.closing, 0) AS closing, coalesce(o.opening, 0) AS opening
    FROM (SELECT t.creditor, t.payee, t.kind, t.pool, sum(t.closing_debt - t.closing_advance)::bigint AS closing FROM saldo.turnover t
        WHERE t.provider = $1 AND t.period = $2 GROUP BY t.creditor, t.payee, t.kind, t.pool) k
    FULL JOIN (SELECT w.creditor, w.payee, w.kind, w.pool, sum(w.opening_debt - w.opening_advance)::bigint AS opening FROM saldo_row w
        GROUP BY w.creditor, w.payee, w.kind, w.pool) o USING (creditor, payee, kind, pool)
    WHERE coalesce(k.closing, 0) <> coalesce(o.opening, 0)) d
    LEFT JOIN reference.recipient c ON c.recipient = d.creditor LEFT JOIN reference.payee y ON y.payee = d.payee
    LEFT JOIN reference.recipient r ON r.recipient = y.recipient
ORDER BY 1, 2, 3

-- name: ledger_days
-- Turnover (credit - debit) of payables and settled money by payee in the bank days $1 … $2, taken apart by what the sheets make of it:
-- both: in the sheets of the month; later: of a month already closed, so in the next sheet; opening: in an opening balance; earlier: of
-- days before, recorded after their month had been closed; entry kinds of what is no personal account's.
WITH posting AS (
    SELECT j.bank_day BETWEEN $1 AND $2 AS in_days, j.kind, (u.account & ((1::bigint << 40) - 1))::int AS payee, -u.amount AS amount,
        CASE WHEN u.line <> 0 AND j.personal_account IS NOT NULL THEN coalesce((SELECT saldo.move_of(j.kind, j.space, j.bank_day, coalesce(c.period, 0),
            j.sequence <= w.counted, w.previous, w.previous_last, w.period, w.opening_before, w.last)
            FROM check_window w LEFT JOIN reference.charge c ON c.personal_account = s.account AND c.line = u.line
            WHERE w.provider = s.provider AND w.book = j.book AND j.sequence <= w.upto), -2) END AS move
    FROM (SELECT w.book, min(w.after) AS after FROM check_window w GROUP BY w.book) b
        JOIN ledger.journal j ON j.book = b.book AND j.sequence > b.after
        LEFT JOIN check_place s ON s.account = j.personal_account
        CROSS JOIN LATERAL unnest(j.accounts, j.amounts, j.lines) AS u(account, amount, line)
    WHERE u.account >> 56 IN (3, 11))
SELECT p.payee, CASE WHEN p.move IS NULL THEN 'apart' WHEN NOT p.in_days THEN 'earlier' WHEN p.move > 0 THEN 'both'
        WHEN p.move = -2 THEN 'later' ELSE 'opening' END AS what,
    CASE WHEN p.move IS NULL THEN p.kind ELSE 0 END AS kind, sum(p.amount)::bigint AS amount
FROM posting p WHERE p.in_days OR p.move > 0
GROUP BY 1, 2, 3 HAVING sum(p.amount) <> 0

-- name: sheet_paid
-- What the sheets say was credited.
SELECT p.payee, sum(p.amount)::bigint AS amount FROM check_paid p GROUP BY p.payee

-- name: folded_days
-- Turnover of the same accounts and days as the read models have it, and as the journal has it up to where their consumer had come.
SELECT payee, coalesce(m.amount, 0)::bigint AS folded, coalesce(j.amount, 0)::bigint AS journal
FROM (SELECT (d.account & ((1::bigint << 40) - 1))::int AS payee, sum(d.credit - d.debit) AS amount FROM read_model.day_turnover d
    WHERE d.account >> 56 IN (3, 11) AND d.bank_day BETWEEN $1 AND $2 GROUP BY 1) m
    FULL JOIN (SELECT (u.account & ((1::bigint << 40) - 1))::int AS payee, -sum(u.amount) AS amount
        FROM read_model.cursor k JOIN ledger.journal j ON j.book = k.book AND j.sequence <= k.sequence
            CROSS JOIN LATERAL unnest(j.accounts, j.amounts) AS u(account, amount)
        WHERE k.consumer = 'postings' AND j.bank_day BETWEEN $1 AND $2 AND u.account >> 56 IN (3, 11) GROUP BY 1) j USING (payee)

-- name: behind
-- Entries that the read models have not folded yet.
SELECT coalesce(sum(h.sequence - coalesce(k.sequence, 0)), 0)::bigint
FROM (SELECT b.book, coalesce((SELECT j.sequence FROM ledger.journal j WHERE j.book = b.book ORDER BY j.sequence DESC LIMIT 1), 0) AS sequence
    FROM ledger.book_head b) h LEFT JOIN read_model.cursor k ON k.consumer = 'postings' AND k.book = h.book

-- name: suspended
-- Money that came in the days without an owner, or left it (credit - debit of suspense).
SELECT coalesce(-sum(u.amount), 0)::bigint FROM ledger.journal j CROSS JOIN LATERAL unnest(j.accounts, j.amounts) AS u(account, amount)
WHERE j.bank_day BETWEEN $1 AND $2 AND u.account >> 56 = 4

-- name: payees
-- Names of payees.
SELECT y.payee, r.code AS recipient, y.service FROM reference.payee y JOIN reference.recipient r ON r.recipient = y.recipient

-- name: list_published
-- Accounts of the filled window after $1 that have a table, at most $2.
SELECT s.account FROM saldo_place s WHERE s.is_here AND s.account > $1
    AND NOT EXISTS (SELECT FROM reference.table_due d WHERE d.personal_account = s.account)
ORDER BY s.account LIMIT $2

-- name: count_due
-- Accounts of the filled window whose table is to be built again.
SELECT count(*) FROM saldo_place s JOIN reference.table_due d ON d.personal_account = s.account WHERE s.is_here

-- name: plan_freely
-- Rebuilding tables (ledger/statements/tables.sql) leaves the transaction without hash and merge joins: sums of whole months need them.
SELECT set_config('enable_seqscan', 'on', true), set_config('enable_hashjoin', 'on', true), set_config('enable_mergejoin', 'on', true),
    set_config('plan_cache_mode', 'auto', true)

-- name: compare_tables
-- Where the tables' open lines are not the balances (check_left); only cells all of whose lines the table has.
SELECT a.namespace || ':' || a.number AS account, c.code AS creditor, r.code || '/' || y.service AS payee, d.period, d.kind,
    d.owed AS "left", d.in_table AS "right"
FROM (SELECT k.account, k.creditor, k.payee, k.period, k.kind, k.pool, k.in_table, coalesce(l.amount, 0) AS owed
    FROM (SELECT c.personal_account AS account, c.creditor, c.payee, c.period, c.kind, c.pool, sum(t.amount)::bigint AS in_table
        FROM (SELECT DISTINCT x.account FROM check_table x) w JOIN reference.charge c ON c.personal_account = w.account
            LEFT JOIN check_table t ON t.account = c.personal_account AND t.line = c.line
        WHERE c.kind < 3 GROUP BY 1, 2, 3, 4, 5, 6 HAVING count(*) = count(t.line)) k
        LEFT JOIN check_left l USING (account, creditor, payee, period, kind, pool)) d
    JOIN reference.personal_account a ON a.personal_account = d.account JOIN reference.recipient c ON c.recipient = d.creditor
    JOIN reference.payee y ON y.payee = d.payee JOIN reference.recipient r ON r.recipient = y.recipient
WHERE d.owed <> d.in_table ORDER BY 1, 4, 2, 3

-- name: compare_documents
-- Newest documents after which nothing came, that print another sum than the balances (check_left) say; is_wrong: they differ. Documents
-- of accounts with time-barred lines or court orders are left out: they print less than is owed.
WITH limitation AS MATERIALIZED (SELECT l.since, l.before, l.term FROM law.limitation l),
newest AS (
    SELECT DISTINCT ON (d.account) d.* FROM billing.document d JOIN saldo_place s ON s.account = d.account AND s.is_here
    WHERE d.nth IS NOT NULL ORDER BY d.account, d.period DESC, d.nth DESC),
still AS (
    SELECT n.* FROM newest n JOIN ledger.account_head h ON h.book = n.book AND h.personal_account = n.account AND h.version = n.version
    WHERE n.state = 'published' AND NOT EXISTS (SELECT FROM reference.table_due t WHERE t.personal_account = n.account)
        AND NOT EXISTS (SELECT FROM reference.charge c WHERE c.personal_account = n.account AND c.kind = 0 AND (c.court_order <> ''
            OR coalesce(c.limitation_until, (SELECT (c.due_date + t.term)::date FROM limitation t
                WHERE c.due_date >= t.since AND c.due_date < t.before)) < n.issued_on))),
owed AS (
    SELECT l.account, coalesce(sum(l.amount) FILTER (WHERE l.kind = 3 OR (l.kind = 0 AND l.pool = 0)), 0)::bigint AS main,
        coalesce(sum(l.amount) FILTER (WHERE l.kind = 0 AND l.pool = 1), 0)::bigint AS capital_repair
    FROM check_left l GROUP BY l.account)
SELECT s.number AS document, s.main + coalesce(s.capital_repair, 0) AS "left",
    coalesce(o.main, 0) + CASE WHEN s.capital_repair IS NULL THEN 0 ELSE coalesce(o.capital_repair, 0) END AS "right",
    s.main <> coalesce(o.main, 0) OR coalesce(s.capital_repair <> coalesce(o.capital_repair, 0), false) AS is_wrong
FROM still s LEFT JOIN owed o ON o.account = s.account ORDER BY s.account

-- name: clear_table
-- Anew.
TRUNCATE check_table

-- name: count_places
-- Accounts that the sheets count.
SELECT count(*) FROM check_place
