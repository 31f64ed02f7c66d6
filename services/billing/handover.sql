-- Houses that change their provider within a month (its first day $2, its last $3).

-- name: handovers
-- Of the houses ($1): who bills them on the first day and who from when on; times: how often it changes within the month.
WITH base AS (
    SELECT DISTINCT ON (t.house) t.house, t.provider, t.state FROM housing.live_house_terms t
    WHERE t.house = ANY ($1::int[]) AND t.valid_from <= $2 ORDER BY t.house, t.valid_from DESC),
later AS (
    SELECT t.house, t.valid_from, t.provider, t.state, b.provider AS first,
        lag(t.provider, 1, b.provider) OVER (PARTITION BY t.house ORDER BY t.valid_from) AS before
    FROM housing.live_house_terms t JOIN base b USING (house) WHERE b.state = 0 AND t.valid_from > $2 AND t.valid_from <= $3)
SELECT l.house, min(l.valid_from) AS changed_on, count(*)::int AS times, min(f.code) AS first,
    (array_agg(s.code ORDER BY l.valid_from))[1] AS second
FROM later l JOIN reference.recipient f ON f.recipient = l.first JOIN reference.recipient s ON s.recipient = l.provider
WHERE l.state = 0 AND l.provider <> l.before GROUP BY l.house

-- name: handed_over
-- Houses that come to a provider ($1, a code) within the month from another one that bills them on its first day, by code.
SELECT DISTINCT h.code
FROM housing.live_house_terms t JOIN housing.house h USING (house) JOIN reference.recipient r ON r.recipient = t.provider
    JOIN LATERAL (SELECT b.provider, b.state FROM housing.live_house_terms b WHERE b.house = t.house AND b.valid_from <= $2
        ORDER BY b.valid_from DESC LIMIT 1) b ON b.state = 0 AND b.provider <> t.provider
WHERE r.code = $1 AND t.state = 0 AND t.valid_from > $2 AND t.valid_from <= $3 ORDER BY h.code

-- name: handed_over_accounts
-- The house of each account, named namespace:number, on the month's last day ($6), of houses that come to a provider ($4) as above.
SELECT g.name, h.code
FROM unnest($1::text[], $2::text[], $3::text[]) AS g(name, namespace, number)
    JOIN reference.personal_account a ON a.namespace = g.namespace AND a.number = g.number
    JOIN LATERAL (SELECT c.premises, c.state FROM housing.live_account c
        WHERE c.personal_account = a.personal_account AND c.valid_from <= $6 ORDER BY c.valid_from DESC LIMIT 1) c ON c.state = 0
    JOIN housing.premises p ON p.premises = c.premises JOIN housing.house h ON h.house = p.house
    JOIN LATERAL (SELECT b.provider, b.state FROM housing.live_house_terms b WHERE b.house = h.house AND b.valid_from <= $5
        ORDER BY b.valid_from DESC LIMIT 1) b ON b.state = 0
WHERE EXISTS (SELECT FROM housing.live_house_terms t JOIN reference.recipient r ON r.recipient = t.provider
    WHERE t.house = h.house AND r.code = $4 AND t.provider <> b.provider AND t.state = 0 AND t.valid_from > $5 AND t.valid_from <= $6)

-- name: every_handover
-- Open accounts of a provider ($1, a code) in the houses that another one takes over within the month: those that stood there on its
-- first day.
SELECT h.code AS house, a.personal_account, a.namespace || ':' || a.number AS name
FROM housing.house h
    JOIN LATERAL (SELECT t.provider, t.state FROM housing.live_house_terms t WHERE t.house = h.house AND t.valid_from <= $2
        ORDER BY t.valid_from DESC LIMIT 1) b ON b.state = 0
    JOIN reference.recipient r ON r.recipient = b.provider AND r.code = $1
    JOIN housing.premises p USING (house)
    JOIN LATERAL (SELECT DISTINCT c.personal_account FROM housing.live_account c
        WHERE c.premises = p.premises AND c.state = 0 AND c.valid_from <= $2) c ON true
    JOIN reference.personal_account a ON a.personal_account = c.personal_account AND a.provider = b.provider AND a.state = 0
WHERE EXISTS (SELECT FROM housing.live_house_terms n WHERE n.house = h.house AND n.state = 0 AND n.provider <> b.provider
    AND n.valid_from > $2 AND n.valid_from <= $3)
ORDER BY h.code, name

-- name: keep_debts_only
-- Accounts that take payments of debts alone from now on, and are to get another table; how many they are.
WITH changed AS (
    UPDATE reference.personal_account SET state = 1 WHERE personal_account = ANY ($1::bigint[]) AND state = 0
    RETURNING personal_account),
due AS (
    INSERT INTO reference.table_due (personal_account) SELECT c.personal_account FROM changed c
    ON CONFLICT (personal_account) DO UPDATE SET since = excluded.since)
SELECT count(*) FROM changed
