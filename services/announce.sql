-- Events for suppliers' endpoints and their orders for delivery.

-- name: list_listeners
-- Live endpoints of recipients, with what they want to hear of.
SELECT e.recipient, e.endpoint, e.events FROM webhooks.live_endpoint e WHERE e.recipient = ANY($1::int[]) ORDER BY e.endpoint;

-- name: add_events
-- Add events that are not there yet, and an order for delivery for each; the new events.
WITH given AS (
    SELECT g.* FROM unnest($1::int[], $2::text[], $3::text[], $4::text[])
      WITH ORDINALITY AS g(endpoint, message_id, type, body, place)),
added AS (
    INSERT INTO webhooks.event (endpoint, message_id, type, body)
    SELECT g.endpoint, g.message_id, g.type, g.body FROM given g ORDER BY g.place
    ON CONFLICT ON CONSTRAINT event_once DO NOTHING
    RETURNING event, endpoint, message_id, body),
ordered AS (
    INSERT INTO delivery.outgoing (what, subject, counterparty, key, content)
    SELECT 'webhook', a.event, 'webhook:' || a.endpoint, a.message_id, convert_to(a.body, 'UTF8') FROM added a ORDER BY a.event)
SELECT a.event FROM added a;
