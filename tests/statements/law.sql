-- Attacks on the rows of law, and what tests read of them.

-- name: insert_approved
-- A row that comes as approved.
INSERT INTO law.rule (table_name, key, valid_from, figures, source, certainty, proposed_by, proposed_at, approved_by, approved_at)
VALUES ('key_rate', '', '2026-12-21', '{"rate": 1}', 's', 'H', 'anna', now(), 'boris', now());

-- name: propose
-- A row with any table, key, region, ends and figures; its number.
INSERT INTO law.rule (table_name, key, region, valid_from, ends, figures, source, certainty, proposed_by, proposed_at)
VALUES ($1, $2, $3, '2026-12-21', $4, $5::text::jsonb, 's', 'H', 'anna', now()) RETURNING rule;

-- name: approve
-- Approve without asking anything.
UPDATE law.rule SET approved_by = $2, approved_at = now() WHERE rule = $1;

-- name: approve_as_proposer
-- The proposer approves, in another case and with blanks.
UPDATE law.rule SET approved_by = '  ' || upper(proposed_by) || ' ', approved_at = now() WHERE rule = $1;

-- name: change_figures
-- Change the figures.
UPDATE law.rule SET figures = '{"rate": 2}' WHERE rule = $1;

-- name: unapprove
-- Take an approval back.
UPDATE law.rule SET approved_by = NULL, approved_at = NULL WHERE rule = $1;

-- name: delete
-- Delete one row.
DELETE FROM law.rule WHERE rule = $1;

-- name: truncate
-- Delete all.
TRUNCATE law.rule;

-- name: registry
-- Tables with keys, and figures with bounds.
SELECT s.table_name, s.keys, f.figure, f.lowest, f.highest FROM law.subject s JOIN law.figure f USING (table_name)
ORDER BY s.table_name, f.figure;

-- name: widen
-- Widen a figure's bounds.
UPDATE law.figure SET highest = highest + 1;

-- name: count_rules
-- Every row there is.
SELECT count(*) FROM law.rule;

-- name: settle
-- A house of the stock with one premises, and the account ($2) that is charged for it.
WITH told AS (INSERT INTO housing.load (what, loaded_by) VALUES ('houses', 'test') RETURNING load),
house AS (INSERT INTO housing.house (code) VALUES ($1) RETURNING house),
premises AS (INSERT INTO housing.premises (house, number) SELECT house, '1' FROM house RETURNING premises)
INSERT INTO housing.account (personal_account, valid_from, load, state, premises, numerator, denominator, excluded)
SELECT $2, '2020-01-01', t.load, 0, p.premises, 1, 1, '{}' FROM told t CROSS JOIN premises p;
