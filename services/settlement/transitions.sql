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

-- name: park_result
-- Keep a result for a person, once.
INSERT INTO settlement.parked_result (told_by, key, content, reason, seen_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT ON CONSTRAINT parked_result_once DO NOTHING;

-- name: list_orders
-- Orders of a transit account and a day.
SELECT o.transfer, o.key, o.number, o.day, r.code AS recipient, o.class AS purpose_class, o.amount, o.purpose, o.state,
    coalesce((SELECT h.reason FROM settlement.order_history h WHERE h.transfer = o.transfer ORDER BY h.nth DESC LIMIT 1), '') AS reason
FROM settlement.transfer_order o JOIN reference.recipient r USING (recipient)
WHERE o.transit = $1 AND o.day = $2 ORDER BY o.number;
