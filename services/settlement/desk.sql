-- Settlement's desk: registers by the key under which they left.

-- name: list_orders
-- Orders of a register, by the key of its order of delivery.
SELECT o.key FROM delivery.outgoing g JOIN settlement.transfer_order o ON o.register = g.subject
WHERE g.what = 'transfer' AND g.key = $1 ORDER BY o.transfer;

-- name: find_state
-- The state of an order.
SELECT state FROM settlement.transfer_order WHERE key = $1;

-- name: add_signature
-- Who signed a register's file, and when; told again, the first stays.
INSERT INTO settlement.register_signature (register, signer, signed_at)
SELECT g.subject, $2, $3 FROM delivery.outgoing g WHERE g.what = 'transfer' AND g.key = $1 ON CONFLICT DO NOTHING;
