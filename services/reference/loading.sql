-- What every load does, whatever its kind.

-- name: lock
-- Exclude other loads; false when one is running.
SELECT pg_try_advisory_lock($1)

-- name: unlock
-- Let other loads in.
SELECT pg_advisory_unlock($1)

-- name: allow_large_statements
-- Sorts of millions of rows in memory and no time limit, for this session; only settings that the server has.
SELECT set_config(s.name, w.value, false)
FROM (VALUES ('work_mem', '256MB'), ('statement_timeout', '0'), ('idle_in_transaction_session_timeout', '0'),
    ('transaction_timeout', '0'), ('jit', 'off')) AS w(name, value) JOIN pg_settings s USING (name)

-- name: restore_settings
-- Put the session's settings back.
SELECT set_config(s.name, s.reset_val || coalesce(s.unit, ''), false)
FROM pg_settings s
WHERE s.name IN ('work_mem', 'statement_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout', 'jit')

-- name: drop_temporary_tables
-- Leave nothing of the load in the session.
DROP TABLE IF EXISTS pg_temp.staged_recipient, pg_temp.staged_account, pg_temp.staged_alias, pg_temp.known_account,
    pg_temp.account_of, pg_temp.touched, pg_temp.staged_key, pg_temp.staged_payee, pg_temp.staged_charge,
    pg_temp.resolved_key, pg_temp.incoming, pg_temp.balance_of, pg_temp.staged_housing, pg_temp.staged_meter_fact,
    pg_temp.staged_reading

-- name: find_last_load
-- The file of this kind that was loaded last.
SELECT content_digest, rows, totals FROM reference.loaded_file WHERE what = $1 ORDER BY load DESC LIMIT 1

-- name: record_load
-- Remember what was loaded.
INSERT INTO reference.loaded_file (content_digest, what, file_name, rows, totals, loaded_by) VALUES ($1, $2, $3, $4, $5, $6)
