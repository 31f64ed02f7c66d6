-- Whether there is anything to audit beyond the ledger.

-- name: count_orders
-- How many orders there are of each owner, and whether settlement has ever acted: its operation space is 3.
SELECT (SELECT count(*) FROM settlement.transfer_order) AS transfers, (SELECT count(*) FROM fiscal.receipt) AS receipts,
    (SELECT count(*) FROM delivery.outgoing) AS deliveries,
    EXISTS (SELECT FROM settlement.cut) OR EXISTS (SELECT FROM settlement.transfer_order)
      OR EXISTS (SELECT FROM ledger.payment_key WHERE space = 3) AS has_settled;
