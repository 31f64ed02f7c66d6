-- What a recipient's endpoint is told of its transfers.

-- name: find_news
-- A transfer order with what tells of it; nothing when nobody listens for its recipient.
SELECT t.recipient, t.key, t.number, t.day, t.amount, t.purpose, g.transit, g.day AS register_day, g.ordinal
FROM settlement.transfer_order t LEFT JOIN settlement.register g ON g.register = t.register
WHERE t.transfer = $1 AND EXISTS (SELECT FROM webhooks.live_endpoint e WHERE e.recipient = t.recipient);
