-- What happens to penalties behind a run's back.

-- name: charge_meanwhile
-- Another run charged the account since the draft.
WITH run AS (
    INSERT INTO billing.penalty_run (provider, period, as_of, made_by, made_at)
    SELECT r.recipient, 202611, '2026-11-19', 'x', now() FROM reference.recipient r WHERE r.code = 'ТЕПЛО' RETURNING run),
bill AS (
    INSERT INTO billing.penalty_bill (run, account, nth, creditor, bill_period, pool, due_on, debt, penalty, before, change, excluded)
    SELECT run.run, b.account, 1, b.creditor, b.bill_period, b.pool, b.due_on, b.debt, 5, 0, 5, ''
    FROM run, billing.penalty_bill b WHERE b.account = $1 AND b.run = $2 RETURNING run, account, creditor, pool)
INSERT INTO billing.penalty_document (run, account, creditor, pool, period, state, number, charged, owed_before, due_on, issued_on)
SELECT bill.run, bill.account, bill.creditor, bill.pool, 202611, 'published', 'x', 5, 0, '2026-12-15', '2026-11-20' FROM bill

-- name: paid_in_time
-- The account's payments had been made in time: their day became known late. The journal refuses it otherwise.
UPDATE ledger.journal SET value_date = '2026-08-10' WHERE personal_account = $1
