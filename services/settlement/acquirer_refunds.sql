-- Acquirers' events of money given back.

-- name: list_events
-- Events of money given back that nothing was booked for, the oldest first, with the entry of their payment (NULL: not booked yet).
SELECT e.event, e.space, e.act, e.amount, e.payment, e.told_at, k.book, k.sequence
FROM intake.acquirer_event e
  LEFT JOIN LATERAL (SELECT y.book, y.sequence FROM ledger.payment_key y
      WHERE y.space = e.space AND y.external_id = coalesce(intake.payment_of(e.space, e.payment), e.payment)
        AND y.sequence IS NOT NULL) k ON true
WHERE e.act IN ('reversed', 'refunded') AND NOT EXISTS (SELECT FROM settlement.acquirer_refund r WHERE r.event = e.event)
  AND (k.book IS NOT NULL OR e.told_at < $1) ORDER BY e.event LIMIT $2;

-- name: lock_payment
-- Let one at a time decide about an acquirer's events of a payment, to the end of the transaction.
SELECT pg_advisory_xact_lock(hashtextextended('settlement.acquirer_refund/' || $1::smallint || ':' || $2::bigint, 0));

-- name: is_booked
-- Whether something was made of an event.
SELECT EXISTS (SELECT FROM settlement.acquirer_refund WHERE event = $1);

-- name: find_own
-- The oldest refund or reversal of a payment by this sum that we decided ourselves and no event has told of: not kept by the
-- counterparty and given back by no order.
SELECT f.refund, f.what, f.correction FROM settlement.refund f
WHERE f.book = $1 AND f.sequence = $2 AND f.what IN ('refund', 'reversal') AND f.amount = $3
  AND NOT EXISTS (SELECT FROM settlement.acquirer_refund r WHERE r.refund = f.refund)
  AND NOT EXISTS (SELECT FROM settlement.return_request q WHERE q.book = f.book AND q.sequence = f.correction)
ORDER BY f.refund LIMIT 1;

-- name: add_booked
-- What became of an event.
INSERT INTO settlement.acquirer_refund (event, refund, deducted, why, at) VALUES ($1, $2, $3, $4, $5);
