-- Consolidated receipts for the offsets of advances of a month.

-- name: list_open_offsets
-- Offsets of a month that stand in no receipt yet, added up by what their lines are.
SELECT o.issuer, a.provider, a.payer_kind, c.creditor, c.payee, c.period, c.kind, sum(o.amount)::bigint AS amount
FROM fiscal.advance_offset o
  JOIN reference.charge c ON c.personal_account = o.personal_account AND c.line = o.line
  JOIN reference.personal_account a ON a.personal_account = o.personal_account
WHERE o.month = $1 AND o.receipt IS NULL
GROUP BY o.issuer, a.provider, a.payer_kind, c.creditor, c.payee, c.period, c.kind
ORDER BY o.issuer, c.period, c.kind, c.payee, a.provider, a.payer_kind;

-- name: list_open_months
-- Months up to one that have offsets in no receipt yet.
SELECT DISTINCT o.month FROM fiscal.advance_offset o WHERE o.receipt IS NULL AND o.month <= $1 ORDER BY o.month;

-- name: count_runs
-- How many consolidated receipts of a key an issuer has, parts of one counted once.
SELECT count(DISTINCT correction) FROM fiscal.receipt WHERE space = 0 AND external_id = $1 AND issuer = $2;

-- name: assign_offsets
-- Put an issuer's open offsets of a month into a receipt; what they add up to.
WITH assigned AS (
    UPDATE fiscal.advance_offset SET receipt = $3 WHERE month = $1 AND issuer = $2 AND receipt IS NULL RETURNING amount)
SELECT coalesce(sum(amount), 0)::bigint FROM assigned;
