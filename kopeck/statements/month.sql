-- What closing a month asks: how far it is, what was paid meanwhile, and whether charges, payments, tables and ledger agree.

-- name: find_month_run
-- The newest run of a provider's whole month that was not dropped.
SELECT r.run FROM billing.run r JOIN reference.recipient p ON p.recipient = r.provider
WHERE p.code = $1 AND r.period = $2 AND r.kind = 'month' AND r.state <> 'dropped' AND r.scope = 'provider' ORDER BY r.run DESC LIMIT 1

-- name: list_published
-- Runs of a period whose lines are charges, of some providers (codes).
SELECT r.run FROM billing.run r JOIN reference.recipient p ON p.recipient = r.provider
WHERE r.period = $1 AND p.code = ANY($2::text[]) AND r.state IN ('published', 'closed') ORDER BY r.run

-- name: list_accounts
-- Accounts that the period's runs of some providers have charged.
SELECT DISTINCT d.account FROM billing.current_document d JOIN billing.run r USING (run)
    JOIN reference.recipient p ON p.recipient = r.provider
WHERE d.period = $1 AND p.code = ANY($2::text[]) ORDER BY d.account

-- name: is_closed
-- Whether the months of all these providers (codes) are closed.
SELECT count(*) = cardinality($2::text[]) FROM billing.month m JOIN reference.recipient p ON p.recipient = m.provider
WHERE m.period = $1 AND p.code = ANY($2::text[]) AND m.state = 'closed'

-- name: paid_since
-- Payments of accounts that were recorded since the month's first draft began, and what they come to.
SELECT count(*) AS payments, coalesce(sum(j.amount), 0)::bigint AS amount
FROM ledger.journal j
WHERE j.personal_account = ANY($1::bigint[]) AND j.kind = 1 AND j.recorded_at >= (
    SELECT min(r.made_at) FROM billing.run r WHERE r.run = ANY($2::bigint[]))

-- name: make_base
-- The table that was published last for each account: entries since then have its version or a later one.
CREATE TEMP TABLE base ON COMMIT DROP AS
SELECT h.book, h.personal_account AS account, b.version
FROM ledger.account_head h
    CROSS JOIN LATERAL (SELECT o.version FROM ledger.base_table o
        WHERE o.book = h.book AND o.personal_account = h.personal_account ORDER BY o.version DESC LIMIT 1) b
WHERE h.personal_account = ANY($1::bigint[])

-- name: make_credited
-- What the journal credits to each line of the accounts, read in one pass over the entries themselves: by the ledger's account
-- (payables, 3, and settled, 11, of a payee) and by the line. recent: since the table was published, opening balances among it.
CREATE TEMP TABLE credited ON COMMIT DROP AS
SELECT j.personal_account AS account, p.line, (p.ledger_account & 1099511627775)::bigint AS payee,
    (p.ledger_account >> 56)::int AS kind, (-sum(p.amount))::bigint AS amount,
    coalesce(-sum(p.amount) FILTER (WHERE j.table_version >= b.version), 0)::bigint AS recent
FROM ledger.journal j JOIN base b ON b.book = j.book AND b.account = j.personal_account
    CROSS JOIN LATERAL unnest(j.accounts, j.amounts, j.lines) AS p(ledger_account, amount, line)
WHERE p.line <> 0
GROUP BY 1, 2, 3, 4

-- name: list_tables
-- The tables that were published last, with their bytes.
SELECT b.account, o.content FROM base b
    JOIN ledger.base_table o ON o.book = b.book AND o.personal_account = b.account AND o.version = b.version

-- name: make_tabled
-- Lines of the tables: what is open of each by the table.
CREATE TEMP TABLE tabled (account bigint, line int, pool smallint, weight bigint, paid bigint) ON COMMIT DROP

-- name: analyze
-- The planner must know how much there is.
ANALYZE credited, tabled

-- name: charges_disagree
-- Σ lines of the runs beside Σ charges of the period by payee, creditor and pool; those that differ.
WITH lined AS (
    SELECT t.recipient, l.service, t.creditor, t.pool::smallint AS pool, sum(l.amount)::bigint AS amount
    FROM billing.current_document d JOIN billing.line l ON l.run = d.run AND l.account = d.account
        JOIN billing.run_account a ON a.run = d.run AND a.account = d.account
        JOIN billing.run_terms t ON t.run = d.run AND t.house = a.house AND t.service = l.service
    WHERE d.period = $2 AND d.account = ANY($1::bigint[]) GROUP BY 1, 2, 3, 4),
charged AS (
    SELECT p.recipient, p.service, c.creditor, c.pool, sum(c.amount)::bigint AS amount
    FROM reference.charge c JOIN reference.payee p ON p.payee = c.payee
    WHERE c.personal_account = ANY($1::bigint[]) AND c.period = $2 AND c.kind = 0 AND c.court_order = '' AND c.pool < 2
    GROUP BY 1, 2, 3, 4)
SELECT r.code AS recipient, coalesce(l.service, c.service) AS service, coalesce(l.pool, c.pool) AS pool,
    coalesce(l.amount, 0) AS lined, coalesce(c.amount, 0) AS charged
FROM lined l FULL JOIN charged c ON c.recipient = l.recipient AND c.service = l.service AND c.creditor = l.creditor AND c.pool = l.pool
    JOIN reference.recipient r ON r.recipient = coalesce(l.recipient, c.recipient)
WHERE coalesce(l.amount, 0) <> coalesce(c.amount, 0) ORDER BY 1, 2, 3

-- name: sums
-- What the runs' lines come to and what they became; what the accounts were charged, credited with for it and in advance, and what
-- their tables leave open at this moment.
SELECT (SELECT coalesce(sum(l.amount), 0)::bigint
        FROM billing.current_document d JOIN billing.line l ON l.run = d.run AND l.account = d.account
        WHERE d.period = $2 AND d.account = ANY($1::bigint[])) AS lines,
    (SELECT coalesce(sum(c.amount) FILTER (WHERE c.period = $2 AND c.kind = 0 AND c.court_order = '' AND c.pool < 2), 0)::bigint
        FROM reference.charge c WHERE c.personal_account = ANY($1::bigint[])) AS month,
    (SELECT coalesce(sum(c.amount), 0)::bigint FROM reference.charge c WHERE c.personal_account = ANY($1::bigint[])) AS charges,
    (SELECT coalesce(sum(k.amount), 0)::bigint FROM credited k) AS credits,
    (SELECT coalesce(sum(k.amount), 0)::bigint FROM credited k
        JOIN reference.charge c ON c.personal_account = k.account AND c.line = k.line AND c.kind = 3) AS advances,
    (SELECT coalesce(sum(t.weight - t.paid), 0)::bigint FROM tabled t)
        - (SELECT coalesce(sum(k.recent), 0)::bigint FROM credited k JOIN tabled t USING (account, line)) AS open_in_tables

-- name: tables_disagree
-- Σ(weight - paid) of the tables less what was credited since, beside Σ(charge - credit), by account and pool; those that differ.
-- A line that the table does not keep has nothing left to be paid: if it has, it is counted here as owed and not tabled.
WITH credit AS (
    SELECT k.account, k.line, sum(k.amount) AS amount, sum(k.recent) AS recent FROM credited k GROUP BY k.account, k.line),
owed AS (
    SELECT c.personal_account AS account, c.line, c.pool, c.kind, c.amount - coalesce(k.amount, 0) AS amount, coalesce(k.recent, 0) AS recent
    FROM reference.charge c LEFT JOIN credit k ON k.account = c.personal_account AND k.line = c.line
    WHERE c.personal_account = ANY($1::bigint[]) AND c.kind <> 3)
SELECT o.account, n.namespace || ':' || n.number AS number, o.pool,
    coalesce(sum(t.weight - t.paid - o.recent), 0)::bigint AS in_table,
    coalesce(sum(o.amount) FILTER (WHERE t.line IS NOT NULL OR o.amount > 0), 0)::bigint AS owed
FROM owed o LEFT JOIN tabled t ON t.account = o.account AND t.line = o.line AND t.pool = o.pool
    JOIN reference.personal_account n ON n.personal_account = o.account
GROUP BY o.account, n.namespace, n.number, o.pool
HAVING coalesce(sum(t.weight - t.paid - o.recent), 0) <> coalesce(sum(o.amount) FILTER (WHERE t.line IS NOT NULL OR o.amount > 0), 0)
ORDER BY o.account, o.pool

-- name: ledger_disagrees
-- Turnover of payables and settled by the payee that the ledger's accounts name, beside credits by the payee that the charge lines name.
WITH by_ledger AS (
    SELECT k.payee, sum(k.amount)::bigint AS amount FROM credited k WHERE k.kind IN (3, 11) GROUP BY k.payee),
by_line AS (
    SELECT c.payee, sum(k.amount)::bigint AS amount
    FROM credited k JOIN reference.charge c ON c.personal_account = k.account AND c.line = k.line GROUP BY c.payee)
SELECT r.code AS recipient, p.service, coalesce(a.amount, 0) AS by_ledger, coalesce(b.amount, 0) AS by_line
FROM by_ledger a FULL JOIN by_line b ON b.payee = a.payee
    LEFT JOIN reference.payee p ON p.payee = coalesce(a.payee, b.payee) LEFT JOIN reference.recipient r ON r.recipient = p.recipient
WHERE coalesce(a.amount, 0) <> coalesce(b.amount, 0) ORDER BY 1, 2

-- name: prints_disagree
-- Documents of the period beside the printed totals that payments are recognised by; those that differ.
WITH printed AS (
    SELECT d.account, v.pool, v.amount FROM billing.current_document d
        CROSS JOIN LATERAL (VALUES (0::smallint, d.main), (1::smallint, d.capital_repair)) AS v(pool, amount)
    WHERE d.period = $2 AND d.account = ANY($1::bigint[]) AND v.amount IS NOT NULL),
total AS (
    SELECT t.personal_account AS account, t.pool, t.amount FROM reference.printed_total t
    WHERE t.period = $2 AND t.personal_account = ANY($1::bigint[]))
SELECT n.namespace || ':' || n.number AS number, coalesce(p.pool, t.pool) AS pool, p.amount AS printed, t.amount AS total
FROM printed p FULL JOIN total t ON t.account = p.account AND t.pool = p.pool
    JOIN reference.personal_account n ON n.personal_account = coalesce(p.account, t.account)
WHERE p.amount IS DISTINCT FROM t.amount ORDER BY 1, 2
