-- The caller's organisation.

-- name: me
-- The organisation that the transaction was entered as.
SELECT code, name, kind FROM tenant.me

-- name: recipients
-- Recipients after a code ($1), at most $2.
SELECT code, kind, name, inn, kpp FROM tenant.recipient WHERE code > $1 ORDER BY code LIMIT $2
