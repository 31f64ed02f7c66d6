-- What a person with the owner's rights can spoil of what left the house.

-- name: spoil_delivery
-- Orders parked by nobody knows what.
UPDATE delivery.outgoing SET state = 4, reason = '';

-- name: forget_history
-- The last thing that is known of an order.
DELETE FROM settlement.order_history h WHERE h.nth = (SELECT max(g.nth) FROM settlement.order_history g WHERE g.transfer = h.transfer)
  AND h.transfer = (SELECT min(transfer) FROM settlement.transfer_order);

-- name: spoil_part
-- An order whose parts pay another sum.
UPDATE settlement.order_part SET gross = gross + 1, net = net + 1 WHERE transfer = (SELECT min(transfer) FROM settlement.transfer_order);

-- name: spoil_suspense
-- An item that waits for less than came.
UPDATE suspense.item SET released = released + 1;

-- name: park_result
-- Something that the bank cannot have said.
INSERT INTO settlement.parked_result (told_by, key, content, reason, seen_at)
VALUES ('register', 'no-such-order', '{"key": "no-such-order", "state": 4}', 'поручения с таким ключом нет', now());

-- name: transit_terms
-- How a transit account pays.
SELECT * FROM settlement.transit_terms;

-- name: count_terms
-- What is agreed.
SELECT (SELECT count(*) FROM settlement.contract) AS contracts, (SELECT count(*) FROM settlement.commission_terms) AS commission,
    (SELECT count(*) FROM settlement.stop_listed) AS stopped, (SELECT count(*) FROM settlement.legal_limit) AS limits,
    (SELECT count(*) FROM settlement.approval_limit) AS approval_limits;

-- name: forget_terms
-- A transit account of which nobody has said how it pays.
DELETE FROM settlement.transit_terms;

-- name: spoil_carried
-- A kopeck more is carried than the books hold.
UPDATE settlement.carried SET gross = gross + 1, amount = amount + 1;

-- name: contract
-- A contract by its code.
SELECT * FROM settlement.contract WHERE code = $1;
