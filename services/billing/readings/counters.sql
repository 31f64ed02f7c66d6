-- Readings that came with payments: kept aside by the intake of registers (intake.meter_reading), or given by a caller.

-- name: list_untaken
-- Counter values of registers that nobody took yet, with the day of their payment, in order.
SELECT v.register, v.row, v.place, v.counter, v.reading, (l.event_at AT TIME ZONE r.time_zone)::date AS day
FROM intake.meter_reading v JOIN intake.register_line l USING (register, row) JOIN intake.register r USING (register)
WHERE NOT EXISTS (
    SELECT FROM readings.counter_value c WHERE (c.register, c.row, c.place) = (v.register, v.row, v.place))
ORDER BY v.register, v.row, v.place LIMIT $1

-- name: find_counters
-- Meters by their codes, or by a factory number that one meter alone has.
SELECT c.counter, coalesce(m.meter, n.meter) AS meter, coalesce(m.zones, n.zones) AS zones
FROM (SELECT DISTINCT u.counter FROM unnest($1::text[]) AS u(counter)) c
    LEFT JOIN readings.live_meter m ON m.code = c.counter AND m.state = 0
    LEFT JOIN LATERAL (SELECT min(l.meter) AS meter, min(l.zones) AS zones FROM readings.live_meter l
        WHERE l.number = c.counter AND l.number <> '' AND l.state = 0 HAVING count(*) = 1) n ON m.meter IS NULL
WHERE coalesce(m.meter, n.meter) IS NOT NULL

-- name: keep_outcomes
-- What became of counter values of registers.
INSERT INTO readings.counter_value (register, row, place, reading, fault)
SELECT g.register, g.row, g.place, nullif(g.reading, 0), g.fault
FROM unnest($1::bigint[], $2::int[], $3::int[], $4::bigint[], $5::text[]) AS g(register, row, place, reading, fault)
