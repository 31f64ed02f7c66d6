-- The straight way of publication: accounts of a month that were charged nothing of it or of a later one before.

-- name: add_payees
-- Pairs of recipient and service that a run charges and nobody did before.
INSERT INTO reference.payee (recipient, service)
SELECT DISTINCT t.recipient, t.service FROM billing.run_terms t WHERE t.run = $1 AND t.lines > 0 ORDER BY t.recipient, t.service
ON CONFLICT ON CONSTRAINT payee_once DO NOTHING

-- name: list_terms
-- Who is paid by house and service, in the order in which an account's charges are numbered.
SELECT t.house, t.service, p.payee, t.creditor, t.pool
FROM unnest($2::text[]) AS w(house)
    CROSS JOIN LATERAL (SELECT * FROM billing.run_terms x WHERE x.run = $1 AND x.house = w.house AND x.lines > 0) t
    JOIN reference.payee p ON p.recipient = t.recipient AND p.service = t.service
ORDER BY t.house, t.recipient, t.service

-- name: list_bounds
-- The last account of every $2 that are not published yet, and of what remains.
SELECT p.account FROM (
    SELECT a.account, row_number() OVER (ORDER BY a.account) AS nth, lead(a.account) OVER (ORDER BY a.account) AS next
    FROM billing.run_account a WHERE a.run = $1 AND NOT EXISTS (
        SELECT FROM billing.document d WHERE d.run = a.run AND d.account = a.account)) p
WHERE p.nth % $2 = 0 OR p.next IS NULL ORDER BY p.account

-- name: list_straight
-- Lines of the accounts after $2 up to $3 that may go the straight way, at most $5; last_line: the last of the account's charges.
-- An account with a charge or a document of the period, or a charge of a later one, goes round: those rules look at what is there.
SELECT a.account, a.house, a.services, a.amounts, coalesce(l.line, 0) AS last_line
FROM billing.run r JOIN billing.run_account a ON a.run = r.run AND a.account > $2 AND a.account <= $3
    LEFT JOIN LATERAL (SELECT c.line FROM reference.charge c WHERE c.personal_account = a.account ORDER BY c.line DESC LIMIT 1) l ON true
WHERE r.run = $1 AND r.state = 'publishing' AND r.kind = 'month'
    AND NOT EXISTS (SELECT FROM billing.document d WHERE d.account = a.account AND d.period = r.period)
    AND NOT EXISTS (SELECT FROM reference.charge c WHERE c.personal_account = a.account AND c.period >= $4)
    AND NOT EXISTS (SELECT FROM reference.printed_total t WHERE t.personal_account = a.account AND t.period >= $4)
ORDER BY a.account LIMIT $5

-- name: wait_for_tables
-- Documents of accounts that were paid while their tables were built: the tables are to come.
UPDATE billing.document d SET state = 'charged', book = NULL, version = NULL, table_main = NULL, table_repair = NULL
WHERE d.run = $1 AND d.account = ANY($2::bigint[])

-- name: mark_due
-- Accounts whose tables are to be built.
INSERT INTO reference.table_due (personal_account) SELECT u.account FROM unnest($1::bigint[]) AS u(account)
ON CONFLICT (personal_account) DO UPDATE SET since = excluded.since
