-- Meters and readings of many houses ($1) by columns; the stock's facts are read by services/billing/stock/facts.sql.

-- name: set_limits
-- Until the transaction ends: columns are reckoned with between its statements, batches of houses sort in memory, and their readings
-- are found by the index, not by looking through all there are.
SELECT set_config('idle_in_transaction_session_timeout', '10min', true), set_config('work_mem', '64MB', true),
    set_config('random_page_cost', '1.1', true)

-- name: meters
-- Meters of the houses that are commissioned by a day ($2), as statement ``meters`` of services/billing/reading.sql chooses them.
SELECT t.meter, t.house, t.premises, t.flat, t.service, t.place, t.zones, t.ratio, t.installed, t.verified_until
FROM readings.meter_terms t
WHERE t.house = ANY ($1::int[]) AND t.state = 0 AND t.installed <= $2
    AND t.load = (SELECT max(n.load) FROM readings.meter_terms n WHERE n.meter = t.meter)

-- name: some_meters
-- The same of some meters ($1), with all that a life is made of.
SELECT m.code, t.* FROM readings.meter_terms t JOIN readings.meter m USING (meter)
WHERE t.meter = ANY ($1::int[]) AND t.load = (SELECT max(n.load) FROM readings.meter_terms n WHERE n.meter = t.meter)
ORDER BY t.meter

-- name: events
-- Everything ever told to have happened to meters that stood in the houses, and whether it counts until a day ($2).
SELECT e.meter, e.kind, e.on_day, e.verified_until, (e.state = 0 AND e.on_day <= $2 AND NOT EXISTS (
    SELECT FROM readings.meter_event o WHERE o.meter = e.meter AND o.kind = e.kind AND o.on_day = e.on_day AND o.load > e.load))::int
FROM readings.meter_event e
WHERE e.meter IN (SELECT t.meter FROM readings.meter_terms t WHERE t.house = ANY ($1::int[]))

-- name: recent_readings
-- Readings of the houses' meters that were taken from a day ($2) on and count until a period ($3). Here and below: what
-- readings.counted counts, but that a replaced reading is looked for among those that replace one, not among all.
SELECT r.meter, r.zone, r.value, r.taken_on, r.period, (r.rolled OR r.restarts)::int FROM readings.reading r
WHERE r.meter IN (SELECT t.meter FROM readings.meter_terms t WHERE t.house = ANY ($1::int[])) AND r.taken_on >= $2 AND r.period <= $3
    AND r.verdict = 'accepted'
    AND NOT EXISTS (SELECT FROM readings.reading n WHERE n.replaces = r.reading AND n.replaces IS NOT NULL)

-- name: restarted
-- Of some meters ($1) those with a dial that was set anew.
SELECT DISTINCT r.meter FROM readings.reading r WHERE r.meter = ANY ($1::int[]) AND r.restarts

-- name: past_readings
-- Readings of some meters ($1) that count for periods $2 … $3 and were taken from a day ($4) on.
SELECT r.meter, r.zone, r.value, r.taken_on, r.period, (r.rolled OR r.restarts)::int FROM readings.reading r
WHERE r.meter = ANY ($1::int[]) AND r.period BETWEEN $2 AND $3 AND r.taken_on >= $4 AND r.verdict = 'accepted'
    AND NOT EXISTS (SELECT FROM readings.reading n WHERE n.replaces = r.reading AND n.replaces IS NOT NULL)
