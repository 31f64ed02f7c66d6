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

-- name: checkpoint
-- What was loaded is written out before the clock starts.
CHECKPOINT;
