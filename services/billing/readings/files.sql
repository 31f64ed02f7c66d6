-- Files of readings: their rows stand in staged_reading until they are judged.

-- name: make_staging
-- Rows of the file by line number.
DROP TABLE IF EXISTS pg_temp.staged_reading;
CREATE TEMP TABLE staged_reading (
    line_no int, code text, zone smallint, value bigint, taken_on date, received_on date, source text, restarts boolean, period int)

-- name: unknown_meters
-- Rows whose meter is not loaded.
SELECT s.line_no, s.code, count(*) OVER () AS found FROM staged_reading s
WHERE NOT EXISTS (SELECT FROM readings.meter m WHERE m.code = s.code) ORDER BY s.line_no LIMIT 100

-- name: list_staged
-- Rows with the numbers of their meters.
SELECT s.line_no, m.meter, s.zone, s.value, s.taken_on, s.received_on, s.source, s.restarts, s.period
FROM staged_reading s JOIN readings.meter m USING (code) ORDER BY s.line_no
