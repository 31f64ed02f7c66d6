-- What reports read beside the turnover sheet.

-- name: recipients
-- Names of recipients by code.
SELECT code, name FROM reference.recipient

-- name: services
-- How services are called, by the newest words.
SELECT DISTINCT ON (s.service) s.service, s.title FROM housing.live_service s ORDER BY s.service, s.valid_from DESC

-- name: debts
-- Debts of the filled window by creditor and age on $1 from the day after they were due: 0 not yet due, 1 up to a month, 2 to three, 3 to
-- six, 4 to twelve, 5 to three years, 6 over. kind: 0 principal, 1 penalties, 2 court costs. Overpaid lines do not lessen others.
SELECT c.code AS creditor, d.kind, CASE WHEN $2::boolean THEN d.house ELSE '' END AS house,
    CASE WHEN d.due_date >= $1::date THEN 0 WHEN d.due_date >= $1::date - interval '1 month' THEN 1
        WHEN d.due_date >= $1::date - interval '3 months' THEN 2 WHEN d.due_date >= $1::date - interval '6 months' THEN 3
        WHEN d.due_date >= $1::date - interval '12 months' THEN 4 WHEN d.due_date >= $1::date - interval '3 years' THEN 5 ELSE 6 END AS age,
    count(DISTINCT d.account) AS accounts, sum(d.amount)::bigint AS amount
FROM (SELECT o.*, (SELECT min(f.due_date) FROM reference.charge f WHERE f.personal_account = o.account AND f.period = o.period
            AND f.payee = o.payee AND f.kind = o.kind AND f.pool = o.pool AND f.creditor = o.creditor) AS due_date
    FROM (SELECT p.account, s.house, p.creditor, p.payee, p.period, p.kind, p.pool, sum(p.amount) AS amount
        FROM saldo_part p JOIN saldo_place s ON s.account = p.account WHERE p.kind < 3
        GROUP BY p.account, s.house, p.creditor, p.payee, p.period, p.kind, p.pool HAVING sum(p.amount) > 0) o) d
    JOIN reference.recipient c ON c.recipient = d.creditor
GROUP BY 1, 2, 3, 4 ORDER BY 1, 3, 2, 4

-- name: missing_readings
-- Meters of flats (kept by the provider's houses, $1) that should have told something for period $2, whose last day is $3, and have not:
-- since when, by the day of the last reading that counts, or of commissioning.
SELECT h.code AS house, coalesce(nullif(m.flat, ''), p.number) AS flat, m.service, m.code AS meter,
    coalesce(l.taken_on, m.installed) AS since, l.taken_on IS NULL AS is_silent
FROM readings.live_meter m JOIN housing.house h USING (house) LEFT JOIN housing.premises p ON p.premises = m.premises
    CROSS JOIN LATERAL (SELECT t.provider FROM housing.live_house_terms t WHERE t.house = m.house AND t.state = 0 AND t.valid_from <= $3
        ORDER BY t.valid_from DESC LIMIT 1) t
    LEFT JOIN LATERAL (SELECT max(c.taken_on) AS taken_on FROM readings.counted c WHERE c.meter = m.meter AND c.period < $2) l ON true
WHERE t.provider = $1 AND m.state = 0 AND m.installed <= $3 AND (m.premises <> 0 OR m.flat <> '')
    AND NOT EXISTS (SELECT FROM readings.counted c WHERE c.meter = m.meter AND c.period = $2)
    AND NOT EXISTS (SELECT FROM readings.live_event e WHERE e.meter = m.meter AND e.kind IN (6, 7) AND e.on_day <= $3)
    AND ($4::text[] IS NULL OR h.code = ANY($4::text[]))
ORDER BY char_length(h.code), h.code, char_length(coalesce(nullif(m.flat, ''), p.number)), 2, m.service, m.code
