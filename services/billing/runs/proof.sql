-- The proof of a publication: what the tables take is what the documents print.

-- name: join_by_hash
-- Makes this transaction join what it has computed by hash: a planner that expects a row of each would compare each with each.
SELECT set_config('enable_nestloop', 'off', true), set_config('jit', 'off', true)

-- name: published_totals
-- Documents of a run whose published table, register and journal do not agree; none when all is well. $2: only these accounts.
-- For each pool's ordinary principal: the decoded table must hold Σ(charge - paid) of the tiers it keeps, paid as of its version;
-- and that, with tiers that have nothing open and less opening balances booked with the publication and, in the main pool,
-- advances, must be what the document prints. A document followed by a later one of its account is past: its lines moved on.
-- Tables are looked up by LATERAL, by key, whatever is known of them.
WITH RECURSIVE limitation AS MATERIALIZED (SELECT l.since, l.before, l.term FROM law.limitation l),
asked AS MATERIALIZED (
    SELECT d.* FROM billing.document d
        LEFT JOIN LATERAL (SELECT n.run FROM billing.document n
            WHERE n.account = d.account AND n.run > d.run AND n.nth IS NOT NULL LIMIT 1) later ON true
    WHERE d.run = $1 AND ($2::bigint[] IS NULL OR d.account = ANY($2::bigint[])) AND d.nth IS NOT NULL AND d.version IS NOT NULL
        AND later.run IS NULL),
chain AS (
    SELECT a.account, a.book, a.version, j.previous, j.table_version, j.space, j.lines, j.amounts
    FROM asked a
        CROSS JOIN LATERAL (SELECT k.last_sequence FROM ledger.account_head k
            WHERE k.book = a.book AND k.personal_account = a.account LIMIT 1) h
        CROSS JOIN LATERAL (SELECT * FROM ledger.journal e WHERE e.book = a.book AND e.sequence = h.last_sequence LIMIT 1) j
    UNION ALL
    SELECT c.account, c.book, c.version, j.previous, j.table_version, j.space, j.lines, j.amounts
    FROM chain c CROSS JOIN LATERAL (SELECT * FROM ledger.journal e WHERE e.book = c.book AND e.sequence = c.previous LIMIT 1) j),
credited AS (
    SELECT c.account, p.line, coalesce(-sum(p.amount) FILTER (WHERE c.table_version < c.version), 0) AS paid,
        coalesce(-sum(p.amount) FILTER (WHERE c.table_version = c.version), 0) AS opened
    FROM chain c CROSS JOIN LATERAL unnest(c.lines, c.amounts) AS p(line, amount)
    WHERE p.line <> 0 AND (c.table_version < c.version OR (c.space = 2 AND c.table_version = c.version))
    GROUP BY c.account, p.line),
line AS (
    SELECT a.account, c.creditor, c.period, c.pool, c.kind, c.amount, coalesce(k.paid, 0) AS paid, coalesce(k.opened, 0) AS opened,
        c.kind = 0 AND coalesce(c.limitation_until, (SELECT (c.due_date + t.term)::date FROM limitation t
            WHERE c.due_date >= t.since AND c.due_date < t.before)) < a.issued_on AS barred
    FROM asked a CROSS JOIN LATERAL (SELECT * FROM reference.charge x WHERE x.personal_account = a.account OFFSET 0) c
        LEFT JOIN credited k ON k.account = c.personal_account AND k.line = c.line
    WHERE c.kind = 3 OR (c.kind = 0 AND c.pool < 2 AND c.court_order = '')),
tier AS (
    SELECT l.account, l.pool, l.period, sum(l.amount - l.paid) AS unpaid, sum(l.opened) AS opened,
        bool_or(l.amount > l.paid + l.opened) AS is_open
    FROM line l WHERE l.kind = 0 AND NOT l.barred GROUP BY l.account, l.creditor, l.period, l.pool),
newest AS (
    SELECT a.account, max(greatest(a.period, l.period)) AS period FROM asked a JOIN line l USING (account) GROUP BY a.account),
pool AS (
    SELECT t.account, t.pool, sum(t.unpaid - t.opened) AS owed,
        coalesce(sum(t.unpaid) FILTER (WHERE t.is_open OR t.period = n.period), 0) AS kept
    FROM tier t JOIN newest n USING (account) GROUP BY t.account, t.pool),
advance AS (
    SELECT l.account, sum(l.paid + l.opened) AS held FROM line l WHERE l.kind = 3 GROUP BY l.account),
told AS (
    SELECT a.account, v.pool, v.printed, v.in_table, coalesce(p.kept, 0) AS kept,
        coalesce(p.owed, 0) - CASE v.pool WHEN 0 THEN coalesce(h.held, 0) ELSE 0 END AS owed
    FROM asked a CROSS JOIN LATERAL (VALUES (0, a.main, a.table_main), (1, a.capital_repair, a.table_repair)) AS v(pool, printed, in_table)
        LEFT JOIN pool p ON p.account = a.account AND p.pool = v.pool LEFT JOIN advance h ON h.account = a.account)
SELECT t.account, t.pool, t.printed, t.in_table::bigint AS in_table, t.kept::bigint AS kept, t.owed::bigint AS owed FROM told t
WHERE (t.printed IS NOT NULL AND t.printed <> t.owed) OR coalesce(t.in_table, 0) <> t.kept
ORDER BY t.account, t.pool
