-- A request's transaction: who asks, and writes that are carried out once.

-- name: enter_client
-- Find the credential by its hash ($1) and give this transaction the pass of its organisation.
SELECT organisation, code, kind, credential, scopes FROM access.enter_client($1)

-- name: hurry
-- A write waits for another's lock for a short time only; its caller repeats it under the same key.
SET LOCAL lock_timeout = '3s'

-- name: claim
-- Claim an organisation's ($1) key ($2) for a request's fingerprint ($3); no row where it was claimed before.
INSERT INTO access.answered (organisation, key, fingerprint) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING 1

-- name: recall
-- What was answered under the key.
SELECT fingerprint, status, location, body FROM access.answered WHERE organisation = $1 AND key = $2

-- name: keep
-- Keep the answer of the claimed key.
UPDATE access.answered SET status = $3, location = $4, body = $5 WHERE organisation = $1 AND key = $2
