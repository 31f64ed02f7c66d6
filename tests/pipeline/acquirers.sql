-- What the tests of acquirers look at and prepare, by the ledger's owner.

-- name: list_names
-- Every id that leads to another, in the order told.
SELECT alias, external_id FROM intake.known_as WHERE alias <> external_id ORDER BY told;

-- name: count_names
-- How many rows of names there are.
SELECT count(*) FROM intake.known_as;

-- name: list_events
-- Every event kept beside the journal.
SELECT key, act, payment, order_number, amount FROM intake.acquirer_event ORDER BY event;

-- name: claim_name
-- A process fixed an id as a payment's own and died before it booked.
INSERT INTO intake.known_as (space, alias, external_id) VALUES ($1, $2, $2);

-- name: refuse_names
-- Nobody may name payments now.
REVOKE EXECUTE ON FUNCTION intake.name_payments(int, int[], text[]) FROM kopeck_gateway;

-- name: allow_names
-- They may again.
GRANT EXECUTE ON FUNCTION intake.name_payments(int, int[], text[]) TO kopeck_gateway;

-- name: refuse_events
-- Nothing can be kept beside the journal now.
REVOKE INSERT (space, key, channel, act, payment, order_number, amount, event_at) ON intake.acquirer_event FROM kopeck_gateway;

-- name: allow_events
-- It can again.
GRANT INSERT (space, key, channel, act, payment, order_number, amount, event_at) ON intake.acquirer_event TO kopeck_gateway;

-- name: find_state
-- Where one of our orders stands.
SELECT s.state FROM intake.web_order o JOIN intake.web_order_state s USING (web_order)
WHERE o.space = $1 AND o.number = $2 ORDER BY s.turn DESC LIMIT 1;

-- name: list_refund_ends
-- Refunds that the acquirer has answered for good.
SELECT r.key, e.is_done, e.reason FROM intake.acquirer_refund r JOIN intake.acquirer_refund_end e USING (refund) ORDER BY refund;

-- name: count_refund_orders
-- Orders of delivery by which money goes back through acquirers.
SELECT count(*) FROM delivery.outgoing WHERE what = 'acquirer_refund';
