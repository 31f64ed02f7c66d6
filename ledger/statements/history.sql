-- The history of one payment: its key, the table it was split from, what lies beside the journal.

-- name: list_keys
-- What every operation space stores under an external id.
SELECT s.space, s.name, k.external_id, k.book, k.sequence, k.outcome
FROM reference.operation_space s JOIN ledger.payment_key k ON k.space = s.space AND k.external_id = $1 ORDER BY s.space;

-- name: find_base
-- The newest table of an account published at or below a version.
SELECT version, content, published_at, published_by FROM ledger.base_table
WHERE book = $1 AND personal_account = $2 AND version <= $3 ORDER BY version DESC LIMIT 1;

-- name: list_chain
-- An account's entries from a place back, as far as they were split from a version or a later one, oldest first.
WITH RECURSIVE chain AS (
    SELECT j.* FROM ledger.journal j WHERE j.book = $1 AND j.sequence = $2 AND j.table_version >= $3
    UNION ALL
    SELECT j.* FROM chain c JOIN ledger.journal j ON j.book = c.book AND j.sequence = c.previous AND j.table_version >= $3)
SELECT * FROM chain ORDER BY sequence;

-- name: find_account_name
-- The name of a personal account.
SELECT namespace, number FROM reference.personal_account WHERE personal_account = $1;

-- name: list_parked
-- What waits, or waited, for a person under a payment key.
SELECT what, content, seen_at, resolved_at, resolved_by FROM intake.parked WHERE space = $1 AND external_id = $2 ORDER BY parked;

-- name: list_reversals
-- Corrections of an entry, by its key's parts 1 … 9.
SELECT k.book, k.sequence FROM ledger.payment_key k
WHERE k.space = 1 AND k.external_id = ANY (SELECT $1 || ':' || $2 || '/' || part FROM generate_series(1, 9) part)
  AND k.sequence IS NOT NULL ORDER BY k.sequence;
