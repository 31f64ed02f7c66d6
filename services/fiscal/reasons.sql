-- Why a receipt was issued: what the decision was made of. Readers only, no contacts.

-- name: find_payer
-- Payer kind and provider of an account.
SELECT a.payer_kind, a.provider FROM reference.personal_account a WHERE a.personal_account = $1;

-- name: find_origin
-- The channel by which the payment at a place came.
SELECT j.space, j.external_id, j.channel FROM ledger.journal j WHERE j.book = $1 AND j.sequence = $2;

-- name: find_decision
-- The row of the table of decisions that is in force, with its source.
SELECT d.valid_from, d.issues, d.reason, d.deadline, d.source FROM fiscal.decision d
WHERE d.legal_kind = $1 AND d.relation = $2 AND d.payer_kind = $3 AND d.form = $4 AND d.valid_from <= $5
ORDER BY d.valid_from DESC LIMIT 1;
