-- The synthetic town in the database (loadtests/fixture.py). Rows themselves come by COPY.

-- name: renumber_recipients
-- Numbers given from now on follow those that were copied.
SELECT setval(pg_get_serial_sequence('reference.recipient', 'recipient'), (SELECT max(recipient) FROM reference.recipient));

-- name: renumber_payees
-- Numbers given from now on follow those that were copied.
SELECT setval(pg_get_serial_sequence('reference.payee', 'payee'), (SELECT max(payee) FROM reference.payee));

-- name: renumber_accounts
-- Numbers given from now on follow those that were copied.
SELECT setval(pg_get_serial_sequence('reference.personal_account', 'personal_account'),
    (SELECT max(personal_account) FROM reference.personal_account));

-- name: settle
-- Statistics and visibility as they are in a ledger that has stood for a day.
VACUUM (ANALYZE);

-- name: lay_out_wal
-- End a segment of the write-ahead log, so that the checkpoint recycles as many as an older ledger has: making a new one
-- (16 MB of zeros and an fsync) stops every commit for tens of milliseconds.
SELECT pg_switch_wal() FROM pg_logical_emit_message(false, 'kopeck-bench', 'segment');

-- name: checkpoint
-- What was loaded is written out before the clock starts.
CHECKPOINT;
