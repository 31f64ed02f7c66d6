-- Loading files of the housing stock: the file's rows stand in staged_housing, made with the columns of the kind's table.

-- name: list_houses
-- Numbers of the houses by code.
SELECT code, house FROM housing.house

-- name: list_recipients
-- Numbers of the recipients by code.
SELECT code, recipient FROM reference.recipient

-- name: list_services
-- Codes of the services.
SELECT DISTINCT service FROM housing.service

-- name: drop_staging
-- Leave nothing of an earlier load in the session.
DROP TABLE IF EXISTS pg_temp.staged_housing

-- name: make_staging
-- The table for the file's rows: $1 the kind's table, $2 columns in the order of the records.
SELECT housing.make_staging($1, $2)

-- name: analyze
-- The planner must know how much was staged.
ANALYZE staged_housing

-- name: find_houses
-- Houses of a file that may bring new ones.
UPDATE staged_housing s SET house = h.house FROM housing.house h WHERE h.code = s.house_code

-- name: number_new_houses
-- New houses get a number of their own, below zero, for the checks.
UPDATE staged_housing s SET house = -d.line_no
FROM (SELECT n.house_code, min(n.line_no) AS line_no FROM staged_housing n WHERE n.house IS NULL GROUP BY n.house_code) d
WHERE d.house_code = s.house_code

-- name: foreign_fias
-- Identifiers of ГАР that another house has, of the file or of the stock.
SELECT f.line_no, f.owner, count(*) OVER () AS found
FROM (
    SELECT s.line_no, min(h.code) AS owner
    FROM staged_housing s JOIN housing.live_house_terms t ON t.fias = s.fias AND t.house <> s.house
        JOIN housing.house h ON h.house = t.house
    WHERE s.fias <> '' GROUP BY s.line_no
    UNION ALL
    SELECT s.line_no, min(o.house_code) FROM staged_housing s JOIN staged_housing o ON o.fias = s.fias AND o.house <> s.house
    WHERE s.fias <> '' AND o.line_no < s.line_no GROUP BY s.line_no) f
ORDER BY f.line_no LIMIT 100

-- name: add_houses
-- Houses that are met for the first time, in the order of the file.
INSERT INTO housing.house (code)
SELECT s.house_code FROM staged_housing s WHERE s.house < 0 GROUP BY s.house_code ORDER BY min(s.line_no)

-- name: find_premises
-- Premises by house and number.
UPDATE staged_housing s SET premises = p.premises
FROM housing.premises p WHERE p.house = s.house_of AND p.number = s.premises_number

-- name: number_new_premises
-- New premises get a number of their own, below zero, for the checks.
UPDATE staged_housing s SET premises = -d.line_no
FROM (SELECT n.house_of, n.premises_number, min(n.line_no) AS line_no
      FROM staged_housing n WHERE n.premises IS NULL GROUP BY n.house_of, n.premises_number) d
WHERE d.house_of = s.house_of AND d.premises_number = s.premises_number

-- name: add_premises
-- Premises that are met for the first time, in the order of the file.
INSERT INTO housing.premises (house, number)
SELECT s.house_of, s.premises_number FROM staged_housing s WHERE s.premises < 0
GROUP BY s.house_of, s.premises_number ORDER BY min(s.line_no)

-- name: unknown_premises
-- Rows whose premises is not loaded.
SELECT s.line_no, s.premises_number AS number, count(*) OVER () AS found FROM staged_housing s
WHERE s.premises_number <> '' AND (s.premises IS NULL OR s.premises = 0) ORDER BY s.line_no LIMIT 100

-- name: find_accounts
-- Personal accounts by their own number.
UPDATE staged_housing s SET personal_account = a.personal_account
FROM reference.personal_account a WHERE a.namespace = s.namespace AND a.number = s.account_number

-- name: find_accounts_by_els
-- Personal accounts by the ЕЛС that names one of them today ($1).
UPDATE staged_housing s SET personal_account = d.personal_account
FROM (SELECT l.number, min(l.personal_account) AS personal_account FROM reference.alias l
      WHERE l.namespace = 'els' AND l.number IN (SELECT n.els FROM staged_housing n)
        AND l.valid_from <= $1 AND (l.valid_to IS NULL OR l.valid_to >= $1)
      GROUP BY l.number HAVING count(DISTINCT l.personal_account) = 1) d
WHERE s.els <> '' AND d.number = s.els

-- name: unknown_accounts
-- Rows whose account is not loaded, or whose ЕЛС names several.
SELECT s.line_no, CASE WHEN s.els <> '' THEN 'els:' || s.els ELSE s.namespace || ':' || s.account_number END AS name,
    count(*) OVER () AS found
FROM staged_housing s WHERE s.personal_account IS NULL ORDER BY s.line_no LIMIT 100

-- name: unknown_bases
-- Services that take volumes of one that is neither in the file nor in the stock.
SELECT s.line_no, b.service AS base, count(*) OVER () AS found
FROM staged_housing s CROSS JOIN LATERAL unnest(s.base) AS b(service)
WHERE NOT EXISTS (SELECT FROM housing.service k WHERE k.service = b.service)
    AND NOT EXISTS (SELECT FROM staged_housing o WHERE o.service = b.service)
ORDER BY s.line_no LIMIT 100

-- name: repeats
-- Rows whose key stands in an earlier line.
SELECT r.line_no, r.first_line, r.found FROM housing.staged_repeats($1) r

-- name: lines_of_owners
-- Lines of the premises whose owners own more than the whole.
SELECT s.line_no, count(*) OVER () AS found FROM staged_housing s
WHERE s.premises = ANY ($1::text::int[]) ORDER BY s.line_no LIMIT 100

-- name: lines_of_accounts
-- Lines of the premises whose accounts bear more than the whole, and of accounts that come back to them.
SELECT s.line_no, count(*) OVER () AS found FROM staged_housing s
WHERE s.premises = ANY ($1::text::int[]) OR s.personal_account IN (
    SELECT a.personal_account FROM housing.account a WHERE a.premises = ANY ($1::text::int[]))
ORDER BY s.line_no LIMIT 100

-- name: begin_load
-- A load's number: it orders the rows of one key.
INSERT INTO housing.load (what, loaded_by) VALUES ($1, $2) RETURNING load

-- name: append_rows
-- Rows that are new or say otherwise than the latest of their key, and how many.
SELECT r.added, r.changed FROM housing.append_rows($1, $2) r

-- name: analyze_table
-- The planner must know how much was loaded.
SELECT housing.analyze_table($1)

-- name: store_names
-- Sealed names of owners, where the file gives one.
INSERT INTO housing.person_name AS n (premises, person, sealed)
SELECT DISTINCT ON (s.premises, s.person) s.premises, s.person, s.sealed FROM staged_housing s WHERE s.sealed IS NOT NULL
ORDER BY s.premises, s.person, s.line_no DESC
ON CONFLICT ON CONSTRAINT person_name_key DO UPDATE SET sealed = excluded.sealed

-- name: erase_name
-- Erase an owner's name for good.
UPDATE housing.person_name n SET sealed = NULL
FROM housing.premises p JOIN housing.house h USING (house)
WHERE h.code = $1 AND p.number = $2 AND n.premises = p.premises AND n.person = $3 AND n.sealed IS NOT NULL RETURNING n.person

-- name: sealed_name
-- An owner's sealed name.
SELECT n.sealed FROM housing.person_name n JOIN housing.premises p USING (premises) JOIN housing.house h USING (house)
WHERE h.code = $1 AND p.number = $2 AND n.person = $3
