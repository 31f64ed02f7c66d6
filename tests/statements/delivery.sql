-- What the tests of delivery read and spoil, by the ledger's owner.

-- name: make_desk
-- Where the desk of the tests writes; a subject twice is an error.
CREATE TABLE public.desk_effect (number bigint, subject bigint, answer text, CONSTRAINT desk_once PRIMARY KEY (number, answer));
GRANT SELECT, INSERT ON public.desk_effect TO kopeck_services;

-- name: write_effect
-- A desk's consequence.
INSERT INTO public.desk_effect (number, subject, answer) VALUES ($1, $2, $3);

-- name: list_effects
-- What the desk wrote.
SELECT subject, answer FROM public.desk_effect ORDER BY subject, answer;

-- name: fetch_order
-- An order by its key.
SELECT * FROM delivery.outgoing WHERE key = $1;

-- name: list_states
-- Every order's key, state, attempts, whether it is leased or of unknown outcome.
SELECT key, state, attempts, sending, lease IS NOT NULL AS leased, reason FROM delivery.outgoing ORDER BY number;

-- name: count_states
-- How many orders stand in each state.
SELECT state, count(*) AS orders FROM delivery.outgoing GROUP BY state;

-- name: end_leases
-- Time passes: every lease ended a second ago.
UPDATE delivery.outgoing SET leased_until = clock_timestamp() - interval '1 second' WHERE lease IS NOT NULL;

-- name: age_leases
-- Much time passes: every lease ended an hour ago.
UPDATE delivery.outgoing SET leased_until = clock_timestamp() - interval '1 hour' WHERE lease IS NOT NULL;

-- name: bring_forward
-- Time passes: every waiting or accepted order is due.
UPDATE delivery.outgoing SET due_at = clock_timestamp() - interval '1 second' WHERE state IN (0, 1);

-- name: lock_order
-- Hold an order's row as a long transaction would.
SELECT FROM delivery.outgoing WHERE key = $1 FOR UPDATE;

-- name: spoil
-- An order in a state that no rule leads to.
UPDATE delivery.outgoing SET state = $2::smallint, sending = $3, accepted_at = NULL, result = NULL, reason = '',
    ended_at = CASE WHEN $2::smallint IN (2, 3, 5) THEN clock_timestamp() END WHERE key = $1;

-- name: cut_sessions
-- Every session of the workers ends, as when PostgreSQL restarts.
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'kopeck-delivery';

-- name: count_sessions
-- How many sessions of workers are connected.
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'kopeck-delivery';
