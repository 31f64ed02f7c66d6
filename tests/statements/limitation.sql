-- Rows of law that the tests of limitation need.

-- name: propose_term
-- A term of limitation from a day, which holds nothing until it is approved.
INSERT INTO law.rule (table_name, key, region, valid_from, ends, figures, source, certainty, note, proposed_by, proposed_at)
VALUES ('limitation', '', '', $1, false, jsonb_build_object('years', $2::int), 'ГК 196', 'document', '', 'first', now())

-- name: approve_terms
-- A second person approves every term.
UPDATE law.rule SET approved_by = 'second', approved_at = now() WHERE approved_by IS NULL

-- name: last_day
-- The last day of limitation of a debt due on a day, as statements say it.
SELECT ($1::date + t.term)::date FROM law.limitation t WHERE $1::date >= t.since AND $1::date < t.before
