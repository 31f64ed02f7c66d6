-- Orders on their way out (design W9): one register for receipts, transfers, webhooks and letters. Their owners create rows in the
-- transaction in which their cursor moves; delivery leases a row, calls the connector and records what it said.

CREATE SCHEMA delivery;

CREATE TABLE delivery.outgoing (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Whose order it is ('receipt', 'transfer', 'webhook', 'letter'), the owner's own row, and the connection it leaves by.
    what text NOT NULL CONSTRAINT outgoing_what CHECK (what ~ '^[a-z_]{1,32}$'),
    subject bigint NOT NULL,
    counterparty text NOT NULL CONSTRAINT outgoing_counterparty CHECK (char_length(counterparty) BETWEEN 1 AND 64),
    -- Idempotency at the counterparty, for ever.
    key text NOT NULL CONSTRAINT outgoing_key_length CHECK (char_length(key) BETWEEN 1 AND 128),
    content bytea NOT NULL,
    state smallint NOT NULL DEFAULT 0 CONSTRAINT outgoing_state CHECK (state BETWEEN 0 AND 5),
    reference text NOT NULL DEFAULT '',
    attempts int NOT NULL DEFAULT 0 CONSTRAINT outgoing_attempts CHECK (attempts >= 0),
    -- Committed before the connector is called: an expired lease with sending means that the outcome is unknown.
    sending boolean NOT NULL DEFAULT false,
    lease uuid,
    leased_until timestamptz,
    due_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    reason text NOT NULL DEFAULT '',
    result bytea,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    accepted_at timestamptz,
    ended_at timestamptz,
    CONSTRAINT outgoing_once UNIQUE (counterparty, key),
    CONSTRAINT outgoing_lease CHECK ((lease IS NULL) = (leased_until IS NULL)),
    CONSTRAINT outgoing_end CHECK ((ended_at IS NOT NULL) = (state IN (2, 3, 5)))) WITH (fillfactor = 70);
CREATE INDEX outgoing_due ON delivery.outgoing (counterparty, due_at) WHERE state IN (0, 1);
CREATE INDEX outgoing_parked ON delivery.outgoing (what, number) WHERE state = 4;
CREATE INDEX outgoing_subject ON delivery.outgoing (what, subject);
-- Failures among millions of orders that were done are found without reading those.
CREATE INDEX outgoing_failed ON delivery.outgoing (number) WHERE state IN (3, 5);

-- Connections that a counterparty has closed to us, and why; nothing is sent until a person opens them.
CREATE TABLE delivery.closed_counterparty (
    counterparty text PRIMARY KEY,
    reason text NOT NULL,
    closed_at timestamptz NOT NULL DEFAULT clock_timestamp());

GRANT USAGE ON SCHEMA delivery TO kopeck_services, kopeck_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA delivery TO kopeck_services;
-- content may hold a payer's e-mail: not for readers.
GRANT SELECT (number, what, subject, counterparty, key, state, reference, attempts, sending, due_at, reason, created_at,
        accepted_at, ended_at)
    ON delivery.outgoing TO kopeck_reader;
GRANT SELECT ON delivery.closed_counterparty TO kopeck_reader;
GRANT INSERT (what, subject, counterparty, key, content, due_at),
    UPDATE (content, state, reference, attempts, sending, lease, leased_until, due_at, reason, result, accepted_at, ended_at)
    ON delivery.outgoing TO kopeck_services;
GRANT INSERT, DELETE ON delivery.closed_counterparty TO kopeck_services;
