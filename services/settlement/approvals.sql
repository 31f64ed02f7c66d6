-- Approval of orders.

-- name: lock_order
-- An order, locked.
SELECT transfer, state, approvals_needed FROM settlement.transfer_order WHERE key = $1 FOR UPDATE;

-- name: add_approval
-- One person's approval.
INSERT INTO settlement.approval (transfer, person, at) VALUES ($1, $2, $3);

-- name: count_approvals
-- How many people have approved an order.
SELECT count(*) FROM settlement.approval WHERE transfer = $1;

-- name: set_approved
-- Let an order leave; 1 is APPROVED, 0 CREATED.
UPDATE settlement.transfer_order SET state = 1 WHERE transfer = $1 AND state = 0;
