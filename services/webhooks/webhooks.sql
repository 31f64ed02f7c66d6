-- The webhook service's statements.

-- name: find_recipient
-- A recipient by its code and how many active endpoints it has.
SELECT r.recipient, (SELECT count(*) FROM webhooks.endpoint e WHERE e.recipient = r.recipient AND e.active) AS endpoints
FROM reference.recipient r WHERE r.code = $1;

-- name: add_endpoint
-- A new endpoint; its number.
INSERT INTO webhooks.endpoint (recipient, url, events, created_by, created_at) VALUES ($1, $2, $3, $4, $5) RETURNING endpoint;

-- name: lock_active_endpoint
-- Hold an active endpoint until the transaction ends, so that two rotations follow one another.
SELECT e.endpoint FROM webhooks.endpoint e WHERE e.endpoint = $1 AND e.active FOR UPDATE;

-- name: retire_secrets
-- Let an endpoint's secrets sign until $2 at the longest; one that is retired earlier stays so.
UPDATE webhooks.secret s SET retired_at = $2
WHERE s.endpoint = $1 AND (s.retired_at IS NULL OR s.retired_at > $2);

-- name: count_signing
-- How many secrets of an endpoint sign at a moment.
SELECT count(*) FROM webhooks.secret s WHERE s.endpoint = $1 AND (s.retired_at IS NULL OR s.retired_at > $2);

-- name: add_secret
-- A new secret of an endpoint.
INSERT INTO webhooks.secret (endpoint, sealed, created_by, valid_from) VALUES ($1, $2, $3, $4);

-- name: end_endpoint
-- End an active endpoint; nothing when it is not active.
UPDATE webhooks.endpoint e SET active = false, ended_by = $2, ended_at = $3, ended_reason = $4
WHERE e.endpoint = $1 AND e.active RETURNING e.endpoint;

-- name: cancel_orders
-- Cancel what waits for a counterparty and is not being sent; how many.
WITH cancelled AS (
    UPDATE delivery.outgoing o SET state = 5, ended_at = clock_timestamp(), reason = $2
    WHERE o.counterparty = $1 AND o.state IN (0, 1, 4) AND o.lease IS NULL RETURNING o.number)
SELECT count(*) FROM cancelled;

-- name: list_endpoints
-- Endpoints of a recipient, or all, oldest first.
SELECT e.endpoint, r.code AS recipient, e.url, e.events, e.active, e.created_by, e.created_at, e.ended_by, e.ended_at,
    e.ended_reason, c.reason AS closed_reason,
    (SELECT count(*) FROM webhooks.secret s WHERE s.endpoint = e.endpoint AND (s.retired_at IS NULL OR s.retired_at > clock_timestamp()))
        AS secrets
FROM webhooks.endpoint e JOIN reference.recipient r USING (recipient)
  LEFT JOIN delivery.closed_counterparty c ON c.counterparty = 'webhook:' || e.endpoint
WHERE $1::text IS NULL OR r.code = $1 ORDER BY e.endpoint;

-- name: list_served
-- Endpoints that are active or still have orders on their way.
SELECT e.endpoint FROM webhooks.endpoint e
WHERE e.active OR EXISTS (
    SELECT FROM delivery.outgoing o WHERE o.counterparty = 'webhook:' || e.endpoint AND o.state IN (0, 1))
ORDER BY e.endpoint;

-- name: find_target
-- The address of an active endpoint and every secret that signs at a moment, newest first; the newest signs whatever the clocks say.
SELECT e.url, s.sealed FROM webhooks.endpoint e JOIN webhooks.secret s USING (endpoint)
WHERE e.endpoint = $1 AND e.active AND (s.retired_at IS NULL OR s.retired_at > $2) ORDER BY s.secret DESC;

-- name: is_anybody_listening
-- Whether there is a live endpoint for news of payments at all.
SELECT EXISTS (SELECT FROM webhooks.live_endpoint e WHERE e.events && ARRAY['payment.split', 'payment.reversed']);

-- name: list_legs
-- Postings to payables of recipients with a live endpoint, in a passage of one book, each with what the payer's account knows of
-- its line. A reversal brings the key of the payment that it undoes.
WITH wanted AS MATERIALIZED (
    SELECT p.payee, p.service, e.endpoint, e.events FROM webhooks.live_endpoint e JOIN reference.payee p ON p.recipient = e.recipient
    WHERE e.events && ARRAY['payment.split', 'payment.reversed'])
SELECT w.endpoint, w.events, j.sequence, j.kind, j.external_id, coalesce(s.name, '#' || j.space) AS space, j.event_at, j.bank_day,
    coalesce(t.account, '#' || j.transit) AS transit_account,
    a.number, w.service, c.period, c.kind AS charge_kind, u.amount, o.external_id AS undone_id,
    coalesce(os.name, '#' || o.space) AS undone_space
FROM ledger.journal j
  CROSS JOIN LATERAL unnest(j.accounts, j.amounts, j.lines) WITH ORDINALITY AS u(account, amount, line, place)
  JOIN wanted w ON w.payee = (u.account & 1099511627775)
  LEFT JOIN reference.operation_space s ON s.space = j.space
  LEFT JOIN reference.transit_account t ON t.transit = j.transit
  LEFT JOIN reference.personal_account a ON a.personal_account = j.personal_account
  LEFT JOIN reference.charge c ON c.personal_account = j.personal_account AND c.line = u.line
  LEFT JOIN LATERAL (
      SELECT p.external_id, p.space FROM ledger.journal p
      WHERE p.book = CASE WHEN j.kind = 5 AND j.external_id ~ '^\d+:\d+/\d+$' THEN split_part(j.external_id, ':', 1)::smallint END
        AND p.sequence = CASE WHEN j.kind = 5 AND j.external_id ~ '^\d+:\d+/\d+$'
            THEN split_part(split_part(j.external_id, '/', 1), ':', 2)::bigint END) o ON true
  LEFT JOIN reference.operation_space os ON os.space = o.space
WHERE j.book = $1 AND j.sequence > $2 AND j.sequence <= $3 AND j.kind = ANY($4::smallint[]) AND (u.account >> 56) = 3
ORDER BY j.sequence, w.endpoint, u.place;

-- name: end_dead_endpoint
-- End the endpoint of a failed order when nothing has been taken there since the order was made.
UPDATE webhooks.endpoint e SET active = false, ended_by = $2, ended_at = clock_timestamp(), ended_reason = $3
FROM delivery.outgoing o JOIN webhooks.event v ON v.event = o.subject
WHERE o.number = $1 AND o.what = 'webhook' AND e.endpoint = v.endpoint AND e.active
  AND NOT EXISTS (SELECT FROM delivery.outgoing d WHERE d.counterparty = o.counterparty AND d.state = 2 AND d.ended_at >= o.created_at)
RETURNING e.endpoint;

-- name: find_event
-- An event and whether its endpoint is live.
SELECT v.event, v.endpoint, v.message_id, v.body, EXISTS (SELECT FROM webhooks.live_endpoint l WHERE l.endpoint = v.endpoint) AS live
FROM webhooks.event v WHERE v.event = $1;

-- name: find_live
-- A live endpoint, or nothing.
SELECT l.endpoint FROM webhooks.live_endpoint l WHERE l.endpoint = $1;

-- name: add_replay
-- Note the next repeat of an event; its turn, or nothing when another was noted at the same time.
INSERT INTO webhooks.replay (event, turn, asked_by)
SELECT $1, coalesce(max(r.turn), 1) + 1, $2 FROM webhooks.replay r WHERE r.event = $1
ON CONFLICT ON CONSTRAINT replay_key DO NOTHING RETURNING turn;

-- name: add_replay_order
-- The order of a repeat: the same message under a key of its own.
INSERT INTO delivery.outgoing (what, subject, counterparty, key, content) VALUES ('webhook', $1, $2, $3, convert_to($4, 'UTF8'));

-- name: list_refused_events
-- Events of an endpoint since a moment whose newest order ended without being taken, oldest first.
SELECT v.event FROM webhooks.event v
  CROSS JOIN LATERAL (
      SELECT o.state FROM delivery.outgoing o WHERE o.what = 'webhook' AND o.subject = v.event ORDER BY o.number DESC LIMIT 1) n
WHERE v.endpoint = $1 AND v.created_at >= $2 AND n.state IN (3, 5) ORDER BY v.event LIMIT $3;

-- name: list_events_before
-- Newest events of an endpoint before one of them.
SELECT v.event, v.message_id, v.type, v.body, v.created_at FROM webhooks.event v
WHERE v.endpoint = $1 AND v.event < $2 ORDER BY v.event DESC LIMIT $3;

-- name: list_sendings
-- The orders by which events went out, in order.
SELECT o.subject AS event, o.key, o.state, o.attempts, o.reason, o.due_at, o.created_at, o.ended_at, r.asked_by
FROM delivery.outgoing o
  LEFT JOIN webhooks.replay r ON r.event = o.subject AND o.key = split_part(o.key, '/', 1) || '/' || r.turn
WHERE o.what = 'webhook' AND o.subject = ANY($1::bigint[]) ORDER BY o.number;
