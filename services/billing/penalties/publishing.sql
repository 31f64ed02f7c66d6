-- Publication of penalties: a chunk of accounts at a time, charges and documents in one transaction.

-- name: try_lock
-- One process publishes a run at a time; the lock goes with the connection.
SELECT pg_try_advisory_lock($1, ($2::bigint % 2147483647)::int)

-- name: unlock
-- Others may go on with the run.
SELECT pg_advisory_unlock($1, ($2::bigint % 2147483647)::int)

-- name: begin
-- An approved run begins to be published; its due date is fixed.
UPDATE billing.penalty_run SET state = 'publishing', due_on = $2 WHERE run = $1 AND state = 'approved'

-- name: finish
-- Every account was dealt with.
UPDATE billing.penalty_run SET state = 'published', published_at = $2 WHERE run = $1 AND state = 'publishing'

-- name: list_pending
-- Accounts after $2 for which the run changes something and that are not published yet, at most $3; is_charged: only the table is to come.
SELECT c.account, EXISTS (SELECT FROM billing.penalty_document d WHERE d.run = $1 AND d.account = c.account AND d.state = 'charged')
    AS is_charged
FROM (SELECT b.account FROM billing.penalty_bill b WHERE b.run = $1 AND b.account > $2 AND b.change <> 0
      UNION SELECT w.account FROM billing.penalty_waived w WHERE w.run = $1 AND w.account > $2) c
WHERE NOT EXISTS (SELECT FROM billing.penalty_document d WHERE d.run = $1 AND d.account = c.account AND d.state = 'published')
ORDER BY c.account LIMIT $3

-- name: count_pending
-- How many there are.
SELECT count(*) FROM (
    SELECT b.account FROM billing.penalty_bill b WHERE b.run = $1 AND b.change <> 0
    UNION SELECT w.account FROM billing.penalty_waived w WHERE w.run = $1) c
WHERE NOT EXISTS (SELECT FROM billing.penalty_document d WHERE d.run = $1 AND d.account = c.account AND d.state = 'published')

-- name: list_changes
-- What the run changes of accounts, by creditor and pool, with what was charged before as the draft saw it.
SELECT g.account, g.creditor, g.pool, sum(g.change)::bigint AS change, sum(g.before)::bigint AS before,
    sum(g.waived)::bigint AS waived
FROM (SELECT b.account, b.creditor, b.pool, b.change, b.before, 0 AS waived FROM billing.penalty_bill b
      WHERE b.run = $1 AND b.account = ANY($2::bigint[])
      UNION ALL
      SELECT w.account, v.creditor, v.pool, 0, 0, w.amount FROM billing.penalty_waived w JOIN billing.penalty_waiver v USING (waiver)
      WHERE w.run = $1 AND w.account = ANY($2::bigint[])) g
GROUP BY g.account, g.creditor, g.pool
HAVING sum(g.waived) > 0 OR bool_or(g.change <> 0) ORDER BY g.account, g.creditor, g.pool

-- name: known_charges
-- Penalties charged by a period's line already, which this run adds to: account, creditor, pool, amount, due date.
SELECT c.personal_account AS account, c.creditor, c.pool, c.amount, c.due_date
FROM unnest($1::bigint[]) AS w(account) JOIN reference.charge c ON c.personal_account = w.account JOIN reference.payee p USING (payee)
WHERE c.period = $2 AND c.kind = 1 AND c.court_order = '' AND p.recipient = c.creditor AND p.service = $3

-- name: add_documents
-- Documents of accounts, numbered after those that the account has of the period; one that was parked is made anew.
INSERT INTO billing.penalty_document AS d (run, account, creditor, pool, period, state, number, charged, owed_before, due_on, issued_on)
SELECT r.run, u.account, u.creditor, u.pool, r.period, 'charged',
    p.number || '-' || r.period || '-П' || (n.others + row_number() OVER (PARTITION BY u.account ORDER BY u.creditor, u.pool)),
    u.charged, u.owed, u.due_on, $8
FROM billing.penalty_run r
    CROSS JOIN unnest($2::bigint[], $3::int[], $4::smallint[], $5::bigint[], $6::bigint[], $7::date[])
        AS u(account, creditor, pool, charged, owed, due_on)
    JOIN reference.personal_account p ON p.personal_account = u.account
    CROSS JOIN LATERAL (SELECT count(*) AS others FROM billing.penalty_document o
        WHERE o.account = u.account AND o.period = r.period AND o.run <> r.run AND o.number IS NOT NULL) n
WHERE r.run = $1
ON CONFLICT ON CONSTRAINT penalty_document_key DO UPDATE SET state = 'charged', reason = '', number = excluded.number,
    charged = excluded.charged, owed_before = excluded.owed_before, due_on = excluded.due_on, issued_on = excluded.issued_on
    WHERE d.state = 'parked'

-- name: park
-- Accounts that cannot be charged now, with the reason; those whose charge stands keep it.
INSERT INTO billing.penalty_document AS d (run, account, creditor, pool, period, state, reason, charged, owed_before, due_on, issued_on)
SELECT r.run, u.account, u.creditor, u.pool, r.period, 'parked', u.reason, 0, 0, r.due_on, $6
FROM billing.penalty_run r
    CROSS JOIN unnest($2::bigint[], $3::int[], $4::smallint[], $5::text[]) AS u(account, creditor, pool, reason)
WHERE r.run = $1
ON CONFLICT ON CONSTRAINT penalty_document_key DO UPDATE SET reason = excluded.reason WHERE d.state = 'parked'

-- name: mark_published
-- Accounts whose tables have the penalties.
UPDATE billing.penalty_document SET state = 'published' WHERE run = $1 AND account = ANY($2::bigint[]) AND state = 'charged'

-- name: count_states
-- How the run's documents ended.
SELECT d.state, count(*) AS documents, coalesce(sum(d.charged), 0)::bigint AS charged FROM billing.penalty_document d
WHERE d.run = $1 GROUP BY d.state

-- name: list_parked
-- Accounts that could not be charged, at most $2.
SELECT DISTINCT p.namespace || ':' || p.number AS account, d.reason
FROM billing.penalty_document d JOIN reference.personal_account p ON p.personal_account = d.account
WHERE d.run = $1 AND d.state = 'parked' ORDER BY 1 LIMIT $2
