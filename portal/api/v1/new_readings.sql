-- Meters that a caller may give readings of.

-- name: own_meters
-- Numbers of meters by code ($1), in houses that the caller provides for by their newest terms; the operator's ($2) are all.
SELECT DISTINCT m.code, m.meter
FROM readings.meter m JOIN readings.meter_terms x USING (meter) JOIN LATERAL (
    SELECT t.provider FROM housing.live_house_terms t WHERE t.house = x.house ORDER BY t.valid_from DESC LIMIT 1) t ON true
WHERE m.code = ANY ($1::text[]) AND ($2 OR t.provider = ANY ((SELECT access.current_recipients())::int[]))
