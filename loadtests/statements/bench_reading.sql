-- The stock of the bench of reading: set-based, every figure a function of its number and the seed; run as the owner.

-- name: helpers
-- A number below another, the same for the same arguments; no triggers, which look at every row of a load.
CREATE FUNCTION pg_temp.dice(number bigint, what int, sides int) RETURNS int LANGUAGE sql IMMUTABLE AS
$$ SELECT abs(hashint8extended(number, what) % sides)::int $$;
SET session_replication_role = replica

-- name: recipients
-- A managing organisation, suppliers, the fund; one load that all rows belong to.
INSERT INTO reference.recipient (code, kind, name, inn, kpp)
SELECT code, CASE WHEN code = 'uo' THEN 'management' ELSE 'supplier' END, code, '', '' FROM unnest($1::text[]) AS u(code)

-- name: load
-- One load that all rows belong to.
INSERT INTO housing.load (what, loaded_by) VALUES ('bench', 'bench')

-- name: services
-- Four metered services among the ten of every house.
INSERT INTO housing.service
SELECT code, '2020-01-01', 1, 0, kind, code, 'ед.', base, false, true
FROM (VALUES ('cold', 1, '{}'::text[]), ('hot', 3, '{}'), ('sewage', 5, '{cold,hot}'), ('light', 6, '{}'), ('gas', 7, '{}'),
    ('heating', 8, '{}'), ('waste', 10, '{}'), ('maintenance', 11, '{}'), ('repair', 12, '{}'),
    ('common_light', 16, '{light}')) AS s(code, kind, base)

-- name: tariffs
-- Prices of regions and, for heat, of the supplier; electricity by two zones.
INSERT INTO housing.tariff
SELECT 0, 0, region, service, 0, zone, 0, day::date, 1, 0, price * 10000::bigint
FROM unnest(ARRAY['50', '69', '77']) AS r(region), unnest(ARRAY['2020-01-01', '2025-07-01', '2026-07-01']) AS d(day),
    (VALUES ('cold', 0, 4711), ('sewage', 0, 3211), ('light', 1, 702), ('light', 2, 311), ('gas', 0, 812), ('waste', 0, 77101),
        ('maintenance', 0, 3120), ('repair', 0, 1430), ('common_light', 0, 550)) AS t(service, zone, price)
UNION ALL
SELECT 0, r.recipient, '', service, component, 0, 0, '2026-01-01', 1, 0, price * 10000::bigint
FROM reference.recipient r, (VALUES ('hot', 0, 4817), ('hot', 1, 248671), ('heating', 0, 248671)) AS t(service, component, price)
WHERE r.code = 'heat'

-- name: norms
-- Norms of regions and of two classes of their houses.
INSERT INTO housing.norm
SELECT 0, region, class, service, '2020-01-01', 1, 0, norm, water, space, heat
FROM unnest(ARRAY['50', '69', '77']) AS r(region), unnest(ARRAY['', 'low', 'high']) AS c(class),
    (VALUES ('cold', 4330000, 0, 0, 0), ('hot', 3200000, 0, 0, 64200), ('light', 90000000, 0, 0, 0),
        ('gas', 10000000, 3000000, 0, 0), ('heating', 22900, 0, 0, 0), ('waste', 2200000, 0, 0, 0),
        ('common_light', 700000, 0, 0, 0)) AS n(service, norm, water, space, heat)

-- name: heating
-- A heating period of seven months in every region.
INSERT INTO housing.heating_terms SELECT 0, region, '2020-01-01', 1, 0, 0, 7, false FROM unnest(ARRAY['50', '69', '77']) AS r(region)

-- name: heating_days
-- The months that were heated.
INSERT INTO housing.heating_days
SELECT 0, region, extract(year FROM day)::int * 100 + extract(month FROM day)::int, 1, 0, 28
FROM unnest(ARRAY['50', '69', '77']) AS r(region), generate_series(date '2024-01-01', '2026-12-01', '1 month') AS d(day)
WHERE extract(month FROM day) NOT BETWEEN 5 AND 9

-- name: houses
-- Houses $1 … $2.
INSERT INTO housing.house (code) SELECT 'h' || lpad(n::text, 6, '0') FROM generate_series($1::int, $2::int) n ORDER BY n

-- name: house_terms
-- Regions, classes and the provider of houses $1 … $2.
INSERT INTO housing.house_terms
SELECT n, '2020-01-01', 1, 0, '', 'address ' || n, (ARRAY['50', '69', '77'])[1 + n % 3], (ARRAY['', 'low', 'high'])[1 + n / 3 % 3],
    'Europe/Moscow', (SELECT recipient FROM reference.recipient WHERE code = 'uo')
FROM generate_series($1::int, $2::int) n

-- name: house_areas
-- Areas of houses $1 … $2 of $3 premises.
INSERT INTO housing.house_area
SELECT n, 1, '2020-01-01', 1, 0, $3::int * 55000000::bigint, 300000000 FROM generate_series($1::int, $2::int) n

-- name: contracts
-- Ten services of houses $1 … $2.
INSERT INTO housing.contract (house, service, valid_from, load, state, form, provider, recipient)
SELECT n, s.service, '2020-01-01', 1, 0, CASE WHEN s.recipient = 'fund' THEN 1 ELSE 0 END, p.recipient, r.recipient
FROM generate_series($1::int, $2::int) n,
    (VALUES ('cold', 'water'), ('hot', 'heat'), ('sewage', 'water'), ('light', 'power'), ('gas', 'power'), ('heating', 'heat'),
        ('waste', 'waste'), ('maintenance', 'uo'), ('repair', 'fund'), ('common_light', 'power')) AS s(service, recipient)
    JOIN reference.recipient r ON r.code = s.recipient JOIN reference.recipient p ON p.code = 'uo'

-- name: acts
-- Breaks of cold water in one house of fifty.
INSERT INTO housing.quality_act
SELECT n, 0, 'А-' || n, 'cold', 0, '2026-11-03 10:00', 1, 0, '2026-11-04 12:00', 0, 0, 1, 0, false
FROM generate_series($1::int, $2::int) n WHERE pg_temp.dice(n, 1, 50) = 0

-- name: house_meters
-- What the supplier's bill says of heat, and no common meter.
INSERT INTO readings.house_volume
SELECT n, 'heating', '', 202611, 1, 0, 120000000, 0 FROM generate_series($1::int, $2::int) n

-- name: premises
-- $3 premises of each of houses $1 … $2.
INSERT INTO housing.premises (house, number)
SELECT n, f::text FROM generate_series($1::int, $2::int) n, generate_series(1, $3::int) f ORDER BY n, f

-- name: premises_terms
-- One of a hundred premises $1 … $2 is not residential, two are rooms of one communal flat.
INSERT INTO housing.premises_terms
SELECT n, '2020-01-01', 1, 0, k.kind, CASE WHEN k.kind = 1 THEN 'к' || (n / 2) ELSE '' END, '', ''
FROM generate_series($1::int, $2::int) n
    CROSS JOIN LATERAL (SELECT CASE WHEN n % 100 = 99 THEN 2 WHEN n % 100 IN (10, 11) THEN 1 ELSE 0 END AS kind) k

-- name: premises_areas
-- Areas by the passport, and of two in three by ЕГРН.
INSERT INTO housing.premises_area
SELECT n, s, '2020-01-01', 1, 0, (30 + pg_temp.dice(n, 2, 800) / 10) * 1000000::bigint, 20000000
FROM generate_series($1::int, $2::int) n, generate_series(0, 1) s WHERE s = 1 OR pg_temp.dice(n, 3, 3) > 0

-- name: premises_services
-- Two premises of a hundred are without gas.
INSERT INTO housing.premises_services
SELECT n, '2020-01-01', 1, 0, '{cold,hot,sewage,light,heating,waste,maintenance,repair,common_light}'
FROM generate_series($1::int, $2::int) n WHERE pg_temp.dice(n, 4, 50) = 0

-- name: people
-- Residents of premises $1 … $2.
INSERT INTO housing.residents
SELECT n, 0, '', '2020-01-01', 1, 0, NULL, pg_temp.dice(n, 5, 6) FROM generate_series($1::int, $2::int) n

-- name: owners
-- An owner or two.
INSERT INTO housing.owner
SELECT n, 'p' || o, '2020-01-01', 1, 0, 1, 2 FROM generate_series($1::int, $2::int) n, generate_series(1, 2) o
WHERE o = 1 OR pg_temp.dice(n, 6, 3) = 0

-- name: absences
-- One premises of two hundred has somebody away.
INSERT INTO housing.absence
SELECT n, 'p1', '2026-11-02', 1, 0, '2026-11-20', '2026-11-21', '2026-11-21' FROM generate_series($1::int, $2::int) n
WHERE pg_temp.dice(n, 7, 200) = 0

-- name: personal_accounts
-- An account of each premises $1 … $2.
INSERT INTO reference.personal_account (namespace, number, state, payer_kind, provider)
SELECT 'uo', n::text, 0, 0, (SELECT recipient FROM reference.recipient WHERE code = 'uo')
FROM generate_series($1::int, $2::int) n ORDER BY n

-- name: accounts
-- Who bears the premises' charges: its one account.
INSERT INTO housing.account
SELECT n, '2020-01-01', 1, 0, n, 1, 1, '{}', NULL FROM generate_series($1::int, $2::int) n

-- name: meters
-- Meters of premises $1 … $2: 88 of a hundred services have one, a quarter of waters two, 40 of electricity's have two zones.
INSERT INTO readings.meter (code)
SELECT format('%s-%s-%s', n, s.service, place) FROM generate_series($1::int, $2::int) n
    CROSS JOIN (VALUES ('cold', 1), ('hot', 2), ('light', 3), ('gas', 4)) AS s(service, place_of), generate_series(1, 2) place
WHERE pg_temp.dice(n * 8 + s.place_of, 8, 100) < 88 AND (place = 1 OR (s.place_of < 3 AND pg_temp.dice(n * 8 + s.place_of, 9, 4) = 0))
    AND n % 100 NOT IN (10, 11)
ORDER BY n, s.place_of, place

-- name: meter_terms
-- What meters are: commissioned in 2021 to 2023, three of a hundred out of verification by now.
INSERT INTO readings.meter_terms
SELECT m.meter, 1, 0, p.house, p.premises, '', c[2], c[3], m.code, CASE WHEN c[2] = 'light' AND pg_temp.dice(m.meter, 10, 10) < 4 THEN 2
    ELSE 1 END, 5, 1, 0, date '2021-01-10' + pg_temp.dice(m.meter, 11, 1000),
    CASE WHEN pg_temp.dice(m.meter, 12, 100) < 3 THEN date '2026-09-30' ELSE date '2031-01-10' END, ''
FROM readings.meter m CROSS JOIN LATERAL (SELECT string_to_array(m.code, '-') AS c) s
    JOIN housing.premises p ON p.premises = c[1]::int WHERE c[1]::int BETWEEN $1 AND $2

-- name: meter_events
-- Eight meters of a hundred were verified in time; one of two hundred is broken.
INSERT INTO readings.meter_event
SELECT t.meter, 5, date '2025-03-10', 1, 0, date '2031-03-09', '', 'акт' FROM readings.meter_terms t WHERE pg_temp.dice(t.meter, 13, 100) < 8
UNION ALL
SELECT t.meter, 1, '2026-10-05', 1, 0, NULL, '', 'акт' FROM readings.meter_terms t WHERE pg_temp.dice(t.meter, 14, 200) = 0

-- name: possibilities
-- Where no meter stands it can be installed, or cannot.
INSERT INTO readings.possibility
SELECT n, s.service, '2020-01-01', 1, 0, 1 + (n % 5 = 0)::int, 'акт'
FROM generate_series($1::int, $2::int) n, (VALUES ('cold'), ('hot'), ('light')) AS s(service)
WHERE n % 2 = 0 AND NOT EXISTS (SELECT FROM readings.meter_terms t WHERE t.premises = n AND t.service = s.service)

-- name: readings
-- Readings of the month $1 back from November 2026: nine of ten meters are read in it, one of a hundred not for half a year.
INSERT INTO readings.reading (meter, zone, value, taken_on, period, verdict, fault, rolled, restarts, source, received_at, received_by)
SELECT t.meter, z, ((37 - $1::int) * 4 + pg_temp.dice(t.meter * 100 + $1::int, 15, 4)) * 1000000::bigint,
    (date '2026-11-18' - make_interval(months => $1::int))::date, extract(year FROM d.day)::int * 100 + extract(month FROM d.day)::int,
    'accepted', '', false, false, 'portal', d.day, 'bench'
FROM readings.meter_terms t CROSS JOIN LATERAL generate_series((t.zones > 1)::int, t.zones - (t.zones = 1)::int) z
    CROSS JOIN (SELECT (date '2026-11-18' - make_interval(months => $1::int)) AS day) d
WHERE pg_temp.dice(t.meter * 100 + $1::int, 16, 100) >= 10 AND NOT ($1::int < 6 AND pg_temp.dice(t.meter, 17, 100) = 0)
    AND t.installed <= d.day

-- name: finish
-- What autovacuum would have done by now.
VACUUM ANALYZE
