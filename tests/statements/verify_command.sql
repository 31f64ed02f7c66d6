-- A server that goes away while the ledger is verified.

-- name: lock_heads
-- Let nobody read the accounts' heads, which the plan counts, to the end of the transaction.
LOCK TABLE ledger.account_head IN ACCESS EXCLUSIVE MODE;

-- name: lock_keys
-- Let nobody read the payments' keys, which the processes verify, to the end of the transaction.
LOCK TABLE ledger.payment_key IN ACCESS EXCLUSIVE MODE;

-- name: end_waiting
-- End the sessions that wait for the lock, as a server that is shut down does; how many.
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND pid <> pg_backend_pid();
