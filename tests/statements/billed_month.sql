-- A month of the small town closed by the command.

-- name: list_payable
-- Open accounts with what their documents of the period print.
SELECT a.number, t.amount AS total FROM reference.personal_account a JOIN reference.printed_total t USING (personal_account)
WHERE t.period = $1 AND t.pool = 0 AND a.state = 0 AND t.amount > 1 ORDER BY a.number

-- name: months
-- Months of all providers.
SELECT m.period, m.state, count(*) AS providers FROM billing.month m GROUP BY m.period, m.state ORDER BY m.period

-- name: sums
-- What a period's newest documents charge, what its runs' lines come to, and the accounts.
SELECT count(*) AS accounts, sum(d.charged_main + d.charged_repair)::bigint AS charged,
    (SELECT sum(l.amount)::bigint FROM billing.line l JOIN billing.run r USING (run) WHERE r.period = $1 AND r.state <> 'dropped') AS lines
FROM billing.current_document d WHERE d.period = $1

-- name: paid_in_publication
-- Payments that were recorded between the approval of a period's first run and the end of the publication of its last.
SELECT count(*) FROM ledger.journal j
WHERE j.kind = 1 AND j.recorded_at BETWEEN (SELECT min(r.approved_at) FROM billing.run r WHERE r.period = $1)
    AND (SELECT max(r.published_at) FROM billing.run r WHERE r.period = $1)

-- name: is_publishing
-- Whether a run of the period is being published, or was.
SELECT EXISTS (SELECT FROM billing.run r WHERE r.period = $1 AND r.state IN ('publishing', 'published', 'closed'))

-- name: two_lines
-- Two lines of one account in a period, in one pool.
SELECT c.personal_account, min(c.line) AS one, max(c.line) AS other FROM reference.charge c
WHERE c.period = $1 AND c.kind = 0 AND c.pool = 0 AND c.amount > 1000 GROUP BY c.personal_account HAVING count(*) > 1
ORDER BY c.personal_account LIMIT 1

-- name: move_charge
-- A kopeck from one line to another of the same account.
UPDATE reference.charge SET amount = amount + CASE line WHEN $2 THEN $4::bigint ELSE -$4::bigint END WHERE personal_account = $1 AND line IN ($2, $3)

-- name: move_printed
-- A kopeck more or less is recognised as the whole of a document.
UPDATE reference.printed_total SET amount = amount + $3::bigint WHERE personal_account = $1 AND period = $2 AND pool = 0

-- name: runs
-- Runs of a period and how many documents each has published.
SELECT d.run, count(*) AS accounts FROM billing.document d WHERE d.period = $1 AND d.state = 'published' GROUP BY d.run ORDER BY d.run
