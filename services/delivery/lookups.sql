-- The register of orders as people look at it; content is not for readers.

-- name: list_orders
-- Orders of an owner, in a state, of a counterparty, or all, the newest first.
SELECT number, what, subject, counterparty, key, state, reference, attempts, sending, due_at, reason, created_at, accepted_at, ended_at
FROM delivery.outgoing
WHERE ($1::text = '' OR what = $1) AND ($2::smallint IS NULL OR state = $2) AND ($3::text = '' OR counterparty = $3)
ORDER BY number DESC LIMIT $4;

-- name: list_orders_of
-- Every order for one of an owner's things, in order.
SELECT number, what, subject, counterparty, key, state, reference, attempts, sending, due_at, reason, created_at, accepted_at, ended_at
FROM delivery.outgoing WHERE what = $1 AND subject = $2 ORDER BY number;
