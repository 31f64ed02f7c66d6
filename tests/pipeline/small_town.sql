-- name: add_transit
-- One transit account with its open day.
WITH made AS (INSERT INTO reference.transit_account (account, bic, title) VALUES ('40911810101850000000', '044525593', 'Test bank') RETURNING transit)
SELECT transit FROM made;

-- name: open_day
-- Open the operational day of a transit account.
INSERT INTO ledger.bank_day (transit, open_day) VALUES ($1, $2);

-- name: add_space
-- One operation space.
INSERT INTO reference.operation_space (name) VALUES ($1) RETURNING space;

-- name: add_channel
-- One channel.
INSERT INTO reference.channel (name, manner, legal_kind, space, transit) VALUES ($1, $2, 'bank', $3, $4) RETURNING channel;

-- name: add_recipient
-- One recipient; advance rule 1 is to_line, 0 refuses.
INSERT INTO reference.recipient (code, kind, name, inn, kpp, advance_rule) VALUES ($1, $2, $1, '7707083893', '770801001', $3)
RETURNING recipient;

-- name: add_payee
-- One payee.
INSERT INTO reference.payee (recipient, service) VALUES ($1, $2) RETURNING payee;

-- name: add_account
-- One personal account: number, state, provider.
INSERT INTO reference.personal_account (namespace, number, state, payer_kind, provider, masked_name, masked_address)
VALUES ('town', $1, $2, 0, $3, 'И****в И. И.', 'ул. Мира, 1') RETURNING personal_account;

-- name: add_alias
-- One name of an account.
INSERT INTO reference.alias (namespace, number, personal_account) VALUES ('town', $1, $2);

-- name: add_charge
-- One charge line of the period 2026-10, main pool, principal.
INSERT INTO reference.charge (personal_account, line, creditor, period, payee, kind, pool, amount, due_date)
VALUES ($1, $2, $3, 202610, $4, 0, 0, $5, '2026-11-16');

-- name: list_entries
-- Every entry of a payer's book, in order.
SELECT * FROM ledger.journal WHERE book = 1 ORDER BY sequence;

-- name: fetch_totals
-- Entries, keys and the sum of all postings of the whole journal.
SELECT (SELECT count(*) FROM ledger.journal) AS entries, (SELECT count(*) FROM ledger.payment_key) AS keys,
    (SELECT coalesce(sum(one), 0) FROM ledger.journal, unnest(amounts) AS one) AS total,
    (SELECT count(*) FROM intake.parked) AS parked;

-- name: list_parked
-- What waits for a person.
SELECT what, external_id, content FROM intake.parked ORDER BY parked;

-- name: spoil_head
-- Make an account's head promise a digest that no table has (only the owner can).
UPDATE ledger.account_head SET digest = sha256('spoilt'::bytea) WHERE personal_account = $1;

-- name: expire_head
-- Move an account's head and its validity into the past (only the owner can).
UPDATE ledger.account_head SET valid_until = '2020-01-01' WHERE personal_account = $1;

-- name: terminate_others
-- End every other session of this database, as a restart of PostgreSQL would.
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();

-- name: believe_statement
-- Covers of the transit account are believed from its statement.
INSERT INTO bank.believed (transit, since, source, set_by) VALUES ($1, '2026-01-01', 'statement', 'test');
