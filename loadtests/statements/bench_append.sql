-- What the bench of the door needs beside the doors themselves.

-- name: open_day
-- The operational day of the bench's transit account.
INSERT INTO ledger.bank_day (transit, open_day) VALUES (1, current_date) ON CONFLICT DO NOTHING;

-- name: settle
-- Statistics as a running ledger has them.
VACUUM ANALYZE;

-- name: count_entries
-- How many entries the journal holds.
SELECT count(*) FROM ledger.journal;
