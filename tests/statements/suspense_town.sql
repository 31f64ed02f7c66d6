-- A small town with money that nobody claims; written as the owner.

-- name: add_channel
-- The channel by which money comes, with its operation space.
WITH made AS (INSERT INTO reference.operation_space (space, name) VALUES (101, 'feed') RETURNING space)
INSERT INTO reference.channel (channel, name, manner, legal_kind, space, transit) SELECT 101, 'feed', 'reporting', 'bank', space, 1 FROM made
RETURNING space, channel;

-- name: forget
-- Empty the read model and set its cursor to the beginning; decisions are kept.
WITH gone AS (DELETE FROM suspense.release), beside AS (DELETE FROM suspense.beside),
decided AS (DELETE FROM suspense.decision), items AS (DELETE FROM suspense.item)
UPDATE read_model.cursor SET sequence = 0 WHERE consumer = 'suspense';

-- name: items
-- Every item's sums.
SELECT book, sequence, amount, released, returned, reversed, overdrawn, remains FROM suspense.item ORDER BY 1, 2;

-- name: releases
-- Every release.
SELECT book, item, part, sequence, amount, personal_account, transfer, arrived_book, arrived_sequence, came_back, why
FROM suspense.release ORDER BY 1, 2, 3;

-- name: balance
-- A ledger account's balance in the journal.
SELECT coalesce(sum(u.amount), 0)::bigint FROM ledger.journal j CROSS JOIN LATERAL unnest(j.accounts, j.amounts) AS u(account, amount)
WHERE u.account = $1;

-- name: open_balances
-- Transfers that are not nought.
SELECT u.account, sum(u.amount)::bigint AS balance
FROM ledger.journal j CROSS JOIN LATERAL unnest(j.accounts, j.amounts) AS u(account, amount)
WHERE u.account >> 56 = 13 GROUP BY 1 HAVING sum(u.amount) <> 0;

-- name: close_account
-- Close a personal account.
UPDATE reference.personal_account SET state = 2 WHERE personal_account = $1;

-- name: set_zone
-- Put a personal account's house into another time zone.
UPDATE reference.personal_account SET time_zone = $2 WHERE personal_account = $1;

-- name: set_masks
-- What a terminal may show of an account.
UPDATE reference.personal_account SET masked_name = $2, masked_address = $3 WHERE personal_account = $1;

-- name: add_line
-- A credit of the bank's statement: bank's id, payer's account, sealed text, class; with its cover of the town's space.
WITH told AS (
    INSERT INTO bank.statement (transit, source, kind, since, until, credited, debited, filtered, lines, content_digest, loaded_by, loaded_at)
    VALUES (1, 'test', 'final', '2026-11-11', '2026-11-11', 1, 0, false, 1, sha256(convert_to($1, 'UTF8')), 'test', now())
    RETURNING statement),
added AS (
    INSERT INTO bank.line (transit, bank_id, day, is_credit, is_reversal, amount, number, operation, code, counterparty_account,
        counterparty_bic, counterparty_inn, "references", sealed, first_statement, last_statement, class, classified_by, classified_at)
    SELECT 1, $1, '2026-11-11', true, false, 1, '77', '01', '', $2, '044525225', '', '{}', $3, statement, statement, $4, 'test', now()
    FROM told RETURNING line)
INSERT INTO bank.cover (line, space, by, reference, promised, gross, fee, difference, reason)
SELECT line, 101, 'operation', $1, 1, 1, 0, 0, '' FROM added;

-- name: returns
-- Requests to settlement with their payees.
SELECT r.book, r.sequence, r.amount, r.account, r.purpose, r.asked_by, p.sealed_name, p.bank_account, p.bic
FROM settlement.return_request r JOIN settlement.return_payee p USING (request) ORDER BY r.request;

-- name: withdraw
-- Settlement withdraws a return.
INSERT INTO settlement.return_withdrawn (request, withdrawn_by, withdrawn_at, reason) VALUES ($1, 'Петров', now(), 'test');

-- name: mass_aliases
-- So many accounts with numbers of ten digits in a row, for measuring look-ups.
WITH made AS (
    INSERT INTO reference.personal_account (namespace, number, state, payer_kind, provider)
    SELECT 'uo', lpad((1000000000 + n)::text, 10, '0'), 0, 0, (SELECT min(recipient) FROM reference.recipient) FROM generate_series(1, $1::int) n
    RETURNING personal_account, number)
INSERT INTO reference.alias (namespace, number, personal_account) SELECT 'uo', number, personal_account FROM made;

-- name: address_key
-- An address as plain words.
SELECT suspense.address_key($1);

-- name: add_register_line
-- A register of one line, whose payer is sealed: channel, space, key, sealed text.
WITH made AS (
    INSERT INTO intake.register (channel, space, transit, format, file_name, content_digest, number, day, order_number, time_zone,
        since, until, lines, total, fee, skipped, purpose, loaded_by, loaded_at)
    VALUES ($1, $2, 1, 'test', 'r.csv', '\x01', '', NULL, '', 'Europe/Moscow', '2026-11-11', '2026-11-11', 1, 700, 0, 0, 'payments',
        'test', now()) RETURNING register)
INSERT INTO intake.register_line (register, row, key, account, amount, fee, event_at, period, designates, document, aliases, repeats, sealed)
SELECT register, 1, $3, '', 700, 0, now(), 0, false, '', '{}', false, $4 FROM made;

-- name: vanish
-- A line that its bank's statement no longer has.
UPDATE bank.line SET vanished_from = last_statement WHERE bank_id = $1;

-- name: add_other_channel
-- A channel of another operation space.
WITH made AS (INSERT INTO reference.operation_space (space, name) VALUES (102, 'terminals') RETURNING space)
INSERT INTO reference.channel (channel, name, manner, legal_kind, space, transit)
SELECT 102, 'terminals', 'reporting', 'paying_agent', space, 1 FROM made RETURNING space, channel;
