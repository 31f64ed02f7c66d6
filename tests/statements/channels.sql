-- What the tests of channel registration look at.

-- name: fetch_open_day
-- The open day of a transit account.
SELECT open_day FROM ledger.bank_day WHERE transit = $1

-- name: count_channels
-- How many channels are registered.
SELECT count(*) FROM reference.channel
