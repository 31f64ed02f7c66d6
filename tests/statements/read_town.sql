-- A small town for tests: registers by hand, since its tables are published without charges.

-- name: add_transit
-- A transit account; its number is the next one.
INSERT INTO reference.transit_account (account, bic, title) VALUES ($1, '044525225', 'Bank') RETURNING transit;

-- name: open_day
-- The first bank day of a transit account.
INSERT INTO ledger.bank_day (transit, open_day) VALUES ($1, $2);

-- name: add_space
-- An operation space.
INSERT INTO reference.operation_space (name) VALUES ($1) RETURNING space;

-- name: add_channel
-- A channel of the space and transit account.
INSERT INTO reference.channel (name, manner, legal_kind, space, transit) VALUES ($1, 'reporting', 'bank', $2, $3) RETURNING channel;

-- name: add_recipient
-- A recipient.
INSERT INTO reference.recipient (code, kind, name, inn, kpp) VALUES ($1, 'supplier', $1, '', '') RETURNING recipient;

-- name: add_payee
-- A recipient's service.
INSERT INTO reference.payee (recipient, service) VALUES ($1, $2) RETURNING payee;

-- name: add_account
-- A personal account.
INSERT INTO reference.personal_account (namespace, number, state, payer_kind, provider) VALUES ('town', $1, 0, 0, $2)
RETURNING personal_account;

-- name: publish
-- Publish base tables.
SELECT ord, status, version FROM ledger.publish($1, $2, $3, $4, $5, $6);

-- name: count_effects
-- How many rows each read model has, and what they add up to.
SELECT (SELECT count(*) FROM read_model.balance) AS balances, (SELECT coalesce(sum(entries), 0)::bigint FROM read_model.balance) AS entries,
    (SELECT coalesce(sum(cardinality(sequences)), 0)::bigint FROM read_model.posting_page) AS postings;

-- name: allow_forgery
-- What only an owner who wants to cheat would do: the journal's own checks are taken away.
ALTER TABLE ledger.journal DROP CONSTRAINT entry_balanced, DROP CONSTRAINT journal_place;

-- name: forge_postings
-- Move a kopeck from the third posting of an entry to the second.
UPDATE ledger.journal SET amounts[2] = amounts[2] - 1, amounts[3] = amounts[3] + 1 WHERE book = $1 AND sequence = $2;

-- name: forge_unbalanced
-- Take a kopeck from the second posting.
UPDATE ledger.journal SET amounts[2] = amounts[2] + 1 WHERE book = $1 AND sequence = $2;

-- name: forge_payee
-- Give the second posting to another recipient.
UPDATE ledger.journal SET accounts[2] = accounts[2] + 1 WHERE book = $1 AND sequence = $2;

-- name: forge_missing
-- Take an entry away.
DELETE FROM ledger.journal WHERE book = $1 AND sequence = $2;

-- name: forge_time
-- Let an entry be recorded a day before.
UPDATE ledger.journal SET recorded_at = recorded_at - interval '1 day' WHERE book = $1 AND sequence = $2;

-- name: forge_previous
-- Let an entry name another one before it.
UPDATE ledger.journal SET previous = previous + 1 WHERE book = $1 AND sequence = $2;

-- name: forge_key
-- Let a payment key lead to another entry.
UPDATE ledger.payment_key SET sequence = sequence + 1 WHERE book = $1 AND sequence = $2;

-- name: forge_key_missing
-- Take a payment key away.
DELETE FROM ledger.payment_key WHERE book = $1 AND sequence = $2;

-- name: forge_digest
-- Change the digest of the account of an entry.
UPDATE ledger.account_head SET digest = sha256('x') WHERE book = $1
  AND personal_account = (SELECT j.personal_account FROM ledger.journal j WHERE j.book = $1 AND j.sequence = $2);

-- name: forge_balance
-- Change a kopeck in the balances read model; the place is not used.
UPDATE read_model.balance SET debit = debit + 1 + ($2::bigint * 0)
WHERE book = $1 AND account = (SELECT min(b.account) FROM read_model.balance b WHERE b.book = $1);

-- name: hold_cursor
-- Hold a consumer's cursor of one book, as another runner would.
SELECT sequence FROM read_model.cursor WHERE consumer = $1 AND book = $2 FOR UPDATE;

-- name: end_sessions
-- End every session of the consumers, as a restart of PostgreSQL would.
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'kopeck-consumers' AND datname = current_database();

-- name: notify
-- Wake those who listen to the feed.
NOTIFY kopeck_feed;

-- name: park_conflict
-- A conflict that nobody has looked at.
INSERT INTO intake.parked (what, transit, channel, space, external_id, content, content_digest)
VALUES ('conflict', $1, $2, $3, 'op-1', 'amount 1 / amount 2', sha256('x'));

-- name: add_refusal
-- A refusal remembered by its key.
INSERT INTO ledger.payment_key (space, external_id, book, sequence, outcome, fingerprint) VALUES ($1, $2, 1, NULL, 6, '');

-- name: flush_statistics
-- Let this session's counters be seen by the others.
SELECT pg_stat_force_next_flush();

-- name: count_journal_scans
-- How often the journal was read from end to end.
SELECT seq_scan FROM pg_stat_user_tables WHERE schemaname = 'ledger' AND relname = 'journal';

-- name: analyze_journal
-- Let the planner know how small the journal is, as autovacuum does.
ANALYZE ledger.journal;

-- name: applications
-- Payers' applications for reassignments, and who decided.
SELECT a.file_name, f.decided_by FROM settlement.application a JOIN settlement.refund f USING (refund) ORDER BY a.refund;

-- name: count_kind
-- How many entries are of a kind.
SELECT count(*) FROM ledger.journal WHERE kind = $1;

-- name: balance
-- A ledger account's balance in the journal, debit positive.
SELECT coalesce(sum(u.amount), 0)::bigint FROM ledger.journal j CROSS JOIN LATERAL unnest(j.accounts, j.amounts) AS u(account, amount)
WHERE u.account = $1;
