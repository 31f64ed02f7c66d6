-- Whose houses a caller may edit.

-- name: own_houses
-- Houses that the caller's recipients provide for by their newest terms.
SELECT h.code FROM housing.house h JOIN LATERAL (
    SELECT t.provider, t.state FROM housing.live_house_terms t WHERE t.house = h.house ORDER BY t.valid_from DESC LIMIT 1) t ON true
WHERE t.state = 0 AND t.provider = ANY ((SELECT access.current_recipients())::int[])
