-- A small ledger whose tables are opaque bytes, and what the tests of its doors ask the owner.

-- name: open_days
-- Operational days of the transit accounts 1 and 2.
INSERT INTO ledger.bank_day (transit, open_day) VALUES (1, $1), (2, $1);

-- name: publish
-- The builders' door.
SELECT ord, status, version FROM ledger.publish($1, $2, $3, $4, $5, $6) ORDER BY ord;

-- name: close_day
-- The day's door.
SELECT ledger.close_bank_day($1, $2, $3);

-- name: cut
-- One cut.
SELECT transit, day, moment, books, sequences FROM ledger.cut WHERE cut = $1;

-- name: future_cut
-- A cut whose moment lies ahead of the clock, as after a clock set back.
INSERT INTO ledger.cut (transit, day, moment, books, sequences)
VALUES (2, '2000-01-01', clock_timestamp() + interval '1 hour', '{1}', '{0}') RETURNING moment;

-- name: park_conflict
-- An unresolved conflict of a transit account.
INSERT INTO intake.parked (what, transit, channel, space, external_id, content, content_digest)
VALUES ('conflict', $1, 1, 1, 'x', '', '\x00');

-- name: resolve
-- Every conflict resolved.
UPDATE intake.parked SET resolved_at = clock_timestamp(), resolved_by = 'tester';

-- name: expire
-- An account's table that expired a moment ago.
UPDATE ledger.account_head SET valid_until = clock_timestamp() - interval '1 microsecond' WHERE personal_account = $1;

-- name: head
-- An account's head.
SELECT version, digest, last_sequence, valid_until FROM ledger.account_head WHERE book = $1 AND personal_account = $2;

-- name: journal
-- A book in order.
SELECT * FROM ledger.journal WHERE book = $1 ORDER BY sequence;

-- name: keys
-- Every payment key.
SELECT * FROM ledger.payment_key ORDER BY space, external_id;

-- name: count_bases
-- Base tables of an account.
SELECT count(*) FROM ledger.base_table WHERE personal_account = $1;

-- name: raw_entry
-- An entry put in by the owner: only the constraints stand in its way.
INSERT INTO ledger.journal (book, sequence, previous, personal_account, table_version, amount, event_at, recorded_at, value_date,
    bank_day, transit, channel, space, kind, reason, external_id, designation, accounts, amounts, lines)
VALUES (1, 1, 0, NULL, 0, $1, now(), now(), now(), now(), 1, 1, 1, 1, 0, 'raw', '', $2::text::bigint[], $3::text::bigint[],
    $4::text::int[]);

-- name: backends
-- Backends of this database but our own.
SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend';

-- name: waiting
-- How many backends of this database wait for a lock.
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock';

-- name: terminate
-- End one backend.
SELECT pg_terminate_backend($1);

-- name: flush_stats
-- Send this session's counters at once.
SELECT pg_stat_force_next_flush();

-- name: scans
-- Sequential scans and rows read by them, and rows read through indexes, of a table.
SELECT seq_scan, seq_tup_read, coalesce(idx_tup_fetch, 0) AS idx_tup_fetch FROM pg_stat_user_tables
WHERE schemaname = 'ledger' AND relname = $1;

-- name: index_reads
-- Index entries read of an index.
SELECT idx_tup_read FROM pg_stat_user_indexes WHERE schemaname = 'ledger' AND indexrelname = $1;

-- name: lock_head
-- Hold a book's head.
SELECT book FROM ledger.book_head WHERE book = $1 FOR UPDATE;

-- name: hold_key
-- Hold a payment key without committing it.
INSERT INTO ledger.payment_key (space, external_id, book, sequence, outcome, fingerprint) VALUES ($1, $2, 2, NULL, 6, $3);

-- name: any_account
-- Some published account.
SELECT personal_account FROM ledger.account_head ORDER BY personal_account LIMIT 1;

-- name: spoil_head
-- A head that promises another table than the journal gives.
UPDATE ledger.account_head SET digest = sha256('another') WHERE personal_account = $1;

-- name: is_due
-- Whether an account's table is to be built again.
SELECT EXISTS (SELECT FROM reference.table_due WHERE personal_account = $1);
