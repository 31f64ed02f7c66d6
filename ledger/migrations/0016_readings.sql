-- Meters, what happened to them, their readings, and what houses took: what billing's individual and house volumes come from.

-- Nothing here is ever changed. Facts of meters are dated rows as in the housing stock (0015): of one key the latest load counts, and
-- state 2 withdraws the key. A reading is corrected by another one that replaces it. Volumes are millionths; a period is yyyymm.
CREATE SCHEMA readings;

-- A meter by the code that its owner's software gives it; place: the pipe or line it stands on, kept by the next meter there.
CREATE TABLE readings.meter (
    meter int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL CONSTRAINT meter_once UNIQUE CONSTRAINT meter_code_length CHECK (char_length(code) BETWEEN 1 AND 64));

-- Whose it is: a premises', a communal flat's (premises 0), or the house's (both empty). zones: 1 to 3. digits: of the dial, before
-- the point. ratio: of transformers. maximum: what it can count in an hour at most; 0 unknown. installed: commissioned (ввод).
CREATE TABLE readings.meter_terms (
    meter int NOT NULL REFERENCES readings.meter,
    load bigint NOT NULL REFERENCES housing.load,
    state smallint NOT NULL CONSTRAINT meter_terms_state CHECK (state IN (0, 2)),
    house int NOT NULL REFERENCES housing.house,
    premises int NOT NULL,
    flat text NOT NULL,
    service text NOT NULL,
    place text NOT NULL,
    number text NOT NULL,
    zones smallint NOT NULL CONSTRAINT meter_zones CHECK (zones BETWEEN 1 AND 3),
    digits smallint NOT NULL CONSTRAINT meter_digits CHECK (digits BETWEEN 1 AND 10),
    ratio int NOT NULL CONSTRAINT meter_ratio CHECK (ratio BETWEEN 1 AND 100000),
    maximum bigint NOT NULL CONSTRAINT meter_maximum CHECK (maximum >= 0),
    installed date NOT NULL,
    verified_until date,
    seal text NOT NULL,
    CONSTRAINT meter_terms_key PRIMARY KEY (meter, load),
    CONSTRAINT meter_of_one CHECK (premises = 0 OR flat = ''));
CREATE INDEX meter_terms_by_house ON readings.meter_terms (house);
-- kind: EventKind of services/billing/core/meters.py. verified_until: of a verification (5).
CREATE TABLE readings.meter_event (
    meter int NOT NULL REFERENCES readings.meter,
    kind smallint NOT NULL CONSTRAINT meter_event_kind CHECK (kind BETWEEN 1 AND 9),
    on_day date NOT NULL,
    load bigint NOT NULL REFERENCES housing.load,
    state smallint NOT NULL CONSTRAINT meter_event_state CHECK (state IN (0, 2)),
    verified_until date,
    seal text NOT NULL,
    act text NOT NULL CONSTRAINT meter_event_act CHECK (char_length(act) BETWEEN 1 AND 500),
    CONSTRAINT meter_event_key PRIMARY KEY (meter, kind, on_day, load),
    CONSTRAINT meter_event_verified CHECK (verified_until IS NULL OR (kind = 5 AND verified_until >= on_day)));
-- Whether a meter can be installed: 1 it can, 2 it cannot, by an act. No row: nobody knows.
CREATE TABLE readings.possibility (
    premises int NOT NULL REFERENCES housing.premises,
    service text NOT NULL,
    valid_from date NOT NULL,
    load bigint NOT NULL REFERENCES housing.load,
    state smallint NOT NULL CONSTRAINT possibility_state CHECK (state IN (0, 2)),
    possibility smallint NOT NULL CONSTRAINT possibility_known CHECK (possibility BETWEEN 0 AND 2),
    act text NOT NULL CONSTRAINT impossibility_has_act CHECK (possibility <> 2 OR act <> ''),
    CONSTRAINT possibility_key PRIMARY KEY (premises, service, valid_from, load));
-- What a house took, as its meter's act or the supplier's bill says; resource: burnt in the house's own boiler, with its price.
CREATE TABLE readings.house_volume (
    house int NOT NULL REFERENCES housing.house,
    service text NOT NULL,
    resource text NOT NULL,
    period int NOT NULL CONSTRAINT house_volume_period CHECK (period BETWEEN 199101 AND 209912 AND period % 100 BETWEEN 1 AND 12),
    load bigint NOT NULL REFERENCES housing.load,
    state smallint NOT NULL CONSTRAINT house_volume_state CHECK (state IN (0, 2)),
    volume bigint NOT NULL CONSTRAINT house_volume_not_negative CHECK (volume >= 0),
    price bigint NOT NULL CONSTRAINT house_volume_price CHECK (price >= 0 AND (price = 0) = (resource = '')),
    CONSTRAINT house_volume_key PRIMARY KEY (house, service, resource, period, load));
-- Days of the month in which a house's readings are taken by its contract, which comes before the law's (п. 31 «ж», 33 ПП 354).
CREATE TABLE readings.reading_window (
    house int NOT NULL REFERENCES housing.house,
    valid_from date NOT NULL,
    load bigint NOT NULL REFERENCES housing.load,
    state smallint NOT NULL CONSTRAINT reading_window_state CHECK (state IN (0, 2)),
    first_day smallint NOT NULL,
    last_day smallint NOT NULL,
    CONSTRAINT reading_window_key PRIMARY KEY (house, valid_from, load),
    CONSTRAINT reading_window_days CHECK (first_day BETWEEN 1 AND last_day AND last_day <= 31));

CREATE VIEW readings.live_meter AS
SELECT DISTINCT ON (t.meter) m.code, t.* FROM readings.meter_terms t JOIN readings.meter m USING (meter) ORDER BY t.meter, t.load DESC;
CREATE VIEW readings.live_event AS
SELECT e.* FROM readings.meter_event e WHERE e.state = 0 AND NOT EXISTS (
    SELECT FROM readings.meter_event o WHERE o.meter = e.meter AND o.kind = e.kind AND o.on_day = e.on_day AND o.load > e.load);
CREATE VIEW readings.live_possibility AS
SELECT p.* FROM readings.possibility p WHERE p.state = 0 AND NOT EXISTS (
    SELECT FROM readings.possibility o
    WHERE o.premises = p.premises AND o.service = p.service AND o.valid_from = p.valid_from AND o.load > p.load);
CREATE VIEW readings.live_house_volume AS
SELECT v.* FROM readings.house_volume v WHERE v.state = 0 AND NOT EXISTS (
    SELECT FROM readings.house_volume o
    WHERE o.house = v.house AND o.service = v.service AND o.resource = v.resource AND o.period = v.period AND o.load > v.load);
CREATE VIEW readings.live_window AS
SELECT w.* FROM readings.reading_window w WHERE w.state = 0 AND NOT EXISTS (
    SELECT FROM readings.reading_window o WHERE o.house = w.house AND o.valid_from = w.valid_from AND o.load > w.load);

-- One zone's dial as it stood on a day. period: the month it counts for, later than the day's where it came after the window.
-- verdict: 'accepted' counts; 'parked' waits for a person; 'refused' never counts. fault: Fault of core/plausibility.py, '' for none.
-- rolled: the dial passed zero since the reading before. restarts: it was set anew, by an act of repair or verification on that day.
-- replaces: the reading that this one stands for from now on, whatever its own verdict; then why and by whom.
CREATE TABLE readings.reading (
    reading bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    meter int NOT NULL REFERENCES readings.meter,
    zone smallint NOT NULL CONSTRAINT reading_zone CHECK (zone BETWEEN 0 AND 3),
    value bigint NOT NULL CONSTRAINT reading_not_negative CHECK (value >= 0),
    taken_on date NOT NULL,
    period int NOT NULL CONSTRAINT reading_period CHECK (period BETWEEN 199101 AND 209912 AND period % 100 BETWEEN 1 AND 12),
    verdict text NOT NULL CONSTRAINT reading_verdict CHECK (verdict IN ('accepted', 'parked', 'refused')),
    fault text NOT NULL CONSTRAINT reading_fault CHECK (verdict = 'accepted' OR fault <> '' OR replaces IS NOT NULL),
    rolled boolean NOT NULL,
    restarts boolean NOT NULL,
    source text NOT NULL CONSTRAINT reading_source CHECK (source IN ('file', 'register', 'api', 'portal', 'gis', 'inspector', 'act')),
    received_at timestamptz NOT NULL,
    received_by text NOT NULL CONSTRAINT reading_person CHECK (char_length(btrim(received_by)) BETWEEN 1 AND 128),
    replaces bigint REFERENCES readings.reading,
    why text NOT NULL DEFAULT '',
    CONSTRAINT reading_replaced_once UNIQUE (replaces),
    CONSTRAINT reading_replaces_for_a_reason CHECK (replaces IS NULL OR btrim(why) <> ''),
    CONSTRAINT reading_once UNIQUE NULLS NOT DISTINCT (meter, zone, taken_on, value, replaces));

CREATE VIEW readings.counted AS
SELECT r.* FROM readings.reading r
WHERE r.verdict = 'accepted' AND NOT EXISTS (SELECT FROM readings.reading n WHERE n.replaces = r.reading AND n.replaces IS NOT NULL);
CREATE VIEW readings.waiting AS
SELECT r.* FROM readings.reading r
WHERE r.verdict = 'parked' AND NOT EXISTS (SELECT FROM readings.reading n WHERE n.replaces = r.reading AND n.replaces IS NOT NULL);

-- Taking readings and judging them exclude one another: two intakes of one meter would each judge without the other's.
CREATE FUNCTION readings.lock_key() RETURNS bigint LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS
$$ SELECT hashtextextended('readings/intake', 0) $$;

-- Of what counts, a meter's dial never goes back without having passed zero or been set anew, it has one reading a day, and later
-- days count for no earlier months. Looked at around every added reading and the one it replaces.
CREATE FUNCTION readings.refuse_disorder() RETURNS trigger LANGUAGE plpgsql SET search_path = readings, pg_temp SET enable_seqscan = off
AS $$
DECLARE wrong record;
BEGIN
  PERFORM pg_advisory_xact_lock(lock_key());
  IF EXISTS (SELECT FROM added a JOIN reading o ON o.reading = a.replaces WHERE (o.meter, o.zone) <> (a.meter, a.zone)) THEN
    RAISE check_violation USING MESSAGE = 'a reading replaces one of the same meter and zone', CONSTRAINT = 'reading_replaces_its_own';
  END IF;
  SELECT s.* INTO wrong FROM (
    SELECT t.meter, t.zone FROM (SELECT a.meter, a.zone, min(d.day) AS first, max(d.day) AS last
          FROM added a LEFT JOIN reading o ON o.reading = a.replaces
            CROSS JOIN LATERAL (VALUES (a.taken_on), (o.taken_on)) AS d(day) WHERE d.day IS NOT NULL GROUP BY a.meter, a.zone) t
      CROSS JOIN LATERAL (
        SELECT coalesce((SELECT max(c.taken_on) FROM counted c WHERE c.meter = t.meter AND c.zone = t.zone AND c.taken_on < t.first),
            t.first) AS since,
          coalesce((SELECT min(c.taken_on) FROM counted c WHERE c.meter = t.meter AND c.zone = t.zone AND c.taken_on > t.last),
            t.last) AS until) b
      CROSS JOIN LATERAL (
        SELECT c.value, c.taken_on, c.period, c.rolled, c.restarts, lag(c.value) OVER w AS value_before,
          lag(c.taken_on) OVER w AS day_before, lag(c.period) OVER w AS period_before
        FROM counted c WHERE c.meter = t.meter AND c.zone = t.zone AND c.taken_on BETWEEN b.since AND b.until
        WINDOW w AS (ORDER BY c.taken_on, c.reading)) o
    WHERE o.taken_on = o.day_before OR o.period < o.period_before
      OR (o.value < o.value_before AND NOT o.rolled AND NOT o.restarts) OR (o.rolled AND o.value >= o.value_before) LIMIT 1) s;
  IF FOUND THEN
    RAISE check_violation USING MESSAGE = format('readings of meter %s, zone %s, are out of order', wrong.meter, wrong.zone),
      CONSTRAINT = 'readings_in_order';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER readings_in_order AFTER INSERT ON readings.reading
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION readings.refuse_disorder();

CREATE FUNCTION readings.refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  RAISE integrity_constraint_violation USING MESSAGE = TG_TABLE_NAME || ': what is recorded here never changes', CONSTRAINT = TG_NAME;
END $$;
DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['meter', 'meter_terms', 'meter_event', 'possibility', 'house_volume', 'reading_window', 'reading'] LOOP
    EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE OR TRUNCATE ON readings.%I FOR EACH STATEMENT EXECUTE FUNCTION '
      'readings.refuse_change()', name || '_stays', name);
  END LOOP;
END $$;
CREATE FUNCTION readings.refuse_unknown_premises() RETURNS trigger LANGUAGE plpgsql SET search_path = readings, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM added a WHERE a.premises <> 0 AND NOT EXISTS (
      SELECT FROM housing.premises p WHERE p.premises = a.premises AND p.house = a.house)) THEN
    RAISE foreign_key_violation USING MESSAGE = 'a meter names an unknown premises of its house', CONSTRAINT = TG_NAME;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER meter_premises_known AFTER INSERT ON readings.meter_terms
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION readings.refuse_unknown_premises();

-- What became of a reading that came with a payment (intake.meter_reading): the reading it made, or why none.
CREATE TABLE readings.counter_value (
    register bigint NOT NULL,
    row int NOT NULL,
    place int NOT NULL,
    reading bigint REFERENCES readings.reading,
    fault text NOT NULL,
    kept_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT counter_value_key PRIMARY KEY (register, row, place),
    CONSTRAINT counter_value_known FOREIGN KEY (register, row, place) REFERENCES intake.meter_reading (register, row, place),
    CONSTRAINT counter_value_outcome CHECK (reading IS NOT NULL OR fault <> ''));
CREATE TRIGGER counter_value_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON readings.counter_value
    FOR EACH STATEMENT EXECUTE FUNCTION readings.refuse_change();

GRANT USAGE ON SCHEMA readings TO kopeck_services, kopeck_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA readings TO kopeck_services, kopeck_reader;
GRANT INSERT ON readings.meter, readings.meter_terms, readings.meter_event, readings.possibility, readings.house_volume,
    readings.reading_window, readings.reading, readings.counter_value TO kopeck_services;
