-- Registration of configured channels: numbers for transit accounts, operation spaces and channels (kopeck/channels.py).

-- name: add_transit
-- Give a transit account its number once; its title may change.
INSERT INTO reference.transit_account (account, bic, title) VALUES ($1, $2, $3)
ON CONFLICT (account) DO UPDATE SET title = excluded.title WHERE reference.transit_account.title <> excluded.title

-- name: find_transit
-- The number and the BIC a transit account was registered with.
SELECT transit, bic FROM reference.transit_account WHERE account = $1

-- name: open_first_day
-- The first operational day of a new transit account; a known one keeps its day.
INSERT INTO ledger.bank_day (transit, open_day) VALUES ($1, $2) ON CONFLICT (transit) DO NOTHING

-- name: add_space
-- Give an operation space its number once.
INSERT INTO reference.operation_space (name) VALUES ($1) ON CONFLICT (name) DO NOTHING

-- name: find_space
-- The number of an operation space.
SELECT space FROM reference.operation_space WHERE name = $1

-- name: add_channel
-- Give a channel its number once; what a counterparty is and how it is answered may change, where its money stands may not.
INSERT INTO reference.channel (name, manner, legal_kind, space, transit) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (name) DO UPDATE SET manner = excluded.manner, legal_kind = excluded.legal_kind
WHERE (reference.channel.manner, reference.channel.legal_kind) <> (excluded.manner, excluded.legal_kind)

-- name: find_channel
-- The number of a channel and where it was registered to book.
SELECT c.channel, s.name AS space, t.account AS transit
FROM reference.channel c JOIN reference.operation_space s USING (space) JOIN reference.transit_account t USING (transit)
WHERE c.name = $1

-- name: list_recipients
-- Numbers of recipients by code, for the codes given.
SELECT code, recipient FROM reference.recipient WHERE code = ANY($1::text[])
