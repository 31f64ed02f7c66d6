-- What people decide about lines.

-- name: find_line
-- A line with its direction, class and place.
SELECT l.line, l.transit, l.is_credit, l.class, l.sequence, l.vanished_from, l.offered FROM bank.line l WHERE l.line = $1 FOR UPDATE;

-- name: classify
-- Give a line that is not booked the class that a person says.
UPDATE bank.line SET class = $2, why = $3, decision = $4, classified_by = $5, classified_at = $6, held_back = ''
WHERE line = $1 AND sequence IS NULL;

-- name: find_space
-- An operation space by name.
SELECT space FROM reference.operation_space WHERE name = $1;

-- name: find_recipient
-- A recipient by its code.
SELECT recipient FROM reference.recipient WHERE code = $1;

-- name: find_cover
-- A booked cover of which only the payer is known.
SELECT c.space, c.by, l.decision FROM bank.cover c JOIN bank.line l ON l.line = c.line
WHERE c.line = $1 AND l.reversed_by IS NULL FOR UPDATE OF l;

-- name: set_hints
-- What a person says a cover covers; the next look matches it again.
UPDATE bank.line SET decision = $2 WHERE line = $1;
