-- Approval of requisites by a second person.

-- name: approve
-- Approve a version that nobody has approved; the constraint requisites_second_person refuses its loader.
UPDATE reference.requisites q SET approved_by = $3, approved_at = $4
FROM reference.recipient r
WHERE r.code = $1 AND q.recipient = r.recipient AND q.version = $2 AND q.approved_by IS NULL

-- name: find_version
-- The version as it stands.
SELECT q.bank_account, q.bic, q.kbk, q.oktmo, q.valid_from, q.loaded_by, q.approved_by
FROM reference.requisites q JOIN reference.recipient r USING (recipient) WHERE r.code = $1 AND q.version = $2

-- name: list_waiting
-- Versions that pay nothing yet.
SELECT r.code, q.version, q.bank_account, q.bic, q.valid_from, q.loaded_by
FROM reference.requisites q JOIN reference.recipient r USING (recipient) WHERE q.approved_by IS NULL ORDER BY r.code, q.version
