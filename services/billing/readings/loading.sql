-- Files of meters, of what happened to them, of house volumes and windows: rows of the file stand in staged_meter_fact.

-- name: list_houses
-- Numbers of the houses by code.
SELECT code, house FROM housing.house

-- name: make_staging
-- One table for every kind of file; each fills its columns.
DROP TABLE IF EXISTS pg_temp.staged_meter_fact;
CREATE TEMP TABLE staged_meter_fact (
    line_no int, code text, house int, premises_number text, flat text, service text, place text, number text, zones smallint,
    digits smallint, ratio int, maximum bigint, on_day date, until date, seal text, kind smallint, act text, period int, resource text,
    volume bigint, price bigint, first_day smallint, last_day smallint, state smallint)

-- name: add_found
-- What the file's names find: the premises and the meter.
ALTER TABLE staged_meter_fact ADD COLUMN premises int, ADD COLUMN meter int;
UPDATE staged_meter_fact s SET premises = coalesce(p.premises, 0), meter = m.meter
FROM staged_meter_fact o LEFT JOIN housing.premises p ON p.house = o.house AND p.number = o.premises_number
    LEFT JOIN readings.meter m ON m.code = o.code
WHERE o.line_no = s.line_no;
ANALYZE staged_meter_fact

-- name: unknown_premises
-- Rows whose premises is not loaded.
SELECT s.line_no, s.premises_number AS number, count(*) OVER () AS found FROM staged_meter_fact s
WHERE s.premises_number <> '' AND s.premises = 0 ORDER BY s.line_no LIMIT 100

-- name: unknown_flats
-- Rows whose communal flat no premises of the house names.
SELECT s.line_no, s.flat, count(*) OVER () AS found FROM staged_meter_fact s
WHERE s.flat <> '' AND NOT EXISTS (
    SELECT FROM housing.premises p JOIN housing.premises_terms t USING (premises) WHERE p.house = s.house AND t.flat = s.flat)
ORDER BY s.line_no LIMIT 100

-- name: unknown_services
-- Rows whose service is not loaded.
SELECT s.line_no, s.service, count(*) OVER () AS found FROM staged_meter_fact s
WHERE s.service <> '' AND NOT EXISTS (SELECT FROM housing.service k WHERE k.service = s.service) ORDER BY s.line_no LIMIT 100

-- name: unknown_meters
-- Rows whose meter is not loaded.
SELECT s.line_no, s.code, count(*) OVER () AS found FROM staged_meter_fact s WHERE s.meter IS NULL ORDER BY s.line_no LIMIT 100

-- name: repeats
-- Rows whose key stands in an earlier line.
SELECT r.line_no, r.first_line, count(*) OVER () AS found
FROM (SELECT s.line_no, min(s.line_no) OVER (
        PARTITION BY s.code, s.house, s.premises_number, s.service, s.kind, s.on_day, s.resource, s.period) AS first_line
      FROM staged_meter_fact s) r
WHERE r.line_no > r.first_line ORDER BY r.line_no LIMIT 100

-- name: repeated_meters
-- Rows of a meter that stands in an earlier line.
SELECT r.line_no, r.first_line, count(*) OVER () AS found
FROM (SELECT s.line_no, min(s.line_no) OVER (PARTITION BY s.code) AS first_line FROM staged_meter_fact s) r
WHERE r.line_no > r.first_line ORDER BY r.line_no LIMIT 100

-- name: moved_meters
-- Rows that would give a meter with readings other zones, digits or place in the stock: its readings would mean something else.
SELECT s.line_no, s.code, count(*) OVER () AS found
FROM staged_meter_fact s JOIN readings.live_meter l ON l.meter = s.meter
WHERE (s.zones, s.digits, s.ratio, s.service) IS DISTINCT FROM (l.zones, l.digits, l.ratio, l.service)
    AND EXISTS (SELECT FROM readings.reading r WHERE r.meter = s.meter)
ORDER BY s.line_no LIMIT 100

-- name: begin_load
-- A load's number: it orders the rows of one key.
INSERT INTO housing.load (what, loaded_by) VALUES ($1, $2) RETURNING load

-- name: add_meters
-- Meters that are met for the first time, in the order of the file.
WITH added AS (
    INSERT INTO readings.meter (code) SELECT s.code FROM staged_meter_fact s WHERE s.meter IS NULL ORDER BY s.line_no
    ON CONFLICT ON CONSTRAINT meter_once DO NOTHING RETURNING meter, code)
UPDATE staged_meter_fact s SET meter = a.meter FROM added a WHERE a.code = s.code

-- name: append_meters
-- Meters that are new or differ from the latest row, and how many.
WITH known AS (SELECT l.* FROM readings.live_meter l JOIN staged_meter_fact s USING (meter)),
written AS (
    INSERT INTO readings.meter_terms (meter, load, state, house, premises, flat, service, place, number, zones, digits, ratio, maximum,
        installed, verified_until, seal)
    SELECT s.meter, $1, s.state, s.house, s.premises, s.flat, s.service, s.place, s.number, s.zones, s.digits, s.ratio, s.maximum,
        s.on_day, s.until, s.seal
    FROM staged_meter_fact s LEFT JOIN known k USING (meter)
    WHERE k.load IS NULL OR (s.state, s.house, s.premises, s.flat, s.service, s.place, s.number, s.zones, s.digits, s.ratio, s.maximum,
        s.on_day, s.until, s.seal) IS DISTINCT FROM (k.state, k.house, k.premises, k.flat, k.service, k.place, k.number, k.zones,
        k.digits, k.ratio, k.maximum, k.installed, k.verified_until, k.seal)
    RETURNING meter)
SELECT count(*) FILTER (WHERE k.load IS NULL) AS added, count(*) FILTER (WHERE k.load IS NOT NULL) AS changed
FROM written LEFT JOIN known k USING (meter)

-- name: append_events
-- Events that are new or differ from the latest row of their key, and how many.
WITH known AS (
    SELECT DISTINCT ON (e.meter, e.kind, e.on_day) e.* FROM readings.meter_event e JOIN staged_meter_fact s USING (meter, kind, on_day)
    ORDER BY e.meter, e.kind, e.on_day, e.load DESC),
written AS (
    INSERT INTO readings.meter_event (meter, kind, on_day, load, state, verified_until, seal, act)
    SELECT s.meter, s.kind, s.on_day, $1, s.state, s.until, s.seal, s.act
    FROM staged_meter_fact s LEFT JOIN known k USING (meter, kind, on_day)
    WHERE k.load IS NULL OR (s.state, s.until, s.seal, s.act) IS DISTINCT FROM (k.state, k.verified_until, k.seal, k.act)
    RETURNING meter, kind, on_day)
SELECT count(*) FILTER (WHERE k.load IS NULL) AS added, count(*) FILTER (WHERE k.load IS NOT NULL) AS changed
FROM written LEFT JOIN known k USING (meter, kind, on_day)

-- name: append_possibilities
-- Possibilities that are new or differ from the latest row of their key, and how many.
WITH known AS (
    SELECT DISTINCT ON (p.premises, p.service, p.valid_from) p.* FROM readings.possibility p
        JOIN staged_meter_fact s ON (s.premises, s.service, s.on_day) = (p.premises, p.service, p.valid_from)
    ORDER BY p.premises, p.service, p.valid_from, p.load DESC),
written AS (
    INSERT INTO readings.possibility AS n (premises, service, valid_from, load, state, possibility, act)
    SELECT s.premises, s.service, s.on_day, $1, s.state, s.kind, s.act
    FROM staged_meter_fact s LEFT JOIN known k ON (k.premises, k.service, k.valid_from) = (s.premises, s.service, s.on_day)
    WHERE k.load IS NULL OR (s.state, s.kind, s.act) IS DISTINCT FROM (k.state, k.possibility, k.act)
    RETURNING n.premises, n.service, n.valid_from)
SELECT count(*) FILTER (WHERE k.load IS NULL) AS added, count(*) FILTER (WHERE k.load IS NOT NULL) AS changed
FROM written LEFT JOIN known k USING (premises, service, valid_from)

-- name: append_house_volumes
-- House volumes that are new or differ from the latest row of their key, and how many.
WITH known AS (
    SELECT DISTINCT ON (v.house, v.service, v.resource, v.period) v.* FROM readings.house_volume v
        JOIN staged_meter_fact s USING (house, service, resource, period)
    ORDER BY v.house, v.service, v.resource, v.period, v.load DESC),
written AS (
    INSERT INTO readings.house_volume (house, service, resource, period, load, state, volume, price)
    SELECT s.house, s.service, s.resource, s.period, $1, s.state, s.volume, s.price
    FROM staged_meter_fact s LEFT JOIN known k USING (house, service, resource, period)
    WHERE k.load IS NULL OR (s.state, s.volume, s.price) IS DISTINCT FROM (k.state, k.volume, k.price)
    RETURNING house, service, resource, period)
SELECT count(*) FILTER (WHERE k.load IS NULL) AS added, count(*) FILTER (WHERE k.load IS NOT NULL) AS changed
FROM written LEFT JOIN known k USING (house, service, resource, period)

-- name: append_windows
-- Windows that are new or differ from the latest row of their key, and how many.
WITH known AS (
    SELECT DISTINCT ON (w.house, w.valid_from) w.* FROM readings.reading_window w
        JOIN staged_meter_fact s ON (s.house, s.on_day) = (w.house, w.valid_from) ORDER BY w.house, w.valid_from, w.load DESC),
written AS (
    INSERT INTO readings.reading_window AS n (house, valid_from, load, state, first_day, last_day)
    SELECT s.house, s.on_day, $1, s.state, s.first_day, s.last_day
    FROM staged_meter_fact s LEFT JOIN known k ON (k.house, k.valid_from) = (s.house, s.on_day)
    WHERE k.load IS NULL OR (s.state, s.first_day, s.last_day) IS DISTINCT FROM (k.state, k.first_day, k.last_day)
    RETURNING n.house, n.valid_from)
SELECT count(*) FILTER (WHERE k.load IS NULL) AS added, count(*) FILTER (WHERE k.load IS NOT NULL) AS changed
FROM written LEFT JOIN known k USING (house, valid_from)
