-- Orders on their way through the bank: every change under the order's lock, in the caller's transaction.

-- name: find_transit
-- The transit account of an order.
SELECT transit FROM settlement.transfer_order WHERE key = $1;

-- name: find_state
-- The state of an order.
SELECT state FROM settlement.transfer_order WHERE key = $1;

-- name: lock_order
-- An order, locked.
SELECT transfer, key, transit, amount, state FROM settlement.transfer_order WHERE key = $1 FOR UPDATE;

-- name: has_been
-- Whether an order was once in a state.
SELECT EXISTS (SELECT FROM settlement.order_history WHERE transfer = $1 AND state = $2);

-- name: set_state
-- Move an order.
UPDATE settlement.transfer_order SET state = $2 WHERE transfer = $1;

-- name: give_back
-- Money of an order that came back is ordered no longer.
UPDATE settlement.aggregator SET ordered = ordered - $2 WHERE transit = $1;

-- name: add_reissue_due
-- An order whose money is to be paid anew.
INSERT INTO settlement.reissue_due (transfer, same_requisites, reason, since) VALUES ($1, $2, $3, $4);

-- name: allow_reissue
-- Money that waits may go to the same requisites again.
UPDATE settlement.reissue_due d SET same_requisites = true FROM settlement.transfer_order o
WHERE o.transfer = d.transfer AND o.key = $1 RETURNING d.transfer;

-- name: add_intervention
-- What a person did with an order.
INSERT INTO settlement.intervention (transfer, parked, what, done_by, done_at) VALUES ($1, $2, $3, $4, $5);

-- name: lock_parked
-- A parked result that waits, locked.
SELECT key, content FROM settlement.parked_result WHERE parked = $1 AND resolved_at IS NULL FOR UPDATE;

-- name: find_order_state
-- An order and its state.
SELECT transfer, state FROM settlement.transfer_order WHERE key = $1;

-- name: resolve_parked
-- Mark a parked result as seen to.
UPDATE settlement.parked_result SET resolved_at = $2, resolved_by = $3 WHERE parked = $1;

-- name: park_result
-- Keep a result for a person, once.
INSERT INTO settlement.parked_result (told_by, key, content, reason, seen_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT ON CONSTRAINT parked_result_once DO NOTHING;

-- name: list_orders
-- Orders of a transit account and a day.
SELECT o.transfer, o.key, o.number, o.day, coalesce(r.code, 'payer') AS recipient, o.class AS purpose_class, o.amount, o.purpose, o.state,
    coalesce((SELECT h.reason FROM settlement.order_history h WHERE h.transfer = o.transfer ORDER BY h.nth DESC LIMIT 1), '') AS reason
FROM settlement.transfer_order o LEFT JOIN reference.recipient r USING (recipient)
WHERE o.transit = $1 AND o.day = $2 ORDER BY o.number;
