-- Damage and figures for the tests of faults, all by the ledger's owner.

-- name: fetch_digest
-- The digest that an account's head promises.
SELECT digest FROM ledger.account_head WHERE personal_account = $1;

-- name: mend_head
-- Give a spoilt head its digest back.
UPDATE ledger.account_head SET digest = $2 WHERE personal_account = $1;

-- name: raise_charge
-- A recalculation adds a rouble to the first line of an account.
UPDATE reference.charge SET amount = amount + 100 WHERE personal_account = $1 AND line = 1;

-- name: fill_disk
-- From now on the journal has no room, as when its disk is full.
CREATE FUNCTION ledger.no_room() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100';
END $$;
CREATE TRIGGER no_room BEFORE INSERT ON ledger.journal FOR EACH STATEMENT EXECUTE FUNCTION ledger.no_room();

-- name: empty_disk
-- There is room again.
DROP TRIGGER no_room ON ledger.journal;
DROP FUNCTION ledger.no_room();

-- name: shorten_statements
-- New sessions of the gateway's role in this database give a statement up after 200 ms.
DO $$ BEGIN EXECUTE format('ALTER ROLE kopeck_gateway IN DATABASE %I SET statement_timeout = 200', current_database()); END $$;

-- name: lock_book
-- Hold a book's head as a long publication would.
SELECT FROM ledger.book_head WHERE book = 1 FOR UPDATE;

-- name: take_snapshot
-- A long report begins: its snapshot stands until the transaction ends.
SELECT count(*) FROM ledger.journal;

-- name: wait_for_ever
-- The session may stay idle in its transaction.
SELECT set_config('idle_in_transaction_session_timeout', '0', false);

-- name: count_waiting
-- How many sessions wait for a row that another holds.
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock';

-- name: refuse_parking
-- Nothing can be kept for a person now.
REVOKE INSERT (what, transit, channel, space, external_id, content, content_digest) ON intake.parked FROM kopeck_gateway;

-- name: allow_parking
-- It can again.
GRANT INSERT (what, transit, channel, space, external_id, content, content_digest) ON intake.parked TO kopeck_gateway;

-- name: take_door_away
-- The gateway's role may not append any more.
DO $$ BEGIN EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM kopeck_gateway', 'ledger.append'::regproc::oid::regprocedure); END $$;

-- name: give_door_back
-- It may again.
DO $$ BEGIN EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO kopeck_gateway', 'ledger.append'::regproc::oid::regprocedure); END $$;

-- name: rename_door
-- The door is not where the gateway looks for it, as after a wrong migration.
ALTER FUNCTION ledger.append RENAME TO append_elsewhere;

-- name: name_door_back
-- It is there again.
ALTER FUNCTION ledger.append_elsewhere RENAME TO append;

-- name: isolate_sessions
-- New sessions of the gateway's role in this database read in another isolation than the door works under.
DO $$ BEGIN
  EXECUTE format('ALTER ROLE kopeck_gateway IN DATABASE %I SET default_transaction_isolation = ''repeatable read''', current_database());
END $$;

-- name: join_sessions
-- New sessions have the usual isolation again.
DO $$ BEGIN
  EXECUTE format('ALTER ROLE kopeck_gateway IN DATABASE %I RESET default_transaction_isolation', current_database());
END $$;

-- name: start_segment
-- The next record of the write-ahead log begins a new file of it.
SELECT pg_switch_wal();

-- name: write_log
-- A megabyte for the write-ahead log and for nothing else.
SELECT pg_logical_emit_message(true, 'kopeck-test', repeat('x', 1000000));
