-- What a month's calculation reads of meters, readings and house volumes, for houses ($1) together.

-- name: provided_houses
-- Houses that a provider bills in the month that begins on a day, by code.
SELECT h.house, h.code FROM housing.house h
    JOIN LATERAL (SELECT t.provider, t.state FROM housing.live_house_terms t WHERE t.house = h.house AND t.valid_from <= $2
        ORDER BY t.valid_from DESC LIMIT 1) t ON t.state = 0
    JOIN reference.recipient r ON r.recipient = t.provider
WHERE r.code = $1 ORDER BY h.code

-- name: houses_by_code
-- Numbers of houses.
SELECT h.house, h.code FROM housing.house h WHERE h.code = ANY ($1::text[])

-- name: houses_of_accounts
-- The house of each account, named namespace:number, on a day.
SELECT g.name, h.code
FROM unnest($1::text[], $2::text[], $3::text[]) AS g(name, namespace, number)
    JOIN reference.personal_account a ON a.namespace = g.namespace AND a.number = g.number
    JOIN LATERAL (SELECT c.premises, c.state FROM housing.live_account c
        WHERE c.personal_account = a.personal_account AND c.valid_from <= $4 ORDER BY c.valid_from DESC LIMIT 1) c ON c.state = 0
    JOIN housing.premises p ON p.premises = c.premises JOIN housing.house h ON h.house = p.house

-- name: departed
-- Accounts with sums decided for a provider's ($1) month ($2, its first day $3) that stand in none of its houses any more: of those that
-- stood in the given houses ($4, codes) last, or of the named ones ($5, namespace:number). Where they stood, and their names.
SELECT h.code, p.number, a.namespace || ':' || a.number AS name
FROM (SELECT DISTINCT b.personal_account FROM housing.house g JOIN housing.premises q USING (house) JOIN housing.account b USING (premises)
        WHERE g.code = ANY ($4::text[])
    UNION SELECT n.personal_account FROM unnest($5::text[]) AS u(name) JOIN reference.personal_account n
        ON n.namespace = split_part(u.name, ':', 1) AND n.number = substr(u.name, strpos(u.name, ':') + 1)) w
    JOIN reference.personal_account a USING (personal_account)
    CROSS JOIN (SELECT r.recipient FROM reference.recipient r WHERE r.code = $1) v
    CROSS JOIN LATERAL (
        SELECT b.premises FROM housing.account b JOIN housing.premises q USING (premises)
            JOIN LATERAL (SELECT t.provider, t.state FROM housing.live_house_terms t WHERE t.house = q.house AND t.valid_from <= $3
                ORDER BY t.valid_from DESC LIMIT 1) t ON t.state = 0 AND t.provider = v.recipient
        WHERE b.personal_account = w.personal_account AND b.state = 0 AND b.valid_from <= $3
        ORDER BY b.valid_from DESC, b.load DESC LIMIT 1) l
    JOIN housing.premises p ON p.premises = l.premises JOIN housing.house h ON h.house = p.house
WHERE EXISTS (SELECT FROM billing.adjustment j WHERE j.account = w.personal_account AND j.in_period = $2 AND j.provider = v.recipient
        GROUP BY j.service, j.kind, j.of_period HAVING sum(j.amount) <> 0)
    AND NOT EXISTS (
        SELECT FROM (SELECT c.premises, c.state FROM housing.live_account c
                WHERE c.personal_account = w.personal_account AND c.valid_from <= $3 ORDER BY c.valid_from DESC LIMIT 1) c
            JOIN housing.premises q USING (premises)
            JOIN LATERAL (SELECT t.provider, t.state FROM housing.live_house_terms t WHERE t.house = q.house AND t.valid_from <= $3
                ORDER BY t.valid_from DESC LIMIT 1) t ON t.state = 0 AND t.provider = v.recipient
        WHERE c.state = 0)
ORDER BY h.code, p.number, name

-- name: number_accounts
-- The ledger's numbers of accounts that are a provider's ($4, a code): an account that a house had before it changed its provider is
-- not the next one's, or its run would take away what the first one's charged.
SELECT g.name, a.personal_account
FROM unnest($1::text[], $2::text[], $3::text[]) AS g(name, namespace, number)
    JOIN reference.personal_account a ON a.namespace = g.namespace AND a.number = g.number
    JOIN reference.recipient r ON r.recipient = a.provider AND r.code = $4

-- name: meters
-- Meters of the houses that are commissioned by a day ($2): the latest load of each counts, wherever an earlier one put it. The view
-- would look through all meters for every batch of houses.
SELECT m.code, t.* FROM readings.meter_terms t JOIN readings.meter m USING (meter)
WHERE t.house = ANY ($1::int[]) AND t.state = 0 AND t.installed <= $2
    AND t.load = (SELECT max(n.load) FROM readings.meter_terms n WHERE n.meter = t.meter)
ORDER BY t.meter

-- name: events
-- What happened to meters until a day ($2).
SELECT e.meter, e.kind, e.on_day, e.verified_until FROM readings.live_event e
WHERE e.meter = ANY ($1::int[]) AND e.on_day <= $2 ORDER BY e.meter, e.on_day, e.kind

-- name: readings
-- Readings of meters that count for periods $2 … $3.
SELECT c.meter, c.zone, c.value, c.taken_on, c.period, c.rolled, c.restarts FROM readings.counted c
WHERE c.meter = ANY ($1::int[]) AND c.period BETWEEN $2 AND $3 ORDER BY c.meter, c.period, c.taken_on, c.zone

-- name: possibilities
-- Whether meters can be installed, on a day ($2).
SELECT DISTINCT ON (p.premises, p.service) p.premises, p.service, p.possibility
FROM readings.live_possibility p JOIN housing.premises h USING (premises)
WHERE h.house = ANY ($1::int[]) AND p.valid_from <= $2 ORDER BY p.premises, p.service, p.valid_from DESC

-- name: house_volumes
-- What acts and bills say of the houses in a period.
SELECT v.house, v.service, v.resource, v.volume, v.price FROM readings.live_house_volume v
WHERE v.house = ANY ($1::int[]) AND v.period = $2

-- name: house_years
-- Volumes of the houses in the twelve periods $2 … $3.
SELECT v.house, v.service, v.period, v.volume FROM readings.live_house_volume v
WHERE v.house = ANY ($1::int[]) AND v.resource = '' AND v.period BETWEEN $2 AND $3

-- name: heated_periods
-- Periods $3 … $4 in which houses ($1, of the regions $2) were heated: what is told of a house comes before what is of its region.
SELECT n.house, n.period
FROM (
    SELECT DISTINCT ON (a.house, d.period) a.house, d.period, d.days
    FROM unnest($1::int[], $2::text[]) AS a(house, region)
        JOIN housing.live_heating_days d ON d.house = a.house OR (d.house = 0 AND d.region = a.region)
    WHERE d.state = 0 AND d.period BETWEEN $3 AND $4 ORDER BY a.house, d.period, d.house DESC) n
WHERE n.days > 0
