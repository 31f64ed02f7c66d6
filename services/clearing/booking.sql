-- Lines booked: entries of book 0 in the transaction in which bank.line.sequence is set.

-- name: list_to_book
-- Classified lines without an entry that nothing holds back, in order, from a place on.
SELECT l.line, l.transit, l.bank_id, l.day, l.is_credit, l.amount, l.number, l.document_day, l."references", l.class, l.decision, l.turn
FROM bank.line l
WHERE l.line > $1 AND (l.class IS NULL OR l.sequence IS NULL AND l.class NOT IN ('own_order', 'returned_order')) AND l.sequence IS NULL AND l.class NOT IN ('own_order', 'returned_order') AND l.class = ANY ($3::text[])
  AND l.vanished_from IS NULL AND l.held_back = ''
  AND (l.class NOT IN ('payment', 'unknown', 'cover') OR coalesce(bank.believes(l.transit, l.day), 'statement') = 'statement')
ORDER BY l.line LIMIT $2;

-- name: lock_to_book
-- Hold those of the lines that may still be booked as they were read.
SELECT l.line FROM bank.line l JOIN unnest($1::bigint[], $2::text[], $3::int[], $4::text[]) AS t(line, class, turn, decision)
    ON l.line = t.line
WHERE l.sequence IS NULL AND l.class = t.class AND l.turn = t.turn AND l.decision = t.decision AND l.vanished_from IS NULL
  AND l.held_back = ''
ORDER BY l.line FOR UPDATE OF l;

-- name: set_offered
-- The payments that lines are go to the stations: from now on they may be booked.
UPDATE bank.line SET offered = true WHERE line = ANY ($1::bigint[]) AND NOT offered;

-- name: list_others_references
-- References of lines that lead to a payment of another line: payers write some of them, and may write one again.
SELECT t.line, t.reference FROM unnest($1::bigint[], $2::text[]) AS t(line, reference)
  CROSS JOIN LATERAL (SELECT coalesce(intake.payment_of($3, t.reference), t.reference) AS external_id) p
WHERE (SELECT true FROM bank.line o WHERE o.transit = $4 AND o.bank_id = p.external_id AND o.line <> t.line LIMIT 1)
  OR (SELECT true FROM bank.cover_part b JOIN bank.cover v ON v.line = b.line AND v.turn = b.turn
    WHERE b.operation = p.external_id AND b.operation <> '' AND v.space = $3 AND v.line <> t.line LIMIT 1);

-- name: set_sequences
-- The entries of lines.
UPDATE bank.line l SET sequence = t.sequence FROM unnest($1::bigint[], $2::bigint[]) AS t(line, sequence) WHERE l.line = t.line;

-- name: hold_back
-- Keep a line for a person, and say why.
UPDATE bank.line SET held_back = $2, offered = offered AND $3 WHERE line = $1 AND sequence IS NULL;

-- name: set_payment_covers
-- Covers of payments that lines are: each covers itself, on the day of its value; parts and all.
WITH told AS MATERIALIZED (
    SELECT * FROM unnest($1::bigint[], $2::int[], $3::text[], $4::bigint[], $5::date[]) AS t(line, space, reference, amount, day)),
covers AS (
    INSERT INTO bank.cover AS c (line, space, by, reference, promised, gross, fee, difference, reason)
    SELECT t.line, t.space, 'operation', t.reference, t.amount, t.amount, 0, 0, '' FROM told t
    ON CONFLICT (line) DO UPDATE SET promised = excluded.promised, reason = '', turn = c.turn + 1 RETURNING c.line, c.turn),
named AS (
    INSERT INTO bank.named_day AS n (transit, space, day, amount)
    SELECT $8, t.space, t.day, sum(t.amount)::bigint FROM told t GROUP BY t.space, t.day
    ON CONFLICT ON CONSTRAINT named_day_key DO UPDATE SET amount = n.amount + excluded.amount)
INSERT INTO bank.cover_part (line, turn, part, day, operation, promised, amount, fee, reason, told_by, told_at)
SELECT t.line, c.turn, 1, t.day, t.reference, t.amount, t.amount, 0, '', $6, $7 FROM told t JOIN covers c USING (line);

-- name: lock_space
-- Let one cover of a clearing account be matched at a time, to the end of the transaction.
SELECT pg_advisory_xact_lock(hashtextextended('bank.cover/' || $1::int::text || '/' || $2::int::text, 0));

-- name: set_cover
-- What a cover is known to cover now; its parts are of the turn returned.
INSERT INTO bank.cover AS c (line, space, by, reference, promised, gross, fee, fee_bearer, difference, reason)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $6::bigint - $5::bigint, $9)
ON CONFLICT (line) DO UPDATE SET by = excluded.by, reference = excluded.reference, promised = excluded.promised, gross = excluded.gross,
    fee = excluded.fee, fee_bearer = excluded.fee_bearer, difference = excluded.difference,
    reason = excluded.reason, turn = c.turn + 1
RETURNING turn;

-- name: add_parts
-- What a cover consists of.
INSERT INTO bank.cover_part (line, turn, part, register, day, operation, promised, amount, fee, reason, told_by, told_at)
SELECT $1, $2, t.part, t.register, t.day, t.operation, t.promised, t.amount, t.fee, t.reason, $3, $4
FROM unnest($5::bigint[], $6::date[], $7::text[], $8::bigint[], $9::bigint[], $10::bigint[], $11::text[])
  WITH ORDINALITY AS t(register, day, operation, promised, amount, fee, reason, part);

-- name: name_days
-- Count the parts of one turn of a cover to the days that they name, with a sign.
INSERT INTO bank.named_day AS n (transit, space, day, amount)
SELECT l.transit, c.space, p.day, ($3 * sum(p.amount))::bigint
FROM bank.cover_part p JOIN bank.cover c ON c.line = p.line JOIN bank.line l ON l.line = p.line
WHERE p.line = $1 AND p.turn = $2 AND p.day IS NOT NULL GROUP BY 1, 2, 3
ON CONFLICT ON CONSTRAINT named_day_key DO UPDATE SET amount = n.amount + excluded.amount;

-- name: list_vanished
-- Vanished lines whose entry stands; those that a feed booked are the feed's to undo.
SELECT l.line, l.transit, l.bank_id, l.sequence, l.class, l.amount, c.fee_sequence, c.turn
FROM bank.line l LEFT JOIN bank.cover c ON c.line = l.line
  CROSS JOIN LATERAL (SELECT j.space FROM ledger.journal j WHERE j.book = 0 AND j.sequence = l.sequence LIMIT 1) e
WHERE l.vanished_from IS NOT NULL AND l.sequence IS NOT NULL AND l.reversed_by IS NULL AND e.space = 6 ORDER BY l.line LIMIT $1;

-- name: lock_vanished
-- Hold a vanished line whose entry stands.
SELECT line FROM bank.line WHERE line = $1 AND vanished_from IS NOT NULL AND sequence = $2 AND reversed_by IS NULL FOR UPDATE;

-- name: set_reversed
-- The reversal of a vanished line's entry; what it covered is covered no more.
WITH emptied AS (
    UPDATE bank.cover SET turn = turn + 1, promised = gross, difference = 0, reason = 'строка исчезла из выписки', fee_sequence = NULL
    WHERE line = $1)
UPDATE bank.line SET reversed_by = $2 WHERE line = $1;

-- name: list_unexplained
-- Booked covers of which only the payer is known, the oldest first, from a place on.
SELECT l.line, l.transit, l.bank_id, l.day, l.is_credit, l.amount, l.number, l.document_day, l."references", l.class, l.decision, l.turn,
    c.space, c.fee, c.fee_bearer
FROM bank.cover c JOIN bank.line l ON l.line = c.line
WHERE c.by = 'payer' AND l.line > $1 AND l.sequence IS NOT NULL AND l.reversed_by IS NULL AND l.vanished_from IS NULL
ORDER BY l.line LIMIT $2;

-- name: lock_unexplained
-- Hold a cover while it is explained.
SELECT c.line, c.space, c.fee FROM bank.cover c JOIN bank.line l ON l.line = c.line
WHERE c.line = $1 AND c.by = 'payer' AND l.sequence IS NOT NULL AND l.reversed_by IS NULL FOR UPDATE OF c;

-- name: set_fee_sequence
-- The entry of a fee that was learnt after its cover was booked.
UPDATE bank.cover SET fee_sequence = $2 WHERE line = $1;
