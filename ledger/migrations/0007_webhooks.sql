-- Webhooks to suppliers: their endpoints, the secrets that sign, the events told, and who asked for a repeat (Standard Webhooks).

CREATE SCHEMA webhooks;

-- A receiver of one recipient. What it is never changes: a new address is a new endpoint, with secrets of its own.
CREATE TABLE webhooks.endpoint (
    endpoint int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recipient int NOT NULL REFERENCES reference.recipient,
    url text NOT NULL CONSTRAINT endpoint_url CHECK (url ~ '^https?://' AND octet_length(url) <= 2048),
    events text[] NOT NULL CONSTRAINT endpoint_events CHECK (cardinality(events) > 0 AND array_position(events, NULL) IS NULL
        AND events <@ ARRAY['payment.split', 'payment.reversed', 'transfer.created', 'transfer.executed', 'transfer.rejected',
            'transfer.returned', 'receipt.registered']),
    active boolean NOT NULL DEFAULT true,
    created_by text NOT NULL CONSTRAINT endpoint_created_by CHECK (created_by <> ''),
    created_at timestamptz NOT NULL,
    -- The owner ended it, or the house did because nothing was taken for days. A receiver's own 410 Gone is not here but in
    -- delivery.closed_counterparty: live_endpoint knows both.
    ended_by text,
    ended_at timestamptz,
    ended_reason text,
    CONSTRAINT endpoint_end CHECK ((ended_by IS NULL) = active AND (ended_at IS NULL) = active AND (ended_reason IS NULL) = active));
CREATE INDEX endpoint_active ON webhooks.endpoint (recipient) WHERE active;
CREATE FUNCTION webhooks.refuse_reopening() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE integrity_constraint_violation USING MESSAGE = 'an endpoint that has ended stays ended', CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER endpoint_stays_ended BEFORE UPDATE ON webhooks.endpoint
    FOR EACH ROW WHEN (NOT OLD.active) EXECUTE FUNCTION webhooks.refuse_reopening();

-- Secrets that sign an endpoint's messages: all that are valid at the moment of an attempt sign it, so that a receiver may change
-- over in its own time.
CREATE TABLE webhooks.secret (
    secret bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    endpoint int NOT NULL REFERENCES webhooks.endpoint,
    -- AES-256-GCM under a key that is not in the database (services/webhooks/sealing.py).
    sealed bytea NOT NULL CONSTRAINT secret_sealed CHECK (octet_length(sealed) BETWEEN 40 AND 256),
    created_by text NOT NULL CONSTRAINT secret_created_by CHECK (created_by <> ''),
    -- Told to people only: the newest secret signs, whatever the clocks of the machines say.
    valid_from timestamptz NOT NULL,
    -- The first moment at which it does not sign any more; NULL until it is rotated.
    retired_at timestamptz);
CREATE INDEX secret_of_endpoint ON webhooks.secret (endpoint);
CREATE UNIQUE INDEX secret_newest ON webhooks.secret (endpoint) WHERE retired_at IS NULL;

-- What an endpoint is told, once. The body is what is signed and sent; it holds no personal data and no other recipient's money.
CREATE TABLE webhooks.event (
    event bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    endpoint int NOT NULL REFERENCES webhooks.endpoint,
    -- The receiver's idempotency key: made of the endpoint, the type and the thing's own key (services/announce.py).
    message_id text NOT NULL CONSTRAINT event_message_id CHECK (message_id ~ '^[A-Za-z0-9_]{1,64}$') CONSTRAINT event_once UNIQUE,
    type text NOT NULL,
    body text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE INDEX event_of_endpoint ON webhooks.event (endpoint, event);

-- Repeats that a person asked for: the same message under the key <message id>/<turn>.
CREATE TABLE webhooks.replay (
    event bigint NOT NULL REFERENCES webhooks.event,
    turn int NOT NULL CONSTRAINT replay_turn CHECK (turn >= 2),
    asked_by text NOT NULL CONSTRAINT replay_asked_by CHECK (asked_by <> ''),
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT replay_key PRIMARY KEY (event, turn));

-- Endpoints to which messages go: active, and not closed by the receiver.
CREATE VIEW webhooks.live_endpoint AS
SELECT e.endpoint, e.recipient, e.url, e.events FROM webhooks.endpoint e
WHERE e.active AND NOT EXISTS (SELECT FROM delivery.closed_counterparty c WHERE c.counterparty = 'webhook:' || e.endpoint);

GRANT USAGE ON SCHEMA webhooks TO kopeck_services, kopeck_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA webhooks TO kopeck_services;
GRANT SELECT ON webhooks.endpoint, webhooks.event, webhooks.replay, webhooks.live_endpoint TO kopeck_reader;
-- All but the secrets themselves.
GRANT SELECT (secret, endpoint, created_by, valid_from, retired_at) ON webhooks.secret TO kopeck_reader;
GRANT INSERT (recipient, url, events, created_by, created_at), UPDATE (active, ended_by, ended_at, ended_reason)
    ON webhooks.endpoint TO kopeck_services;
GRANT INSERT (endpoint, sealed, created_by, valid_from), UPDATE (retired_at) ON webhooks.secret TO kopeck_services;
GRANT INSERT (endpoint, message_id, type, body) ON webhooks.event TO kopeck_services;
GRANT INSERT (event, turn, asked_by) ON webhooks.replay TO kopeck_services;
