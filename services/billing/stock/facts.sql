-- What the stock says of houses ($1) in a period: of every key the newest valid_from that is not after the first day ($2).

-- name: every_house
-- All houses of the stock, and one by its code.
SELECT h.house FROM housing.house h WHERE $1 = '' OR h.code = $1 ORDER BY h.house

-- name: houses
-- Houses with their terms and areas; of the two sources of an area ЕГРН prevails.
WITH terms AS (
    SELECT DISTINCT ON (t.house) t.* FROM housing.live_house_terms t WHERE t.house = ANY ($1) AND t.valid_from <= $2
    ORDER BY t.house, t.valid_from DESC),
sources AS (
    SELECT DISTINCT ON (a.house, a.source) a.* FROM housing.live_house_area a WHERE a.house = ANY ($1) AND a.valid_from <= $2
    ORDER BY a.house, a.source, a.valid_from DESC),
areas AS (SELECT DISTINCT ON (s.house) s.* FROM sources s WHERE s.state = 0 ORDER BY s.house, s.source)
SELECT h.house, h.code, t.address, t.region, t.house_class, t.time_zone, r.code AS provider,
    coalesce(a.area_all, 0) AS area_all, coalesce(a.area_common, 0) AS area_common
FROM housing.house h JOIN terms t USING (house) JOIN reference.recipient r ON r.recipient = t.provider LEFT JOIN areas a USING (house)
WHERE t.state = 0 ORDER BY h.house

-- name: contracts
-- Services of the houses: who is paid and who claims, and what the service is.
WITH contracts AS (
    SELECT DISTINCT ON (c.house, c.service) c.* FROM housing.live_contract c WHERE c.house = ANY ($1) AND c.valid_from <= $2
    ORDER BY c.house, c.service, c.valid_from DESC),
services AS (
    SELECT DISTINCT ON (s.service) s.* FROM housing.live_service s WHERE s.valid_from <= $2 ORDER BY s.service, s.valid_from DESC)
SELECT c.house, c.service, c.recipient AS supplier, r.code AS recipient, k.code AS creditor, s.kind, s.title, s.unit, s.base, s.by_area,
    s.payable_by_absent_owners
FROM contracts c JOIN services s USING (service) JOIN reference.recipient r ON r.recipient = c.recipient
    JOIN reference.recipient k ON k.recipient = c.creditor
WHERE c.state = 0 AND s.state = 0 ORDER BY c.house, s.kind, c.service

-- name: tariffs
-- Prices by scope, for houses ($1), suppliers ($3) and regions ($4): every row of the newest day of a service and component.
SELECT n.house, n.supplier, n.region, n.service, n.component, n.zone, n.above, n.price
FROM (
    SELECT t.*, max(t.valid_from) OVER (PARTITION BY t.house, t.supplier, t.region, t.service, t.component) AS newest
    FROM housing.live_tariff t
    WHERE t.valid_from <= $2 AND (t.house = ANY ($1) OR t.supplier = ANY ($3::int[]) OR t.region = ANY ($4::text[]))) n
WHERE n.valid_from = n.newest AND n.state = 0 ORDER BY n.above, n.zone

-- name: norms
-- Norms by scope, for houses ($1) and regions ($3).
SELECT * FROM (
    SELECT DISTINCT ON (n.house, n.region, n.house_class, n.service) n.* FROM housing.live_norm n
    WHERE n.valid_from <= $2 AND (n.house = ANY ($1) OR n.region = ANY ($3::text[]))
    ORDER BY n.house, n.region, n.house_class, n.service, n.valid_from DESC) n
WHERE n.state = 0

-- name: heating_terms
-- How heating is paid by scope, for houses ($1) and regions ($3).
SELECT * FROM (
    SELECT DISTINCT ON (t.house, t.region) t.* FROM housing.live_heating_terms t
    WHERE t.valid_from <= $2 AND (t.house = ANY ($1) OR t.region = ANY ($3::text[])) ORDER BY t.house, t.region, t.valid_from DESC) t
WHERE t.state = 0

-- name: heating_days
-- Days of heating of the period ($2) by scope, for houses ($1) and regions ($3).
SELECT d.house, d.region, d.days FROM housing.live_heating_days d
WHERE d.state = 0 AND d.period = $2 AND (d.house = ANY ($1) OR d.region = ANY ($3::text[]))

-- name: common_terms
-- How resources of the common property are charged.
SELECT * FROM (
    SELECT DISTINCT ON (t.house, t.service) t.* FROM housing.live_common_terms t
    WHERE t.house = ANY ($1) AND t.valid_from <= $2 ORDER BY t.house, t.service, t.valid_from DESC) t
WHERE t.state = 0

-- name: premises
-- Premises that are in force; of some of them ($3) or, where that is NULL, of all: so too by $3 and $5 below. Here and below, of
-- large tables: the latest load of a key and day first, then, withdrawn ones aside, the newest day; the views would look through a
-- whole table for every batch of houses.
SELECT p.house, p.premises, p.number, t.kind, t.flat, t.without_heating <> '' AS is_without_heating
FROM (
    SELECT DISTINCT ON (l.premises) l.*
    FROM (SELECT DISTINCT ON (t.premises, t.valid_from) t.* FROM housing.premises_terms t JOIN housing.premises p USING (premises)
          WHERE p.house = ANY ($1) AND ($3::int[] IS NULL OR p.premises = ANY ($3)) AND t.valid_from <= $2
          ORDER BY t.premises, t.valid_from DESC, t.load DESC) l
    WHERE l.state <> 2 ORDER BY l.premises, l.valid_from DESC) t
    JOIN housing.premises p USING (premises)
WHERE t.state = 0 ORDER BY p.house, char_length(p.number), p.number, p.premises

-- name: areas
-- Areas of premises: ЕГРН prevails where it has one; a living area, which it seldom has, is of the first source that tells it.
SELECT a.premises, (array_agg(a.area ORDER BY a.source))[1] AS area,
    coalesce((array_agg(a.living_area ORDER BY a.source) FILTER (WHERE a.living_area > 0))[1], 0) AS living_area
FROM (
    SELECT DISTINCT ON (l.premises, l.source) l.*
    FROM (SELECT DISTINCT ON (a.premises, a.source, a.valid_from) a.*
          FROM housing.premises_area a JOIN housing.premises p USING (premises)
          WHERE p.house = ANY ($1) AND ($3::int[] IS NULL OR p.premises = ANY ($3)) AND a.valid_from <= $2
          ORDER BY a.premises, a.source, a.valid_from DESC, a.load DESC) l
    WHERE l.state <> 2 ORDER BY l.premises, l.source, l.valid_from DESC) a
WHERE a.state = 0 GROUP BY a.premises

-- name: owners
-- How many owners premises have.
SELECT o.premises, count(*) AS owners
FROM (
    SELECT DISTINCT ON (l.premises, l.person) l.*
    FROM (SELECT DISTINCT ON (o.premises, o.person, o.valid_from) o.* FROM housing.owner o JOIN housing.premises p USING (premises)
          WHERE p.house = ANY ($1) AND ($3::int[] IS NULL OR p.premises = ANY ($3)) AND o.valid_from <= $2
          ORDER BY o.premises, o.person, o.valid_from DESC, o.load DESC) l
    WHERE l.state <> 2 ORDER BY l.premises, l.person, l.valid_from DESC) o
WHERE o.state = 0 GROUP BY o.premises

-- name: residents
-- Person-days of residents until the month's last day ($3); stays of temporary ones of at most $4 days do not count. Rows of one label
-- without a day between are one stay, which may go on after the month.
SELECT s.premises, sum(s.persons * (least(s.last, $3) - greatest(s.valid_from, $2) + 1))::bigint AS person_days
FROM (
    SELECT b.*, sum(b.last - b.valid_from + 1) OVER (PARTITION BY b.premises, b.kind, b.label, b.stay) AS days
    FROM (
        SELECT a.*, count(*) FILTER (WHERE a.begins) OVER (PARTITION BY a.premises, a.kind, a.label ORDER BY a.valid_from) AS stay
        FROM (
            SELECT r.*, r.valid_from IS DISTINCT FROM
                lag(r.last) OVER (PARTITION BY r.premises, r.kind, r.label ORDER BY r.valid_from) + 1 AS begins
            FROM (
                SELECT l.premises, l.kind, l.label, l.state, l.persons, l.valid_from,
                    least(coalesce(l.until, date '9999-12-31'), coalesce(lead(l.valid_from)
                        OVER (PARTITION BY l.premises, l.kind, l.label ORDER BY l.valid_from) - 1, date '9999-12-31')) AS last
                FROM (SELECT DISTINCT ON (r.premises, r.kind, r.label, r.valid_from) r.*
                      FROM housing.residents r JOIN housing.premises p USING (premises)
                      WHERE p.house = ANY ($1) AND ($5::int[] IS NULL OR p.premises = ANY ($5)) AND r.valid_from <= $3::date + $4::int
                      ORDER BY r.premises, r.kind, r.label, r.valid_from, r.load DESC) l
                WHERE l.state <> 2) r
            WHERE r.state = 0 AND r.persons > 0) a) b) s
WHERE s.valid_from <= $3 AND s.last >= $2 AND (s.kind = 0 OR s.days > $4) GROUP BY s.premises

-- name: premises_services
-- Services of premises that are not served with all of the house.
SELECT s.premises, s.services
FROM (
    SELECT DISTINCT ON (l.premises) l.*
    FROM (SELECT DISTINCT ON (s.premises, s.valid_from) s.* FROM housing.premises_services s JOIN housing.premises p USING (premises)
          WHERE p.house = ANY ($1) AND ($3::int[] IS NULL OR p.premises = ANY ($3)) AND s.valid_from <= $2
          ORDER BY s.premises, s.valid_from DESC, s.load DESC) l
    WHERE l.state <> 2 ORDER BY l.premises, l.valid_from DESC) s
WHERE s.state = 0 AND s.services IS NOT NULL

-- name: accounts
-- Accounts that bear a share of the houses' premises. Rows of an account in another house count too: it may have moved there.
SELECT c.premises, c.personal_account, a.namespace, a.number, c.numerator, c.denominator, c.excluded, c.only_services
FROM (
    SELECT DISTINCT ON (l.personal_account) l.*
    FROM (SELECT DISTINCT ON (a.personal_account, a.valid_from) a.* FROM housing.account a
          WHERE a.personal_account IN (
              SELECT b.personal_account FROM housing.account b JOIN housing.premises p USING (premises) WHERE p.house = ANY ($1))
            AND a.valid_from <= $2 ORDER BY a.personal_account, a.valid_from DESC, a.load DESC) l
    WHERE l.state <> 2 ORDER BY l.personal_account, l.valid_from DESC) c
    JOIN housing.premises p USING (premises) JOIN reference.personal_account a USING (personal_account)
WHERE c.state = 0 AND p.house = ANY ($1) ORDER BY c.premises, a.namespace, a.number

-- name: applications
-- Applications of residents who are away on a day of the month, until its last day ($3).
SELECT b.premises, b.person, b.valid_from AS left_on, b.returned_on, b.applied_on, b.documented_on
FROM housing.live_absence b JOIN housing.premises p USING (premises)
WHERE p.house = ANY ($1) AND b.state = 0 AND b.valid_from < $3 AND b.returned_on > $2
ORDER BY b.premises, b.person, b.valid_from

-- name: acts
-- Acts of breaks and bad quality that touch the month, which ends before $3.
SELECT q.house, q.premises, q.number, q.service, q.deviation, q.started_at, q.ended_at, q.measured, q.outdoor, q.supplies, q.room,
    q.cold_region
FROM housing.live_quality_act q
WHERE q.house = ANY ($1) AND q.state = 0 AND q.started_at < $3 AND q.ended_at > $2
ORDER BY q.house, q.premises, q.started_at, q.number
