-- Damage done to a ledger on purpose, as its superuser, inside a transaction that is rolled back (tests/ledger/test_proof.py).

-- name: lose_entry
-- The last entry is gone.
DELETE FROM ledger.journal j WHERE j.sequence = (SELECT max(sequence) FROM ledger.journal);

-- name: lose_first_entry
-- The first entry is gone.
DELETE FROM ledger.journal WHERE sequence = 1;

-- name: forget_key
-- One booked payment's key is forgotten.
DELETE FROM ledger.payment_key WHERE sequence = 1;

-- name: book_twice
-- The first entry stands in the journal again.
INSERT INTO ledger.journal SELECT book, (SELECT max(sequence) + 1 FROM ledger.journal), 1, personal_account, table_version, amount,
    event_at, (SELECT max(recorded_at) FROM ledger.journal), value_date, bank_day, transit, channel, space, kind, reason, external_id,
    designation, accounts, amounts, lines FROM ledger.journal WHERE sequence = 1;

-- name: change_amount
-- One entry's amount is another.
ALTER TABLE ledger.journal DROP CONSTRAINT entry_balanced;
UPDATE ledger.journal SET amount = amount + 1 WHERE sequence = 1;

-- name: move_head
-- An account's head is ahead of its entries.
UPDATE ledger.account_head SET version = version + 1;

-- name: turn_time_back
-- The last entry was recorded before all others.
UPDATE ledger.journal SET recorded_at = '2000-01-01' WHERE sequence = (SELECT max(sequence) FROM ledger.journal);

-- name: break_chain
-- An entry names another as the one before it.
UPDATE ledger.journal SET previous = sequence - 1 WHERE sequence =
    (SELECT max(sequence) FROM ledger.journal WHERE previous = 0 AND sequence > 1 AND personal_account IS NOT NULL);
