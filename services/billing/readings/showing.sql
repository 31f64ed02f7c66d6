-- What is shown of meters and readings.

-- name: missing
-- Meters in order of house and premises that have no reading for a period ($1), of one house ($2) or of all; $3: its last day.
SELECT h.code AS house, coalesce(p.number, '') AS premises, l.flat, l.service, l.code AS meter, l.number, c.taken_on, c.value, c.period
FROM readings.live_meter l JOIN housing.house h USING (house) LEFT JOIN housing.premises p ON p.premises = l.premises
    LEFT JOIN LATERAL (SELECT r.taken_on, r.value, r.period FROM readings.counted r
        WHERE r.meter = l.meter AND r.period <= $1 ORDER BY r.period DESC, r.taken_on DESC LIMIT 1) c ON true
WHERE l.state = 0 AND l.installed <= $3 AND ($2 = '' OR h.code = $2) AND c.period IS DISTINCT FROM $1
    AND NOT EXISTS (SELECT FROM readings.live_event e WHERE e.meter = l.meter AND e.kind IN (6, 7) AND e.on_day <= $3)
ORDER BY h.code, char_length(p.number), p.number, l.flat, l.service, l.code

-- name: find_account
-- The premises of an account on a day ($3), with its house and its communal flat.
SELECT p.premises, p.number, h.house, h.code, coalesce(t.flat, '') AS flat
FROM reference.personal_account a
    JOIN LATERAL (SELECT c.premises, c.state FROM housing.live_account c
        WHERE c.personal_account = a.personal_account AND c.valid_from <= $3 ORDER BY c.valid_from DESC LIMIT 1) c ON c.state = 0
    JOIN housing.premises p ON p.premises = c.premises JOIN housing.house h ON h.house = p.house
    LEFT JOIN LATERAL (SELECT t.flat FROM housing.live_premises_terms t WHERE t.premises = p.premises AND t.valid_from <= $3
        ORDER BY t.valid_from DESC LIMIT 1) t ON true
WHERE a.namespace = $1 AND a.number = $2

-- name: readings_of_premises
-- The last readings ($4) of the meters of a premises ($1), or of the communal flat ($3) of its house ($2), the newest first.
SELECT r.reading, l.code AS meter, l.number, l.service, r.zone, r.value, r.taken_on, r.period, r.verdict, r.fault, r.rolled, r.source,
    r.received_at, r.received_by, r.why, EXISTS (SELECT FROM readings.reading n WHERE n.replaces = r.reading) AS is_replaced
FROM readings.live_meter l JOIN readings.reading r USING (meter)
WHERE l.state = 0 AND (l.premises = $1 OR (l.house = $2 AND l.flat = $3 AND $3 <> ''))
ORDER BY r.taken_on DESC, r.reading DESC LIMIT $4
