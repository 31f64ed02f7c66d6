-- Which houses and closed periods an open month looks at again.

-- name: list_published
-- Houses and earlier periods ($2 … $3, of provider $1) that are charged, and when their newest whole run was begun.
SELECT DISTINCT ON (h.house, h.period) h.house, h.period, r.made_at
FROM billing.run_house h JOIN billing.run r USING (run)
WHERE h.provider = $1 AND h.period BETWEEN $2 AND $3 AND h.standing = 'published' AND r.scope <> 'accounts'
ORDER BY h.house, h.period, h.run DESC

-- name: find_last_take
-- The newest take of the provider that was done: what it looked at need not be looked at again.
SELECT t.take, t.in_period, t.begun_at FROM billing.correction_take t
WHERE t.provider = $1 AND t.done_at IS NOT NULL ORDER BY t.take DESC LIMIT 1

-- name: list_left
-- What a take could not do.
SELECT h.house, h.of_period, h.cause FROM billing.correction_house h WHERE h.take = $1 AND h.state IN ('open', 'parked')

-- name: list_changed
-- Of houses (codes, $1), periods ($2) and since when ($3) each: what was loaded since of facts that are in force by the period's end,
-- and applications whose documents are overdue since ($4: days allowed, $5: today). What, in Russian: of the margin ($6) that since has
-- before it only where nothing was loaded later.
WITH asked AS (
    SELECT h.house, g.code, g.period, g.since,
        (make_date(g.period / 100, g.period % 100, 1) + interval '1 month - 1 day')::date AS last
    FROM unnest($1::text[], $2::int[], $3::timestamptz[]) AS g(code, period, since) JOIN housing.house h ON h.code = g.code),
recent AS (SELECT l.load, l.loaded_at AS at FROM housing.load l WHERE l.loaded_at >= (SELECT min(a.since) FROM asked a)),
houses AS (SELECT DISTINCT a.house FROM asked a),
regions AS (SELECT DISTINCT t.house, t.region FROM housing.house_terms t JOIN houses USING (house)),
suppliers AS (SELECT DISTINCT c.house, c.recipient FROM housing.contract c JOIN houses USING (house)),
changed (house, day, at, what) AS (
    SELECT t.house, t.valid_from, l.at, 'сведения о доме' FROM recent l JOIN housing.house_terms t USING (load)
    UNION ALL SELECT t.house, t.valid_from, l.at, 'площадь дома' FROM recent l JOIN housing.house_area t USING (load)
    UNION ALL SELECT t.house, t.valid_from, l.at, 'договоры' FROM recent l JOIN housing.contract t USING (load)
    UNION ALL SELECT t.house, t.valid_from, l.at, 'порядок начисления на общее имущество'
        FROM recent l JOIN housing.common_terms t USING (load)
    UNION ALL SELECT r.house, t.valid_from, l.at, 'порядок оплаты отопления' FROM recent l JOIN housing.heating_terms t USING (load)
        JOIN regions r ON r.house = t.house OR r.region = t.region
    UNION ALL SELECT r.house, make_date(t.period / 100, t.period % 100, 1), l.at, 'отопительный период'
        FROM recent l JOIN housing.heating_days t USING (load) JOIN regions r ON r.house = t.house OR r.region = t.region
    UNION ALL SELECT r.house, t.valid_from, l.at, 'тарифы' FROM recent l JOIN housing.tariff t USING (load)
        JOIN regions r ON r.house = t.house OR r.region = t.region WHERE t.supplier = 0
    UNION ALL SELECT s.house, t.valid_from, l.at, 'тарифы' FROM recent l JOIN housing.tariff t USING (load)
        JOIN suppliers s ON s.recipient = t.supplier
    UNION ALL SELECT r.house, t.valid_from, l.at, 'нормативы' FROM recent l JOIN housing.norm t USING (load)
        JOIN regions r ON r.house = t.house OR r.region = t.region
    UNION ALL SELECT h.house, t.valid_from, l.at, 'услуги' FROM recent l JOIN housing.service t USING (load) CROSS JOIN houses h
    UNION ALL SELECT p.house, t.valid_from, l.at, 'сведения о помещениях' FROM recent l JOIN housing.premises_terms t USING (load)
        JOIN housing.premises p USING (premises)
    UNION ALL SELECT p.house, t.valid_from, l.at, 'площади помещений' FROM recent l JOIN housing.premises_area t USING (load)
        JOIN housing.premises p USING (premises)
    UNION ALL SELECT p.house, t.valid_from, l.at, 'услуги помещений' FROM recent l JOIN housing.premises_services t USING (load)
        JOIN housing.premises p USING (premises)
    UNION ALL SELECT p.house, t.valid_from, l.at, 'лицевые счета' FROM recent l JOIN housing.account t USING (load)
        JOIN housing.account o USING (personal_account) JOIN housing.premises p ON p.premises = o.premises
    UNION ALL SELECT p.house, t.valid_from, l.at, 'собственники' FROM recent l JOIN housing.owner t USING (load)
        JOIN housing.premises p USING (premises)
    UNION ALL SELECT p.house, t.valid_from, l.at, 'число проживающих' FROM recent l JOIN housing.residents t USING (load)
        JOIN housing.premises p USING (premises)
    UNION ALL SELECT p.house, t.valid_from, l.at, 'временное отсутствие' FROM recent l JOIN housing.absence t USING (load)
        JOIN housing.premises p USING (premises)
    UNION ALL SELECT t.house, t.started_at::date, l.at, 'акты о перерывах и качестве' FROM recent l JOIN housing.quality_act t USING (load)
    UNION ALL SELECT t.house, t.installed, l.at, 'приборы учёта' FROM recent l JOIN readings.meter_terms t USING (load)
    UNION ALL SELECT m.house, t.on_day, l.at, 'события приборов учёта' FROM recent l JOIN readings.meter_event t USING (load)
        JOIN readings.meter_terms m USING (meter)
    UNION ALL SELECT p.house, t.valid_from, l.at, 'возможность установки приборов' FROM recent l JOIN readings.possibility t USING (load)
        JOIN housing.premises p USING (premises)
    UNION ALL SELECT t.house, make_date(t.period / 100, t.period % 100, 1), l.at, 'объёмы дома'
        FROM recent l JOIN readings.house_volume t USING (load)
    UNION ALL SELECT m.house, make_date(t.period / 100, t.period % 100, 1), t.received_at, 'показания приборов учёта'
        FROM readings.reading t JOIN readings.meter_terms m USING (meter)
        WHERE t.received_at >= (SELECT min(a.since) FROM asked a)
    UNION ALL SELECT p.house, b.valid_from, (greatest(b.returned_on, b.applied_on) + $4::int + 1)::timestamptz,
            'нет документов об отсутствии'
        FROM housing.live_absence b JOIN housing.premises p USING (premises)
        WHERE b.state = 0 AND b.documented_on IS NULL AND greatest(b.returned_on, b.applied_on) + $4::int < $5::date)
SELECT a.code AS house, a.period, coalesce(array_agg(DISTINCT c.what ORDER BY c.what) FILTER (WHERE c.at >= a.since + $6::interval),
    array_agg(DISTINCT c.what ORDER BY c.what)) AS causes
FROM asked a JOIN changed c ON c.house = a.house AND c.at >= a.since AND c.day <= a.last
GROUP BY a.code, a.period
