-- Statements and lines as clearing keeps them, for the tests of reconciliation.

-- name: add_statement
-- A believed statement.
INSERT INTO bank.statement (transit, source, kind, since, until, opening, closing, credited, debited, filtered, lines, content_digest,
    loaded_by, loaded_at)
VALUES ($1, 'test', $2, $3, $4, $5, $6, $7, $8, $9, $10, sha256(convert_to($11, 'UTF8')), 'tests', clock_timestamp()) RETURNING statement;

-- name: add_line
-- A line; class NULL: not classified.
INSERT INTO bank.line (transit, bank_id, day, is_credit, amount, number, operation, code, counterparty_account, counterparty_bic,
    counterparty_inn, "references", is_reversal, first_statement, last_statement, class, classified_by, classified_at)
VALUES ($1, $2, $3, $4, $5, '1', '01', '', '', '', '', '{}', false, $6, $6, $7::text, CASE WHEN $7::text IS NOT NULL THEN 'tests' END,
    CASE WHEN $7::text IS NOT NULL THEN clock_timestamp() END)
RETURNING line;

-- name: set_booked
-- The entry of a line.
UPDATE bank.line SET sequence = $2 WHERE line = $1;

-- name: classify
-- What a line is taken for.
UPDATE bank.line SET class = $2, classified_by = 'tests', classified_at = clock_timestamp() WHERE line = $1;

-- name: set_vanished
-- A line that a statement does not show any more; NULL: it is back.
UPDATE bank.line SET vanished_from = $2 WHERE line = $1;

-- name: set_reversed
-- The reversal of a line's entry.
UPDATE bank.line SET reversed_by = $2 WHERE line = $1;

-- name: move_line
-- A line of another day.
UPDATE bank.line SET day = $2 WHERE line = $1;

-- name: add_cover
-- What a line covers.
INSERT INTO bank.cover (line, space, by, reference, promised, gross, fee, difference, reason)
VALUES ($1, $2, $3, $4, $5, $6, 0, $6::bigint - $5::bigint, $7);

-- name: add_cover_part
-- A part of it.
INSERT INTO bank.cover_part (line, turn, part, register, day, operation, promised, amount, fee, reason, told_by, told_at)
VALUES ($1, 1, $2, $3, $4, $5, $6, $7, 0, '', 'tests', clock_timestamp());

-- name: add_movement
-- A line that settlement took for an order.
INSERT INTO settlement.movement (transit, bank_id, day, is_credit, amount, number, counterparty_account, counterparty_inn, purpose, seen_at,
    transfer, reason)
SELECT l.transit, l.bank_id, l.day, l.is_credit, l.amount, l.number, '', '', '', clock_timestamp(), o.transfer, ''
FROM bank.line l CROSS JOIN settlement.transfer_order o WHERE l.line = $1 AND o.key = $2;

-- name: add_register
-- A register of payments.
INSERT INTO intake.register (channel, space, transit, format, file_name, content_digest, number, day, order_number, time_zone, since, until,
    lines, total, fee, skipped, purpose, loaded_by, loaded_at, booked_at)
VALUES ($1, $2, $3, 'own', 'r.csv', sha256(convert_to($4, 'UTF8')), $4, $5, '', 'Europe/Moscow', $5, $5, $6, $7, 0, 0, 'payments', 'tests',
    clock_timestamp(), CASE WHEN $8::boolean THEN clock_timestamp() END)
RETURNING register;

-- name: add_register_line
-- A line of a register and its outcome.
WITH line AS (
    INSERT INTO intake.register_line (register, row, key, account, amount, fee, event_at, period, designates, document, aliases, repeats)
    VALUES ($1, $2, $3, '', $4, 0, clock_timestamp(), 0, false, '', '{}', false) RETURNING register, row)
INSERT INTO intake.register_outcome (register, row, outcome, reason, lost, book, sequence)
SELECT register, row, 'recorded', '', false, $5, $6 FROM line;

-- name: late
-- What came late.
SELECT what, line, day, open_day FROM reconciliation.late_item ORDER BY item;

-- name: everything_closed
-- All that is recorded of closing, as text.
SELECT (SELECT string_agg(p::text, '/' ORDER BY p.protocol) FROM reconciliation.protocol p) AS protocols,
    (SELECT string_agg(o::text, '/' ORDER BY o.protocol, o.account) FROM reconciliation.open_item o) AS items,
    (SELECT string_agg(s::text, '/' ORDER BY s.protocol, s.place) FROM reconciliation.signature s) AS signatures;

-- name: change_protocol
-- Somebody changes a protocol.
UPDATE reconciliation.protocol SET content = '{}', digest = sha256('{}');

-- name: drop_protocol
-- Somebody takes a protocol away.
DELETE FROM reconciliation.protocol;

-- name: truncate_signatures
-- Somebody empties the signatures.
TRUNCATE reconciliation.signature;

-- name: change_signature
-- Somebody signs in another's name.
UPDATE reconciliation.signature SET person = 'other';

-- name: add_third_signature
-- Somebody signs after two.
INSERT INTO reconciliation.signature (protocol, transit, what, period, place, person, at)
SELECT protocol, transit, what, period, 2, 'third', now() FROM reconciliation.protocol LIMIT 1;

-- name: add_other_open_item
-- Somebody adds to what a closed day left open.
INSERT INTO reconciliation.open_item (protocol, account, books, sequences, amounts)
SELECT protocol, 1, '{1}', '{1}', '{1}' FROM reconciliation.protocol LIMIT 1;

-- name: add_other_protocol
-- Somebody makes another protocol of a closed day.
INSERT INTO reconciliation.protocol (transit, what, period, cut, content, digest, accounts, balances, open_lines, difference, made_at)
SELECT transit, what, period, cut, '{}', sha256('{}'), '{}', '{}', '{}', 0, now() FROM reconciliation.protocol LIMIT 1;

-- name: add_late_item
-- Somebody makes up late news.
INSERT INTO reconciliation.late_item (transit, what, statement, day, open_day) VALUES (1, 'statement', 1, now(), now());

-- name: loosen_journal
-- The owner takes away what guards the journal.
ALTER TABLE ledger.journal DROP CONSTRAINT entry_balanced;

-- name: tamper
-- The owner adds a kopeck to a credit.
UPDATE ledger.journal SET amounts[2] = amounts[2] - 1 WHERE book = $1 AND sequence = $2;

-- name: park_conflict
-- A conflict that nobody has seen to.
INSERT INTO intake.parked (what, transit, channel, space, external_id, content, content_digest)
VALUES ('conflict', $1, 1, 101, 'op', '{}', '\x00');

-- name: count_waiting
-- Who waits for an advisory lock.
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database());
