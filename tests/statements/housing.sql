-- What tests look at, and try to do, in the housing stock.

-- name: dated_tables
-- Rows of every dated table.
SELECT 'absence' AS name, count(*)::int AS rows FROM housing.absence UNION ALL
SELECT 'account' AS name, count(*)::int AS rows FROM housing.account UNION ALL
SELECT 'common_terms' AS name, count(*)::int AS rows FROM housing.common_terms UNION ALL
SELECT 'contract' AS name, count(*)::int AS rows FROM housing.contract UNION ALL
SELECT 'heating_days' AS name, count(*)::int AS rows FROM housing.heating_days UNION ALL
SELECT 'heating_terms' AS name, count(*)::int AS rows FROM housing.heating_terms UNION ALL
SELECT 'house_area' AS name, count(*)::int AS rows FROM housing.house_area UNION ALL
SELECT 'house_terms' AS name, count(*)::int AS rows FROM housing.house_terms UNION ALL
SELECT 'norm' AS name, count(*)::int AS rows FROM housing.norm UNION ALL
SELECT 'owner' AS name, count(*)::int AS rows FROM housing.owner UNION ALL
SELECT 'premises_area' AS name, count(*)::int AS rows FROM housing.premises_area UNION ALL
SELECT 'premises_services' AS name, count(*)::int AS rows FROM housing.premises_services UNION ALL
SELECT 'premises_terms' AS name, count(*)::int AS rows FROM housing.premises_terms UNION ALL
SELECT 'quality_act' AS name, count(*)::int AS rows FROM housing.quality_act UNION ALL
SELECT 'residents' AS name, count(*)::int AS rows FROM housing.residents UNION ALL
SELECT 'service' AS name, count(*)::int AS rows FROM housing.service UNION ALL
SELECT 'tariff' AS name, count(*)::int AS rows FROM housing.tariff

-- name: sealed_names
-- Owners' names as they are kept.
SELECT n.person, n.sealed FROM housing.person_name n ORDER BY n.person

-- name: add_load
-- A load to write rows by hand.
INSERT INTO housing.load (what, loaded_by) VALUES ('test', 'test') RETURNING load

-- name: add_area
-- An area by hand.
INSERT INTO housing.premises_area (premises, source, valid_from, load, state, area, living_area) VALUES ($1, 1, '2020-01-01', $2, 0, $3, 0)

-- name: add_premises_terms
-- Terms of a premises by hand.
INSERT INTO housing.premises_terms (premises, valid_from, load, state, kind, flat, without_heating, izhku)
VALUES ($1, '2021-01-01', $2, 0, $3, $4, '', '')

-- name: add_account
-- A share by hand.
INSERT INTO housing.account (personal_account, valid_from, load, state, premises, numerator, denominator, excluded, only_services)
VALUES ($1, $2, $3, 0, $4, $5, $6, '{}', NULL)

-- name: add_owner
-- An owner by hand.
INSERT INTO housing.owner (premises, person, valid_from, load, state, numerator, denominator) VALUES ($1, $2, $3, $4, 0, $5, $6)

-- name: change_area
-- Change what is recorded.
UPDATE housing.premises_area SET area = 1

-- name: delete_area
-- Delete what is recorded.
DELETE FROM housing.premises_area

-- name: truncate_area
-- Delete all that is recorded.
TRUNCATE housing.premises_area
