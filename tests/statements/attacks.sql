-- What the program's roles must not be able to do (design W7). Each is run with that role's own password.

-- name: journal_insert
-- Forge an entry.
INSERT INTO ledger.journal SELECT * FROM ledger.journal WHERE false;

-- name: journal_update
-- Change an entry.
UPDATE ledger.journal SET amount = 1;

-- name: journal_delete
-- Remove an entry.
DELETE FROM ledger.journal;

-- name: journal_lock
-- Hold everybody up.
LOCK TABLE ledger.journal IN ACCESS EXCLUSIVE MODE;

-- name: journal_row_lock
-- Hold a row.
SELECT sequence FROM ledger.journal FOR UPDATE;

-- name: head_row_lock
-- Hold a book's head outside the door.
SELECT book FROM ledger.book_head FOR UPDATE;

-- name: head_move
-- Move an account's head past the door.
UPDATE ledger.account_head SET version = 9, digest = sha256('x');

-- name: key_forget
-- Free a payment key.
UPDATE ledger.payment_key SET fingerprint = '\x00';

-- name: day_reopen
-- Open a closed day again.
UPDATE ledger.bank_day SET open_day = '2000-01-01';

-- name: day_remove
-- Forget a transit account's day, to give it another first one.
DELETE FROM ledger.bank_day;

-- name: cut_forge
-- A cut past the door.
INSERT INTO ledger.cut (transit, day, moment, books, sequences) VALUES (1, '2000-01-01', now(), '{1}', '{0}');

-- name: incarnation_change
-- Another number of books.
UPDATE ledger.incarnation SET books = 9;

-- name: trigger_add
-- Code of one's own on the journal.
CREATE TRIGGER spy BEFORE INSERT ON ledger.journal FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();

-- name: rule_add
-- Rewrite what goes into the journal.
CREATE RULE nothing AS ON INSERT TO ledger.journal DO INSTEAD NOTHING;

-- name: index_add
-- An index that runs a function on every insert.
CREATE INDEX slow ON ledger.journal (amount);

-- name: constraint_drop
-- Let unbalanced entries in.
ALTER TABLE ledger.journal DROP CONSTRAINT entry_balanced;

-- name: trigger_disable
-- Switch checks off.
ALTER TABLE ledger.journal DISABLE TRIGGER ALL;

-- name: owner_take
-- Take the journal over.
ALTER TABLE ledger.journal OWNER TO CURRENT_USER;

-- name: schema_create
-- A place of one's own.
CREATE SCHEMA mine;

-- name: table_create
-- A table among the ledger's.
CREATE TABLE ledger.mine (a int);

-- name: table_create_public
-- A table where everybody looks.
CREATE TABLE public.mine (a int);

-- name: function_create
-- A function in front of the ledger's own.
CREATE FUNCTION ledger.cardinality(bigint[]) RETURNS int LANGUAGE sql AS 'SELECT 2';

-- name: function_replace
-- Balance everything.
CREATE OR REPLACE FUNCTION ledger.entry_balanced(accounts bigint[], amounts bigint[], lines int[], amount bigint)
RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';

-- name: function_alter
-- Let a door look elsewhere.
ALTER FUNCTION ledger.publish(smallint, bigint[], bigint[], bytea[], timestamptz[], text) SET search_path = pg_temp, ledger;

-- name: function_drop
-- Close a door.
DROP FUNCTION ledger.close_bank_day(int, date, date);

-- name: grant_self
-- Give oneself more.
GRANT ALL ON ledger.journal TO CURRENT_USER;

-- name: role_door
-- Become the door.
SET ROLE kopeck_door;

-- name: role_owner
-- Become the owner.
SET ROLE postgres;

-- name: role_services
-- Become the services.
SET ROLE kopeck_services;

-- name: session_role
-- Become the owner from the session's start.
SET SESSION AUTHORIZATION postgres;

-- name: replica_role
-- Switch triggers and keys off.
SET session_replication_role = replica;

-- name: file_read
-- Read the server's files.
SELECT pg_read_file('PG_VERSION');

-- name: program_run
-- Run a program on the server.
COPY (SELECT 1) TO PROGRAM 'true';

-- name: day_close
-- The services' door.
SELECT ledger.close_bank_day(1, '2026-11-24', '2026-11-25');

-- name: publish_nothing
-- The builders' door.
SELECT status FROM ledger.publish(1::smallint, '{}', '{}', '{}', '{}', 'x');

-- name: append_nothing
-- The gateway's door.
SELECT status FROM ledger.append(1::smallint, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}',
    '{}', '{}', '{}', '{}', '{}');

-- name: resolve
-- Wave a conflict through.
UPDATE intake.parked SET resolved_at = now(), resolved_by = 'me';

-- name: park_resolved
-- Park a conflict that nobody will see.
INSERT INTO intake.parked (what, transit, channel, space, external_id, content, content_digest, resolved_at)
VALUES ('conflict', 1, 1, 1, 'x', '', '\x00', now());

-- name: unpark
-- Forget what waits for a person.
DELETE FROM intake.parked;

-- name: tables
-- Every table of the ledger and what waits beside it.
SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname IN ('ledger', 'intake') ORDER BY 1;

-- name: truncate
-- The statement that empties a table.
SELECT 'TRUNCATE ' || $1::text;

-- name: drop
-- The statement that drops a table.
SELECT format('DROP TABLE %s', $1::text);

-- name: delete
-- The statement that deletes a table's rows.
SELECT format('DELETE FROM %s', $1::text);

-- name: insert
-- The statement that copies a table's rows into it.
SELECT format('INSERT INTO %1$s OVERRIDING SYSTEM VALUE SELECT * FROM %1$s', $1::text);

-- name: alter
-- The statement that adds a column.
SELECT format('ALTER TABLE %s ADD COLUMN mine int', $1::text);

-- name: update
-- Statements that set each column of a table to itself, one by one.
SELECT format('UPDATE %1$s SET %2$I = %2$I', $1::text, attname) FROM pg_attribute
WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped AND attidentity = '' ORDER BY attnum;

-- name: shadow
-- Temporary tables, an operator and functions with the names that the doors use.
CREATE TEMP TABLE journal (LIKE ledger.journal);
CREATE TEMP TABLE payment_key (LIKE ledger.payment_key);
CREATE TEMP TABLE account_head (LIKE ledger.account_head);
CREATE TEMP TABLE book_head (LIKE ledger.book_head);
CREATE TEMP TABLE bank_day (LIKE ledger.bank_day);
CREATE TEMP TABLE cut (LIKE ledger.cut);
INSERT INTO pg_temp.bank_day VALUES (1, '1999-01-01');
CREATE FUNCTION pg_temp.entry_balanced(bigint[], bigint[], int[], bigint) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION pg_temp.cardinality(bigint[]) RETURNS int LANGUAGE sql AS 'SELECT 3';
CREATE FUNCTION pg_temp.cardinality(int[]) RETURNS int LANGUAGE sql AS 'SELECT 3';
CREATE FUNCTION pg_temp.sums(bigint, bigint) RETURNS bigint LANGUAGE sql AS 'SELECT 0::bigint';
CREATE OPERATOR pg_temp.+ (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = pg_temp.sums);

-- name: shadow_path
-- Look into the temporary schema first.
SELECT set_config('search_path', 'pg_temp, ledger, pg_catalog', false);

-- name: shadowed
-- Rows that went astray.
SELECT (SELECT count(*) FROM pg_temp.journal) + (SELECT count(*) FROM pg_temp.payment_key);

-- name: door_role
-- What the door's owner is and owns.
SELECT r.rolcanlogin, r.rolsuper, r.rolcreaterole, r.rolcreatedb, r.rolbypassrls,
    (SELECT count(*) FROM pg_class c WHERE c.relowner = r.oid) AS relations,
    (SELECT count(*) FROM pg_namespace n WHERE n.nspowner = r.oid) AS schemas,
    has_schema_privilege(r.oid, 'ledger', 'CREATE') AS creates,
    (SELECT array_agg(p.proname::text ORDER BY p.proname) FROM pg_proc p WHERE p.proowner = r.oid) AS functions
FROM pg_roles r WHERE r.rolname = 'kopeck_door';

-- name: public_functions
-- Functions of the ledger that everybody may run.
SELECT p.proname::text FROM pg_proc p CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
WHERE p.pronamespace = 'ledger'::regnamespace AND a.grantee = 0;

-- name: doors
-- Functions that run with their owner's rights, and their settings.
SELECT p.proname::text AS name, p.proconfig AS settings FROM pg_proc p
WHERE p.pronamespace = 'ledger'::regnamespace AND p.prosecdef ORDER BY 1;

-- name: memberships
-- Roles of ours that are members of another.
SELECT m.member::regrole::text FROM pg_auth_members m WHERE m.member::regrole::text LIKE 'kopeck%';

-- name: first_day
-- A first operational day.
INSERT INTO ledger.bank_day (transit, open_day) VALUES ($1, $2::text::date);

-- name: first_day_again
-- Another first day for a transit account that has one.
INSERT INTO ledger.bank_day (transit, open_day) VALUES (1, '2000-01-01') ON CONFLICT (transit) DO UPDATE SET open_day = excluded.open_day;
