-- Registers of payments: taken whole, booked line by line, shown.

-- name: add_register
-- Remember a register unless its file, its number with its day, or its very lines are known in the space; its number.
INSERT INTO intake.register (channel, space, transit, format, file_name, content_digest, lines_digest, number, day, order_number,
    order_day, time_zone, since, until, lines, total, fee, skipped, purpose, loaded_by, loaded_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
ON CONFLICT DO NOTHING RETURNING register;

-- name: find_known
-- The register that a file repeats: by its bytes, by its lines, by its number and day, in this order.
SELECT * FROM intake.register
WHERE space = $1 AND (content_digest = $2 OR lines_digest = $3 OR number = $4 AND number <> '' AND day = $5)
ORDER BY content_digest = $2 DESC, lines_digest = $3 DESC NULLS LAST, register LIMIT 1;

-- name: find_elsewhere
-- A register of another space that came in this very file.
SELECT r.register, s.name AS space, r.loaded_at, r.loaded_by FROM intake.register r JOIN reference.operation_space s USING (space)
WHERE r.content_digest = $2 AND r.space <> $1 ORDER BY r.register LIMIT 1;

-- name: list_identities
-- What makes the lines of a register: id, account and amount.
SELECT row, key, account, amount FROM intake.register_line WHERE register = $1 ORDER BY row;

-- name: lock
-- Exclude other processes from booking a register; false when one is at it.
SELECT pg_try_advisory_lock($1::int, $2::int);

-- name: unlock
-- Let other processes book the register.
SELECT pg_advisory_unlock($1::int, $2::int);

-- name: fetch_register
-- One register.
SELECT * FROM intake.register WHERE register = $1;

-- name: list_open_lines
-- Lines without an outcome after a row, in order.
SELECT l.row, l.key, l.account, l.amount, l.event_at, l.period, l.designates, l.aliases, l.repeats
FROM intake.register_line l
WHERE l.register = $1 AND l.row > $2
  AND NOT EXISTS (SELECT FROM intake.register_outcome o WHERE o.register = l.register AND o.row = l.row)
ORDER BY l.row LIMIT $3;

-- name: list_known_payments
-- What is known of lines' payments, by their own ids and other names: place, amount, channel and moment, or the refusal.
SELECT DISTINCT ON (l.row) l.row, k.book, k.sequence, k.outcome, j.amount, j.channel, j.recorded_at
FROM intake.register_line l
  CROSS JOIN LATERAL unnest(l.key || l.aliases) WITH ORDINALITY AS told(id, place)
  CROSS JOIN LATERAL (SELECT coalesce(intake.payment_of($2, told.id), told.id) AS id) AS found
  JOIN ledger.payment_key k ON k.space = $2 AND k.external_id = found.id
  LEFT JOIN ledger.journal j ON j.book = k.book AND j.sequence = k.sequence
WHERE l.register = $1 AND l.row = ANY ($3) ORDER BY l.row, told.place;

-- name: list_finders
-- Whose the entries are that lines found, why they wait in suspense, and whether a line of another register booked them.
SELECT l.row, j.channel, j.reason, EXISTS (
    SELECT FROM intake.register_line o JOIN intake.register r ON r.register = o.register
      JOIN intake.register_outcome e ON e.register = o.register AND e.row = o.row
    WHERE o.key = l.key AND o.register <> l.register AND r.space = $2 AND e.outcome IN ('recorded', 'suspense')) AS claimed
FROM unnest($3::int[], $4::smallint[], $5::bigint[]) AS p(row, book, sequence)
  JOIN intake.register_line l ON l.register = $1 AND l.row = p.row
  JOIN ledger.journal j ON j.book = p.book AND j.sequence = p.sequence;

-- name: keep_sealed
-- Keep the payer of a line whose money has no owner.
UPDATE intake.register_line l SET sealed = given.sealed
FROM unnest($2::int[], $3::bytea[]) AS given(row, sealed) WHERE l.register = $1 AND l.row = given.row;

-- name: count_open_lines
-- How many lines have no outcome yet.
SELECT r.lines - (SELECT count(*) FROM intake.register_outcome o WHERE o.register = r.register) AS open
FROM intake.register r WHERE r.register = $1;

-- name: mark_booked
-- Every line has its outcome.
UPDATE intake.register SET booked_at = $2 WHERE register = $1 AND booked_at IS NULL;

-- name: list_registers
-- Registers, the newest first, with how many lines had which outcome.
SELECT r.register, c.name AS channel, s.name AS space, r.format, r.file_name, r.number, r.day, r.order_number, r.order_day, r.time_zone,
    r.since, r.until, r.lines, r.total, r.fee, r.skipped, r.purpose, r.loaded_by, r.loaded_at, r.booked_at,
    coalesce((SELECT jsonb_object_agg(t.outcome, t.lines) FROM (
        SELECT o.outcome, count(*) AS lines FROM intake.register_outcome o WHERE o.register = r.register GROUP BY 1) t), '{}')::text
        AS outcomes
FROM intake.register r JOIN reference.channel c ON c.channel = r.channel JOIN reference.operation_space s ON s.space = r.space
WHERE ($1::text IS NULL OR c.name = $1) AND ($2::bigint IS NULL OR r.register = $2) ORDER BY r.register DESC LIMIT $3;

-- name: list_lines
-- Lines of a register after a row with their outcomes, empty for those that have none yet.
SELECT l.row, l.key, l.account, l.amount, l.fee, l.event_at, l.period, l.document, coalesce(o.outcome, '') AS outcome,
    coalesce(o.reason, '') AS reason, coalesce(o.lost, false) AS lost, o.book, o.sequence
FROM intake.register_line l LEFT JOIN intake.register_outcome o ON o.register = l.register AND o.row = l.row
WHERE l.register = $1 AND l.row > $2 ORDER BY l.row LIMIT $3;

-- name: find_channel
-- One channel with its space, by name.
SELECT channel, space FROM reference.channel WHERE name = $1;

-- name: list_books
-- Every payers' book.
SELECT book FROM ledger.book_head WHERE book > 0 ORDER BY book;

-- name: fetch_head
-- A book's newest sequence, 0 for none.
SELECT coalesce(max(sequence), 0) FROM ledger.journal WHERE book = $1;

-- name: fetch_moment
-- When an entry was recorded.
SELECT recorded_at FROM ledger.journal WHERE book = $1 AND sequence = $2;

-- name: count_covering
-- How many reconciliation registers of a space cover a day.
SELECT count(*) FROM intake.register WHERE space = $1 AND purpose = 'reconciliation' AND since <= $2 AND until >= $2;

-- name: list_missing
-- Payments of a channel that happened within an interval, in a passage of a book, and stand in no reconciliation register of days
-- around it.
SELECT j.book, j.sequence, j.external_id, j.amount, j.event_at
FROM ledger.journal j
WHERE j.book = $1 AND j.sequence BETWEEN $2 AND $3 AND j.channel = $4 AND j.kind IN (1, 2) AND j.event_at >= $5 AND j.event_at < $6
  AND NOT EXISTS (
    SELECT FROM intake.register r JOIN intake.register_outcome o ON o.register = r.register
    WHERE r.space = j.space AND r.purpose = 'reconciliation' AND r.since <= $7::date + 3 AND r.until >= $7::date - 3
      AND o.book = j.book AND o.sequence = j.sequence)
ORDER BY j.sequence;
