-- The consumer of reassignments.

-- name: list_departures
-- Reassignments of a passage (kind 14) that are first halves.
SELECT j.* FROM ledger.journal j
WHERE j.book = $1::smallint AND j.sequence > $2 AND j.sequence <= $3 AND j.kind = 14 AND j.space = 1 ORDER BY j.sequence;

-- name: count_entries
-- How many entries a passage holds.
SELECT count(*) FROM ledger.journal j WHERE j.book = $1::smallint AND j.sequence > $2 AND j.sequence <= $3;
