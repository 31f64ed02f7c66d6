-- Runs of penalties: begun, moved on, shown; decisions about who is spared.

-- name: begin
-- A draft; one live run a provider (penalty_run_live).
INSERT INTO billing.penalty_run (provider, period, as_of, made_by, made_at)
SELECT r.recipient, $2, $3, $4, $5 FROM reference.recipient r WHERE r.code = $1 RETURNING run

-- name: last_day
-- The newest day that penalties of a provider were charged up to.
SELECT max(n.as_of) FROM billing.penalty_run n JOIN reference.recipient r ON r.recipient = n.provider
WHERE r.code = $1 AND n.state IN ('publishing', 'published')

-- name: fetch
-- A run with its provider's code and what it came to.
SELECT r.*, p.code, b.accounts, b.bills, b.change, b.lowered, b.excluded, coalesce(w.waived, 0)::bigint AS waived
FROM billing.penalty_run r JOIN reference.recipient p ON p.recipient = r.provider
    CROSS JOIN LATERAL (SELECT count(DISTINCT o.account) AS accounts, count(*) AS bills, coalesce(sum(o.change), 0)::bigint AS change,
        coalesce(sum(o.change) FILTER (WHERE o.change < 0), 0)::bigint AS lowered, count(*) FILTER (WHERE o.excluded <> '') AS excluded
        FROM billing.penalty_bill o WHERE o.run = r.run) b
    CROSS JOIN LATERAL (SELECT sum(o.amount) AS waived FROM billing.penalty_waived o WHERE o.run = r.run) w
WHERE r.run = $1

-- name: list_providers
-- Providers whose accounts have principal.
SELECT r.code FROM reference.recipient r WHERE EXISTS (
    SELECT FROM reference.personal_account a WHERE a.provider = r.recipient) ORDER BY r.code

-- name: lock
-- Nobody moves the run on while this transaction looks at it.
SELECT r.state, r.provider, r.period, r.as_of, r.reached, r.is_complete, r.approved_by, r.made_by
FROM billing.penalty_run r WHERE r.run = $1 FOR UPDATE

-- name: reach
-- A page of accounts was calculated.
UPDATE billing.penalty_run SET reached = $2, is_complete = $3 WHERE run = $1

-- name: check
-- A complete draft was looked at.
UPDATE billing.penalty_run SET state = 'checked' WHERE run = $1 AND state = 'draft' AND is_complete

-- name: approve
-- The second person approves.
UPDATE billing.penalty_run SET state = 'approved', approved_by = $2, approved_at = $3 WHERE run = $1 AND state = 'checked'

-- name: drop
-- A run that was not published is given up.
UPDATE billing.penalty_run SET state = 'dropped', dropped_by = $2, dropped_at = $3
WHERE run = $1 AND state IN ('draft', 'checked', 'approved')

-- name: totals
-- What a run charges, by creditor and pool, beside what it takes back and leaves alone.
SELECT r.code AS creditor, b.pool, count(DISTINCT b.account) AS accounts, count(*) AS bills, sum(b.change)::bigint AS change,
    coalesce(sum(b.change) FILTER (WHERE b.change < 0), 0)::bigint AS lowered, count(*) FILTER (WHERE b.excluded <> '') AS excluded
FROM billing.penalty_bill b JOIN reference.recipient r ON r.recipient = b.creditor
WHERE b.run = $1 GROUP BY r.code, b.pool ORDER BY r.code, b.pool

-- name: reasons
-- Why bills are left alone, with how many.
SELECT b.excluded AS reason, count(*) AS bills FROM billing.penalty_bill b WHERE b.run = $1 AND b.excluded <> ''
GROUP BY b.excluded ORDER BY 2 DESC, 1 LIMIT 50

-- name: account_bills
-- One account's bills of a run.
SELECT b.nth, r.code AS creditor, b.bill_period, b.pool, b.due_on, b.debt, b.penalty, b.before, b.change, b.excluded
FROM billing.penalty_bill b JOIN reference.recipient r ON r.recipient = b.creditor
    JOIN reference.personal_account a ON a.personal_account = b.account
WHERE b.run = $1 AND a.namespace = $2 AND a.number = $3 ORDER BY b.nth

-- name: account_parts
-- The detail of one account's bills.
SELECT q.nth, q.debt, q.starts_on, q.ends_on, q.days, q.rate, q.divisor, q.is_paid, q.amount
FROM billing.penalty_part q JOIN reference.personal_account a ON a.personal_account = q.account
WHERE q.run = $1 AND a.namespace = $2 AND a.number = $3 ORDER BY q.nth, q.part

-- name: find_account
-- An account by its own name, and a recipient by code.
SELECT (SELECT a.personal_account FROM reference.personal_account a WHERE a.namespace = $1 AND a.number = $2) AS account,
    (SELECT r.recipient FROM reference.recipient r WHERE r.code = $3) AS creditor

-- name: propose_waiver
-- Somebody proposes to write penalties off.
INSERT INTO billing.penalty_waiver (account, creditor, pool, amount, why, proposed_by, proposed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING waiver

-- name: fetch_waiver
-- Who proposed and approved a waiver.
SELECT w.proposed_by, w.approved_by FROM billing.penalty_waiver w WHERE w.waiver = $1 FOR UPDATE

-- name: approve_waiver
-- The second person approves it.
UPDATE billing.penalty_waiver SET approved_by = $2, approved_at = $3 WHERE waiver = $1 AND approved_by IS NULL

-- name: exclude
-- An account, or one creditor's bills of it, is left alone.
INSERT INTO billing.penalty_exclusion (account, creditor, reason, set_by, set_at) VALUES ($1, $2, $3, $4, $5) RETURNING exclusion

-- name: end_exclusion
-- An exclusion ends.
UPDATE billing.penalty_exclusion SET ended_by = $2, ended_at = $3 WHERE exclusion = $1 AND ended_by IS NULL

-- name: reached
-- The last account that a run has calculated.
SELECT r.reached FROM billing.penalty_run r WHERE r.run = $1
