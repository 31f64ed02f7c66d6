-- A town whose bank tells of its transit account; written and read as the owner.

-- name: add_transit
-- A transit account with an open day.
WITH made AS (
    INSERT INTO reference.transit_account (account, bic, title) VALUES ($1, '044525593', 'АО «Тестовый банк»') RETURNING transit)
INSERT INTO ledger.bank_day (transit, open_day) SELECT transit, $2 FROM made RETURNING transit;

-- name: add_space
-- An operation space.
INSERT INTO reference.operation_space (name) VALUES ($1) RETURNING space;

-- name: add_channel
-- A channel.
INSERT INTO reference.channel (name, manner, legal_kind, space, transit) VALUES ($1, 'reporting', 'bank', $2, $3) RETURNING channel;

-- name: list_accounts
-- Personal accounts.
SELECT personal_account, number FROM reference.personal_account ORDER BY number;

-- name: list_lines
-- Lines as they stand, with their covers.
SELECT l.*, c.by, c.reference, c.promised, c.gross, c.fee, c.difference, c.reason, c.fee_sequence
FROM bank.line l LEFT JOIN bank.cover c USING (line) ORDER BY l.line;

-- name: list_parts
-- Parts of covers.
SELECT * FROM bank.cover_part ORDER BY line, turn, part;

-- name: list_entries
-- Entries of a book.
SELECT * FROM ledger.journal WHERE book = $1 ORDER BY sequence;

-- name: balances
-- Every ledger account's balance in the journal, debit positive.
SELECT u.account, sum(u.amount)::bigint AS balance FROM ledger.journal j
  CROSS JOIN LATERAL unnest(j.accounts, j.amounts) AS u(account, amount) GROUP BY 1 HAVING sum(u.amount) <> 0 ORDER BY 1;

-- name: count_text
-- In how many rows of the schema bank a text can be read.
SELECT (SELECT count(*) FROM bank.line l WHERE l::text ILIKE '%' || $1 || '%' OR convert_from(decode(replace(encode(coalesce(l.sealed, ''),
    'hex'), '00', ''), 'hex'), 'LATIN1') ILIKE '%' || $1 || '%') + (SELECT count(*) FROM bank.statement s WHERE s::text ILIKE '%' || $1 || '%')
  + (SELECT count(*) FROM settlement.movement m WHERE m::text ILIKE '%' || $1 || '%')
  + (SELECT count(*) FROM ledger.journal j WHERE j::text ILIKE '%' || $1 || '%')
  + (SELECT count(*) FROM intake.parked p WHERE p::text ILIKE '%' || $1 || '%');

-- name: list_parked
-- What waits for a person.
SELECT what, external_id, content FROM intake.parked ORDER BY parked;

-- name: add_register
-- A register whose lines have their outcomes.
INSERT INTO intake.register (channel, space, transit, format, file_name, content_digest, number, day, order_number, time_zone, since, until,
    lines, total, fee, skipped, purpose, loaded_by, loaded_at, booked_at)
VALUES ($1, $2, $3, 'own', 'r', sha256(convert_to($4, 'UTF8')), $4, $5, '', 'Europe/Moscow', $5, $5, $6, $7, $8, 0, 'payments', 'tests',
    now(), now())
RETURNING register;

-- name: add_register_line
-- A line of a register, with its outcome.
WITH added AS (
    INSERT INTO intake.register_line (register, row, key, account, amount, fee, event_at, period, designates, document, aliases, repeats)
    VALUES ($1, $2, $3, '', $4, 0, now(), 0, false, '', '{}', false) RETURNING register, row)
INSERT INTO intake.register_outcome (register, row, outcome, reason, lost) SELECT register, row, $5, '', false FROM added;

-- name: counts
-- How much is stored.
SELECT (SELECT count(*) FROM bank.statement) AS statements, (SELECT count(*) FROM bank.line) AS lines,
    (SELECT count(*) FROM ledger.journal WHERE book = 0) AS entries, (SELECT count(*) FROM ledger.journal WHERE book > 0) AS payments;

-- name: set_believed
-- Whom covers are believed from.
INSERT INTO bank.believed (transit, since, source, set_by) VALUES ($1, $2, $3, 'tests');

-- name: list_confirmed
-- What settlement takes for confirmed.
SELECT * FROM settlement.confirmed ORDER BY space;

-- name: add_register_lines
-- So many lines of a register, under the same keys as any other's; the first of them refused.
WITH added AS (
    INSERT INTO intake.register_line (register, row, key, account, amount, fee, event_at, period, designates, document, aliases, repeats)
    SELECT $1, g, 'an operation of the acquirer ' || g, '', 100, 0, now(), 0, false, '', '{}', false FROM generate_series(1, $2::int) AS g
    RETURNING register, row)
INSERT INTO intake.register_outcome (register, row, outcome, reason, lost)
SELECT register, row, CASE WHEN row <= $3::int THEN 'refused' ELSE 'recorded' END, '', false FROM added;

-- name: limit_statements
-- As clearing's connection is limited, and more.
SELECT set_config('statement_timeout', '1500', false), set_config('enable_seqscan', 'off', false);

-- name: list_register_promises
-- What registers promise.
SELECT register, promised, refused, repeated FROM bank.register_promise ORDER BY register;
