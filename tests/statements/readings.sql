-- What tests look at, and try to do, among readings.

-- name: readings
-- Everything kept of readings, in the order it came.
SELECT m.code, r.zone, r.value, r.taken_on, r.period, r.verdict, r.fault, r.rolled, r.replaces IS NOT NULL AS is_replacement
FROM readings.reading r JOIN readings.meter m USING (meter) ORDER BY r.reading

-- name: number_of
-- The reading of a meter on a day that nothing replaces.
SELECT r.reading FROM readings.reading r JOIN readings.meter m USING (meter)
WHERE m.code = $1 AND r.taken_on = $2 AND NOT EXISTS (SELECT FROM readings.reading n WHERE n.replaces = r.reading)

-- name: add_accepted
-- A reading by hand, as accepted.
INSERT INTO readings.reading (meter, zone, value, taken_on, period, verdict, fault, rolled, restarts, source, received_at, received_by)
SELECT m.meter, $2, $3, $4, $5, 'accepted', '', $6, false, 'file', '2026-11-24T12:00Z', 'test' FROM readings.meter m WHERE m.code = $1

-- name: change_reading
-- What nobody may do.
UPDATE readings.reading SET value = 0

-- name: delete_reading
-- What nobody may do.
DELETE FROM readings.reading

-- name: counts
-- Rows of every table of facts.
SELECT (SELECT count(*) FROM readings.meter_terms) AS meters, (SELECT count(*) FROM readings.meter_event) AS events,
    (SELECT count(*) FROM readings.possibility) AS possibilities, (SELECT count(*) FROM readings.house_volume) AS volumes,
    (SELECT count(*) FROM readings.reading_window) AS windows

-- name: counter_values
-- What became of readings that came with payments.
SELECT c.register, c.row, c.place, c.reading IS NOT NULL AS is_kept, c.fault FROM readings.counter_value c ORDER BY 1, 2, 3

-- name: add_register
-- A register of one payment, with the readings ($1 counters, $2 values) that came with it.
WITH transit AS (
    INSERT INTO reference.transit_account (account, bic, title) VALUES ('40911810101850000000', '044525593', 'test') RETURNING transit),
space AS (INSERT INTO reference.operation_space (name) VALUES ('test') RETURNING space),
channel AS (
    INSERT INTO reference.channel (name, manner, legal_kind, space, transit)
    SELECT 'bank', 'register', 'bank', s.space, t.transit FROM space s, transit t RETURNING channel, space, transit),
register AS (
    INSERT INTO intake.register (channel, space, transit, format, file_name, content_digest, number, order_number, time_zone, since,
        until, lines, total, fee, skipped, purpose, loaded_by, loaded_at)
    SELECT c.channel, c.space, c.transit, 'test', 'a.txt', '\x00', '', '', 'Europe/Moscow', '2026-11-20', '2026-11-20', 1, 100, 0, 0,
        'payments', 'test', '2026-11-20T12:00Z' FROM channel c RETURNING register),
line AS (
    INSERT INTO intake.register_line (register, row, key, account, amount, fee, event_at, period, designates, document, aliases, repeats)
    SELECT r.register, 1, 'k', '0001001', 100, 0, '2026-11-20T09:00Z', 0, false, '', '{}', false FROM register r RETURNING register)
INSERT INTO intake.meter_reading (register, row, place, counter, reading)
SELECT l.register, 1, g.place, g.counter, g.reading FROM line l,
    unnest($1::text[], $2::text[]) WITH ORDINALITY AS g(counter, reading, place)
