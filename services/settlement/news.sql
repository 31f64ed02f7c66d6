-- What a recipient's endpoint is told of its transfers.

-- name: find_news
-- Transfer orders with what tells of them; none of a recipient for whom nobody listens.
SELECT t.recipient, t.key, t.number, t.day, t.amount, t.purpose, g.transit, g.day AS register_day, g.ordinal
FROM settlement.transfer_order t LEFT JOIN settlement.register g ON g.register = t.register
WHERE t.transfer = ANY ($1::bigint[]) AND EXISTS (SELECT FROM webhooks.live_endpoint e WHERE e.recipient = t.recipient)
ORDER BY t.transfer;
