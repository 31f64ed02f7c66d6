-- Rows of law: read, proposed, approved.

-- name: lock
-- One loader of shipped rows at a time, until the transaction ends.
SELECT pg_advisory_xact_lock(hashtextextended('law/shipped', 0));

-- name: list_in_force
-- Every row that holds at some time, by table, key, region and day.
SELECT r.rule, r.table_name, r.key, r.region, r.valid_from, r.ends, r.figures::text AS figures, r.source, r.certainty, r.note,
    r.replaces, r.proposed_by, r.proposed_at, r.approved_by, r.approved_at
FROM law.in_force r ORDER BY r.table_name, r.key, r.region, r.valid_from;

-- name: list_waiting
-- Rows that nobody has approved and that still can be: their slot is free, or what they replace is in force.
SELECT r.rule, r.table_name, r.key, r.region, r.valid_from, r.ends, r.figures::text AS figures, r.source, r.certainty, r.note,
    r.replaces, r.proposed_by, r.proposed_at, r.approved_by, r.approved_at
FROM law.rule r
WHERE r.approved_by IS NULL AND CASE WHEN r.replaces IS NULL
    THEN NOT EXISTS (SELECT FROM law.in_force f WHERE (f.table_name, f.key, f.region, f.valid_from)
        = (r.table_name, r.key, r.region, r.valid_from))
    ELSE EXISTS (SELECT FROM law.in_force f WHERE f.rule = r.replaces) END
ORDER BY r.rule;

-- name: find_rule
-- One row, whatever became of it.
SELECT r.rule, r.table_name, r.key, r.region, r.valid_from, r.ends, r.figures::text AS figures, r.source, r.certainty, r.note,
    r.replaces, r.proposed_by, r.proposed_at, r.approved_by, r.approved_at
FROM law.rule r WHERE r.rule = $1;

-- name: propose
-- A row that holds nothing until a second person approves it; its number.
INSERT INTO law.rule (table_name, key, region, valid_from, ends, figures, source, certainty, note, replaces, proposed_by, proposed_at)
VALUES ($1, $2, $3, $4, $5, $6::text::jsonb, $7, $8, $9, $10, $11, $12) RETURNING rule;

-- name: approve
-- Approve a row that nobody has approved.
UPDATE law.rule r SET approved_by = $2, approved_at = $3 WHERE r.rule = $1 AND r.approved_by IS NULL;

-- name: find_in_slot
-- The row in force of a table, key, region and day.
SELECT f.rule, f.ends, f.figures::text AS figures, f.source, f.certainty, f.note, f.proposed_by FROM law.in_force f
WHERE f.table_name = $1 AND f.key = $2 AND f.region = $3 AND f.valid_from = $4;

-- name: was_shipped
-- Whether a release has brought the very same row before, whatever became of it; $7: what a release's name begins with.
SELECT EXISTS (SELECT FROM law.rule r WHERE r.table_name = $1 AND r.key = $2 AND r.region = $3 AND r.valid_from = $4 AND r.ends = $5
    AND r.figures = $6::text::jsonb AND starts_with(r.proposed_by, $7));
