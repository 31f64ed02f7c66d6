-- What tests of webhooks and letters look at, and do that people and other services do.

-- name: add_charge
-- A charge line of an account of the town, of the period 2026-10.
INSERT INTO reference.charge (personal_account, line, creditor, period, payee, kind, pool, amount, due_date)
VALUES ($1, $2, 3, 202610, $3, $4, 0, 1000, '2026-11-16');

-- name: list_events
-- Events in order, with their orders.
SELECT v.event, v.endpoint, v.message_id, v.type, v.body, o.number, o.what, o.counterparty, o.key, o.content, o.state, o.attempts, o.reason
FROM webhooks.event v JOIN delivery.outgoing o ON o.what = 'webhook' AND o.subject = v.event ORDER BY o.number;

-- name: list_outgoing
-- Orders of a kind.
SELECT o.number, o.subject, o.counterparty, o.key, o.content, o.state, o.reason FROM delivery.outgoing o WHERE o.what = $1 ORDER BY o.number;

-- name: close_counterparty
-- What delivery does after 410 Gone.
INSERT INTO delivery.closed_counterparty (counterparty, reason) VALUES ($1, 'gone');

-- name: open_counterparty
-- What a person does afterwards.
DELETE FROM delivery.closed_counterparty WHERE counterparty = $1;

-- name: finish
-- Bring an order to an end, as delivery does.
UPDATE delivery.outgoing SET state = $2, ended_at = clock_timestamp(), attempts = 10, reason = $3 WHERE number = $1;

-- name: list_secrets
-- Secrets as they are stored.
SELECT s.secret, s.endpoint, s.sealed, s.valid_from, s.retired_at FROM webhooks.secret s ORDER BY s.secret;

-- name: move_secret
-- Put one endpoint's sealed secret in place of another's, as somebody with rights on the table might.
UPDATE webhooks.secret SET sealed = (SELECT o.sealed FROM webhooks.secret o WHERE o.endpoint = $1) WHERE endpoint = $2;

-- name: count_journal_reads
-- How often rows of the journal were fetched by this session's index scans so far.
SELECT idx_scan FROM pg_stat_user_tables WHERE schemaname = 'ledger' AND relname = 'journal';

-- name: flush_statistics
-- Let this session's counters be seen.
SELECT pg_stat_force_next_flush();

-- name: read_secret
-- The sealed value, which readers may not see.
SELECT sealed FROM webhooks.secret;

-- name: read_secret_dates
-- What readers may see of secrets.
SELECT secret, endpoint, created_by, valid_from, retired_at FROM webhooks.secret;

-- name: change_body
-- A body is never changed.
UPDATE webhooks.event SET body = '{}';

-- name: change_url
-- An address is never changed.
UPDATE webhooks.endpoint SET url = 'https://other.example.ru/';

-- name: change_secret
-- A secret is never changed.
UPDATE webhooks.secret SET sealed = sealed;

-- name: delete_events
-- Events are never taken away.
DELETE FROM webhooks.event;

-- name: reopen
-- An ended endpoint stays ended.
UPDATE webhooks.endpoint SET active = true, ended_by = NULL, ended_at = NULL, ended_reason = NULL WHERE endpoint = $1;

-- name: explain
-- Put before a statement: how it would be read.
EXPLAIN

-- name: prefer_indexes
-- As a consumer's session is set.
SELECT set_config('enable_seqscan', 'off', true);

-- name: recipient_of
-- Whose an endpoint is.
SELECT recipient FROM webhooks.endpoint WHERE endpoint = $1;

-- name: count_waiting
-- How many sessions of this database wait for another's lock.
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock';

-- name: count_closed
-- Counterparties that are closed.
SELECT count(*) FROM delivery.closed_counterparty;

-- name: find_recipient_of_service
-- Whose a service is, in a town where each has one recipient.
SELECT recipient FROM reference.payee WHERE service = $1;
