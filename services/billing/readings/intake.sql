-- Taking readings: what they are judged by, and the rows that are kept.

-- name: lock
-- Take and judge readings alone, until the transaction ends.
SELECT pg_advisory_xact_lock(readings.lock_key())

-- name: find_meters
-- Meters by code.
SELECT m.code, m.meter FROM readings.meter m WHERE m.code = ANY ($1::text[])

-- name: dials
-- What the meters are and where they stand at a moment ($2), by their house's own calendar; the windows of its contract from their first
-- days on; and the last month that the house's provider has closed.
SELECT l.meter, l.code, l.state, l.service, l.zones, l.digits, l.ratio, l.maximum, l.installed, l.verified_until, l.place, l.house,
    t.region, t.time_zone, w.since, w.last_days, (SELECT max(m.period) FROM billing.month m
        WHERE m.provider = t.provider AND m.state = 'closed') AS closed
FROM readings.live_meter l
    LEFT JOIN LATERAL (SELECT t.region, t.time_zone, t.provider FROM housing.live_house_terms t WHERE t.house = l.house
        ORDER BY t.valid_from > ($2::timestamptz AT TIME ZONE t.time_zone)::date, t.valid_from DESC LIMIT 1) t ON true
    LEFT JOIN LATERAL (SELECT array_agg(w.valid_from ORDER BY w.valid_from) AS since, array_agg(w.last_day ORDER BY w.valid_from) AS last_days
        FROM readings.live_window w WHERE w.house = l.house) w ON true
WHERE l.meter = ANY ($1::int[])

-- name: events
-- What happened to the meters.
SELECT e.meter, e.kind, e.on_day, e.verified_until FROM readings.live_event e WHERE e.meter = ANY ($1::int[])

-- name: last_counted
-- The last readings ($3 of a meter and zone at most) that count, and whether there are more.
SELECT g.meter, g.zone, c.value, c.taken_on, c.period, c.rolled, c.restarts
FROM (SELECT DISTINCT u.meter, u.zone FROM unnest($1::int[], $2::smallint[]) AS u(meter, zone)) g
    CROSS JOIN LATERAL (SELECT * FROM readings.counted c WHERE c.meter = g.meter AND c.zone = g.zone
        ORDER BY c.taken_on DESC LIMIT $3) c
ORDER BY g.meter, g.zone, c.taken_on

-- name: known_already
-- Of given readings (meter, zone, day, value) those that were given before, with what became of them.
SELECT g.place, r.reading, r.verdict
FROM unnest($1::int[], $2::smallint[], $3::date[], $4::bigint[]) WITH ORDINALITY AS g(meter, zone, taken_on, value, place)
    JOIN readings.reading r ON r.meter = g.meter AND r.zone = g.zone AND r.taken_on = g.taken_on AND r.value = g.value
WHERE r.replaces IS NULL

-- name: add_readings
-- Keep readings, in the order given.
INSERT INTO readings.reading (meter, zone, value, taken_on, period, verdict, fault, rolled, restarts, source, received_at, received_by)
SELECT g.meter, g.zone, g.value, g.taken_on, g.period, g.verdict, g.fault, g.rolled, g.restarts, g.source, $11, $12
FROM unnest($1::int[], $2::smallint[], $3::bigint[], $4::date[], $5::int[], $6::text[], $7::text[], $8::boolean[], $9::boolean[],
    $10::text[]) WITH ORDINALITY AS g(meter, zone, value, taken_on, period, verdict, fault, rolled, restarts, source, place)
ORDER BY g.place RETURNING reading, meter, zone, taken_on, value

-- name: replaceable
-- A reading that counts or waits, with its meter.
SELECT r.reading, r.meter, r.zone, r.value, r.taken_on, r.period, r.verdict, r.restarts FROM readings.reading r
WHERE r.reading = $1 AND NOT EXISTS (SELECT FROM readings.reading n WHERE n.replaces = r.reading)

-- name: replace
-- The reading that stands for another from now on.
INSERT INTO readings.reading (meter, zone, value, taken_on, period, verdict, fault, rolled, restarts, source, received_at, received_by,
    replaces, why)
VALUES ($1, $2, $3, $4, $5, $6, '', $7, $8, $9, $10, $11, $12, $13) RETURNING reading
