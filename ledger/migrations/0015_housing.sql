-- The housing stock that billing calculates from: houses, premises, accounts, owners, residents, services, contracts, tariffs, norms.

-- Everything is dated and nothing is ever changed: a row is found by its key and, where it has one, valid_from; a correction is
-- another row of the same key and valid_from with a later load, and the latest load counts (views live_*). state: 0 holds, 1 ended
-- from valid_from on, 2 withdrawn, as if it had never been loaded. In a period holds the newest valid_from that is not after the
-- period's first day. Areas, volumes and prices are millionths.
CREATE SCHEMA housing;

-- Every load that wrote something; its number orders the rows of one key.
CREATE TABLE housing.load (
    load bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    what text NOT NULL,
    loaded_by text NOT NULL CONSTRAINT load_person CHECK (char_length(btrim(loaded_by)) BETWEEN 1 AND 128),
    loaded_at timestamptz NOT NULL DEFAULT clock_timestamp());

CREATE TABLE housing.house (
    house int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL CONSTRAINT house_once UNIQUE CONSTRAINT house_code_length CHECK (char_length(code) BETWEEN 1 AND 64));
CREATE TABLE housing.premises (
    premises int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    house int NOT NULL,
    number text NOT NULL CONSTRAINT premises_number_length CHECK (char_length(number) BETWEEN 1 AND 64),
    CONSTRAINT premises_once UNIQUE (house, number));

CREATE TABLE housing.house_terms (
    house int NOT NULL,
    valid_from date NOT NULL,
    load bigint NOT NULL REFERENCES housing.load,
    state smallint NOT NULL,
    -- Identifier of the house in ГАР (ФИАС); empty while nobody told it.
    fias text NOT NULL CONSTRAINT house_fias CHECK (fias ~ '^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?$'),
    address text NOT NULL,
    region text NOT NULL CONSTRAINT house_terms_region CHECK (region <> ''),
    -- Norms differ by class (storeys, year, what it is fitted with), as the region's decree names it.
    house_class text NOT NULL,
    time_zone text NOT NULL,
    provider int NOT NULL REFERENCES reference.recipient,
    CONSTRAINT house_terms_key PRIMARY KEY (house, valid_from, load));
-- source: 0 ЕГРН, 1 technical passport. ЕГРН prevails over the other, whatever the days (ПП 1176).
CREATE TABLE housing.house_area (
    house int NOT NULL,
    source smallint NOT NULL CONSTRAINT house_area_source CHECK (source IN (0, 1)),
    valid_from date NOT NULL,
    load bigint NOT NULL REFERENCES housing.load,
    state smallint NOT NULL,
    area_all bigint NOT NULL CONSTRAINT house_area_all CHECK (area_all > 0),
    area_common bigint NOT NULL CONSTRAINT house_area_common CHECK (area_common >= 0),
    CONSTRAINT house_area_key PRIMARY KEY (house, source, valid_from, load));

-- kind: PremisesKind of services/billing/core/month.py. flat: number of the communal flat of a room. without_heating: the act or the
-- project by which there are no heating devices, empty where there are.
CREATE TABLE housing.premises_terms (
    premises int NOT NULL,
    valid_from date NOT NULL,
    load bigint NOT NULL REFERENCES housing.load,
    state smallint NOT NULL,
    kind smallint NOT NULL CONSTRAINT premises_kind CHECK (kind BETWEEN 0 AND 2),
    flat text NOT NULL CONSTRAINT room_has_flat CHECK ((kind = 1) = (flat <> '')),
    without_heating text NOT NULL,
    izhku text NOT NULL,
    CONSTRAINT premises_terms_key PRIMARY KEY (premises, valid_from, load));
CREATE TABLE housing.premises_area (
    premises int NOT NULL,
    source smallint NOT NULL CONSTRAINT premises_area_source CHECK (source IN (0, 1)),
    valid_from date NOT NULL,
    load bigint NOT NULL REFERENCES housing.load,
    state smallint NOT NULL,
    area bigint NOT NULL CONSTRAINT premises_area_positive CHECK (area > 0),
    living_area bigint NOT NULL CONSTRAINT premises_living_area CHECK (living_area BETWEEN 0 AND area),
    CONSTRAINT premises_area_key PRIMARY KEY (premises, source, valid_from, load));
-- services: those that the premises is served with; NULL: all of the house.
CREATE TABLE housing.premises_services (
    premises int NOT NULL,
    valid_from date NOT NULL,
    load bigint NOT NULL REFERENCES housing.load,
    state smallint NOT NULL,
    services text[],
    CONSTRAINT premises_services_key PRIMARY KEY (premises, valid_from, load));

-- What part of a premises' charges an account bears: of all services but the excluded ones, or of only_services.
CREATE TABLE housing.account (
    personal_account bigint NOT NULL,
    valid_from date NOT NULL,
    load bigint NOT NULL REFERENCES housing.load,
    state smallint NOT NULL,
    premises int NOT NULL,
    numerator int NOT NULL,
    denominator int NOT NULL,
    excluded text[] NOT NULL,
    only_services text[],
    CONSTRAINT account_key PRIMARY KEY (personal_account, valid_from, load),
    CONSTRAINT account_share CHECK (numerator BETWEEN 1 AND denominator AND denominator <= 1000000),
    CONSTRAINT account_services CHECK (only_services IS NULL OR (excluded = '{}' AND only_services <> '{}')));
CREATE INDEX account_of_premises ON housing.account (premises);
-- person: the source's own reference, no passport and no name. No share: joint ownership without shares (совместная собственность).
CREATE TABLE housing.owner (
    premises int NOT NULL,
    person text NOT NULL CONSTRAINT owner_person_length CHECK (char_length(person) BETWEEN 1 AND 64),
    valid_from date NOT NULL,
    load bigint NOT NULL REFERENCES housing.load,
    state smallint NOT NULL,
    numerator int,
    denominator int,
    CONSTRAINT owner_key PRIMARY KEY (premises, person, valid_from, load),
    CONSTRAINT owner_share CHECK ((numerator IS NULL) = (denominator IS NULL)
        AND numerator BETWEEN 1 AND denominator AND denominator <= 1000000));
-- An owner's name, sealed with keys that the database does not have (services/sealing.py); erasing it is setting sealed to NULL.
CREATE TABLE housing.person_name (
    premises int NOT NULL,
    person text NOT NULL,
    sealed bytea,
    CONSTRAINT person_name_key PRIMARY KEY (premises, person));
-- kind: 0 permanent, 1 temporary; label tells several groups or persons apart. until: the last day; NULL: until the next row.
CREATE TABLE housing.residents (
    premises int NOT NULL,
    kind smallint NOT NULL CONSTRAINT residents_kind CHECK (kind IN (0, 1)),
    label text NOT NULL,
    valid_from date NOT NULL,
    load bigint NOT NULL REFERENCES housing.load,
    state smallint NOT NULL,
    until date CONSTRAINT residents_until CHECK (until >= valid_from),
    persons int NOT NULL CONSTRAINT residents_persons CHECK (persons BETWEEN 0 AND 10000),
    CONSTRAINT residents_key PRIMARY KEY (premises, kind, label, valid_from, load));

-- kind: ServiceKind of services/billing/core/month.py. base: services whose volumes this one takes.
CREATE TABLE housing.service (
    service text NOT NULL CONSTRAINT service_length CHECK (char_length(service) BETWEEN 1 AND 64),
    valid_from date NOT NULL,
    load bigint NOT NULL REFERENCES housing.load,
    state smallint NOT NULL,
    kind smallint NOT NULL CONSTRAINT service_kind CHECK (kind BETWEEN 1 AND 17),
    title text NOT NULL,
    unit text NOT NULL,
    base text[] NOT NULL,
    by_area boolean NOT NULL,
    payable_by_absent_owners boolean NOT NULL,
    CONSTRAINT service_key PRIMARY KEY (service, valid_from, load));
-- form: 0 the provider (исполнитель) claims and the money goes on to the recipient, 1 direct contract of the supplier with the
-- owners, 2 direct management: every supplier is the provider of its own service.
CREATE TABLE housing.contract (
    house int NOT NULL,
    service text NOT NULL,
    valid_from date NOT NULL,
    load bigint NOT NULL REFERENCES housing.load,
    state smallint NOT NULL,
    form smallint NOT NULL CONSTRAINT contract_form CHECK (form BETWEEN 0 AND 2),
    provider int NOT NULL REFERENCES reference.recipient,
    recipient int NOT NULL REFERENCES reference.recipient,
    creditor int GENERATED ALWAYS AS (CASE WHEN form = 0 THEN provider ELSE recipient END) STORED,
    CONSTRAINT contract_key PRIMARY KEY (house, service, valid_from, load));
-- A price is a house's, a supplier's (of a contract's recipient) or a region's; the first of these that has one wins. All rows of the
-- newest valid_from of a service and component in one scope are the tariff: a row not repeated there is no part of it any more.
-- component: 0 the price, 1 of a Gcal, 2 of a cubic metre of cold water. above: from which monthly volume of a flat.
CREATE TABLE housing.tariff (
    house int NOT NULL,
    supplier int NOT NULL,
    region text NOT NULL,
    service text NOT NULL,
    component smallint NOT NULL CONSTRAINT tariff_component CHECK (component BETWEEN 0 AND 2),
    zone smallint NOT NULL CONSTRAINT tariff_zone CHECK (zone BETWEEN 0 AND 3),
    above bigint NOT NULL CONSTRAINT tariff_above CHECK (above >= 0),
    valid_from date NOT NULL,
    load bigint NOT NULL REFERENCES housing.load,
    state smallint NOT NULL,
    price bigint NOT NULL CONSTRAINT tariff_price CHECK (price >= 0),
    CONSTRAINT tariff_key PRIMARY KEY (house, supplier, region, service, component, zone, above, valid_from, load),
    CONSTRAINT tariff_scope CHECK ((house <> 0)::int + (supplier <> 0)::int + (region <> '')::int = 1));
-- A norm is a house's, else of the house's class in its region, else the region's. Meanings: ServiceTerms of core/month.py.
CREATE TABLE housing.norm (
    house int NOT NULL,
    region text NOT NULL,
    house_class text NOT NULL,
    service text NOT NULL,
    valid_from date NOT NULL,
    load bigint NOT NULL REFERENCES housing.load,
    state smallint NOT NULL,
    norm bigint NOT NULL CONSTRAINT norm_not_negative CHECK (norm >= 0),
    water_heating bigint NOT NULL CONSTRAINT norm_water_heating CHECK (water_heating >= 0),
    space_heating bigint NOT NULL CONSTRAINT norm_space_heating CHECK (space_heating >= 0),
    heat bigint NOT NULL CONSTRAINT norm_heat CHECK (heat >= 0),
    CONSTRAINT norm_key PRIMARY KEY (house, region, house_class, service, valid_from, load),
    CONSTRAINT norm_scope CHECK ((house <> 0) <> (region <> '') AND (region <> '' OR house_class = '')));
-- way: HeatingWay. months: of the heating period, incomplete ones included. meter_due: a house meter is obligatory, possible, missing.
CREATE TABLE housing.heating_terms (
    house int NOT NULL,
    region text NOT NULL,
    valid_from date NOT NULL,
    load bigint NOT NULL REFERENCES housing.load,
    state smallint NOT NULL,
    way smallint NOT NULL CONSTRAINT heating_way CHECK (way IN (0, 1)),
    months smallint NOT NULL CONSTRAINT heating_months CHECK (months BETWEEN 1 AND 12),
    meter_due boolean NOT NULL,
    CONSTRAINT heating_terms_key PRIMARY KEY (house, region, valid_from, load),
    CONSTRAINT heating_terms_scope CHECK ((house <> 0) <> (region <> '')));
-- On how many days of a month (yyyymm) heat was given.
CREATE TABLE housing.heating_days (
    house int NOT NULL,
    region text NOT NULL,
    period int NOT NULL CONSTRAINT heating_days_period CHECK (period BETWEEN 199101 AND 209912 AND period % 100 BETWEEN 1 AND 12),
    load bigint NOT NULL REFERENCES housing.load,
    state smallint NOT NULL,
    days smallint NOT NULL CONSTRAINT heating_days_number CHECK (days BETWEEN 0 AND 31),
    CONSTRAINT heating_days_key PRIMARY KEY (house, region, period, load),
    CONSTRAINT heating_days_scope CHECK ((house <> 0) <> (region <> '')));
-- way: CommonWay. service: empty for all resources of the common property that have no row of their own.
CREATE TABLE housing.common_terms (
    house int NOT NULL,
    service text NOT NULL,
    valid_from date NOT NULL,
    load bigint NOT NULL REFERENCES housing.load,
    state smallint NOT NULL,
    way smallint NOT NULL CONSTRAINT common_way CHECK (way BETWEEN 0 AND 2),
    above_norm_shared boolean NOT NULL,
    CONSTRAINT common_terms_key PRIMARY KEY (house, service, valid_from, load));
-- Applications of absent residents (разд. VIII ПП 354); valid_from: the day of leaving. documented_on: NULL until documents came.
CREATE TABLE housing.absence (
    premises int NOT NULL,
    person text NOT NULL,
    valid_from date NOT NULL,
    load bigint NOT NULL REFERENCES housing.load,
    state smallint NOT NULL,
    returned_on date NOT NULL CONSTRAINT absence_returned CHECK (returned_on > valid_from),
    applied_on date NOT NULL,
    documented_on date,
    CONSTRAINT absence_key PRIMARY KEY (premises, person, valid_from, load));
-- Acts of breaks and bad quality (разд. IX–X), times in the house's own zone; premises 0: the whole house. deviation, measured,
-- outdoor, room: Act of services/billing/core/quality.py.
CREATE TABLE housing.quality_act (
    house int NOT NULL,
    premises int NOT NULL,
    number text NOT NULL,
    service text NOT NULL,
    deviation smallint NOT NULL CONSTRAINT quality_act_deviation CHECK (deviation BETWEEN 0 AND 6),
    started_at timestamp NOT NULL,
    load bigint NOT NULL REFERENCES housing.load,
    state smallint NOT NULL,
    ended_at timestamp NOT NULL CONSTRAINT quality_act_ended CHECK (ended_at > started_at),
    measured bigint NOT NULL,
    outdoor bigint NOT NULL,
    supplies smallint NOT NULL CONSTRAINT quality_act_supplies CHECK (supplies BETWEEN 1 AND 9),
    room smallint NOT NULL CONSTRAINT quality_act_room CHECK (room IN (0, 1)),
    cold_region boolean NOT NULL,
    CONSTRAINT quality_act_key PRIMARY KEY (house, premises, number, service, deviation, started_at, load));
CREATE INDEX quality_act_by_end ON housing.quality_act (house, ended_at);

-- References, checked once a statement: a foreign key looks up every row of a million (0002_reference.sql).
CREATE FUNCTION housing.refuse_unknown() RETURNS trigger LANGUAGE plpgsql SET search_path = housing, pg_temp AS $$
DECLARE found boolean;
BEGIN
  CASE TG_ARGV[0]
    WHEN 'house' THEN found := EXISTS (SELECT FROM (SELECT DISTINCT a.house FROM added a WHERE a.house <> 0) d
      WHERE NOT EXISTS (SELECT FROM house h WHERE h.house = d.house));
    WHEN 'premises' THEN found := EXISTS (SELECT FROM added a
      WHERE a.premises <> 0 AND NOT EXISTS (SELECT FROM premises p WHERE p.premises = a.premises));
    WHEN 'supplier' THEN found := EXISTS (SELECT FROM (SELECT DISTINCT a.supplier FROM added a WHERE a.supplier <> 0) d
      WHERE NOT EXISTS (SELECT FROM reference.recipient r WHERE r.recipient = d.supplier));
    WHEN 'service' THEN found := EXISTS (SELECT FROM (SELECT DISTINCT a.service FROM added a WHERE a.service <> '') d
      WHERE NOT EXISTS (SELECT FROM service s WHERE s.service = d.service));
  END CASE;
  IF found THEN
    RAISE foreign_key_violation USING MESSAGE = format('%s names an unknown %s', TG_TABLE_NAME, TG_ARGV[0]), CONSTRAINT = TG_NAME;
  END IF;
  RETURN NULL;
END $$;
CREATE FUNCTION housing.refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  RAISE integrity_constraint_violation USING MESSAGE = TG_TABLE_NAME || ': what is recorded here never changes', CONSTRAINT = TG_NAME;
END $$;

-- The dated tables: those whose key ends with a load, and the columns of their key without it.
CREATE VIEW housing.dated_table AS
SELECT c.oid::regclass AS relation, c.relname::text AS name, array_agg(a.attname::text ORDER BY k.place) AS keys
FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
    CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attribute, place)
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attribute
WHERE c.relnamespace = 'housing'::regnamespace AND a.attname <> 'load' AND i.indnkeyatts > 1
    AND EXISTS (SELECT FROM pg_attribute l WHERE l.attrelid = c.oid AND l.attname = 'load' AND l.attnum = ANY (i.indkey))
GROUP BY c.oid, c.relname;

-- What all dated tables have alike: states, references, rows that stay, and what counts of them.
DO $$
DECLARE t record; reference text;
BEGIN
  FOR t IN SELECT d.relation, d.name, d.keys FROM housing.dated_table d LOOP
    EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %I CHECK (state BETWEEN 0 AND 2)', t.relation, t.name || '_state');
    EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE OR TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION '
      'housing.refuse_change()', t.name || '_stays', t.relation);
    EXECUTE format('CREATE VIEW housing.%I AS SELECT r.* FROM %s r WHERE r.state <> 2 AND NOT EXISTS (SELECT FROM %s o WHERE %s)',
      'live_' || t.name, t.relation, t.relation,
      (SELECT string_agg(format('o.%I = r.%I', k, k), ' AND ') FROM unnest(t.keys) k) || ' AND o.load > r.load');
    FOREACH reference IN ARRAY ARRAY['house', 'premises', 'supplier', 'service'] LOOP
      IF t.name <> reference AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = t.relation AND a.attname = reference) THEN
        EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON %s REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION '
          'housing.refuse_unknown(%L)', t.name || '_' || reference || '_known', t.relation, reference);
      END IF;
    END LOOP;
  END LOOP;
END $$;
CREATE TRIGGER premises_house_known AFTER INSERT ON housing.premises
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION housing.refuse_unknown('house');
CREATE TRIGGER person_name_premises_known AFTER INSERT ON housing.person_name
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION housing.refuse_unknown('premises');
CREATE TRIGGER account_account_known AFTER INSERT ON housing.account
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION reference.accounts_are_known();
CREATE TRIGGER house_key_fixed BEFORE UPDATE OR DELETE OR TRUNCATE ON housing.house
    FOR EACH STATEMENT EXECUTE FUNCTION housing.refuse_change();
CREATE TRIGGER premises_key_fixed BEFORE UPDATE OR DELETE OR TRUNCATE ON housing.premises
    FOR EACH STATEMENT EXECUTE FUNCTION housing.refuse_change();

-- From when until when (exclusive) an account bears a share of a premises; withdrawn rows aside.
CREATE FUNCTION housing.account_intervals(p_accounts bigint[])
RETURNS TABLE (personal_account bigint, premises int, state smallint, numerator int, denominator int, excluded text[],
    only_services text[], valid_from date, until date)
LANGUAGE sql STABLE SET search_path = housing, pg_temp AS $$
SELECT a.personal_account, a.premises, a.state, a.numerator, a.denominator, a.excluded, a.only_services, a.valid_from,
    coalesce(lead(a.valid_from) OVER (PARTITION BY a.personal_account ORDER BY a.valid_from), 'infinity')
FROM live_account a WHERE a.personal_account = ANY (p_accounts)
$$;
CREATE FUNCTION housing.owner_intervals(p_premises int[])
RETURNS TABLE (premises int, person text, state smallint, numerator int, denominator int, valid_from date, until date)
LANGUAGE sql STABLE SET search_path = housing, pg_temp AS $$
SELECT o.premises, o.person, o.state, o.numerator, o.denominator, o.valid_from,
    coalesce(lead(o.valid_from) OVER (PARTITION BY o.premises, o.person ORDER BY o.valid_from), 'infinity')
FROM live_owner o WHERE o.premises = ANY (p_premises)
$$;

-- Shares are summed exactly, over their common denominator.
CREATE AGGREGATE housing.common_denominator(numeric) (SFUNC = lcm, STYPE = numeric, INITCOND = '1');

-- On no day and for no service do the accounts of one premises bear more than the whole. Checked on the days when a share begins.
CREATE FUNCTION housing.refuse_overfull_accounts() RETURNS trigger LANGUAGE plpgsql SET search_path = housing, pg_temp AS $$
DECLARE shared int[]; accounts bigint[]; overfull int[];
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('housing/shares', 0));
  -- Every premises that a touched account ever stood in: withdrawing a move brings it back to where it was.
  SELECT array_agg(s.premises) INTO shared FROM (
    SELECT a.premises FROM account a
    WHERE a.premises IN (SELECT b.premises FROM account b WHERE b.personal_account IN (SELECT n.personal_account FROM added n))
    GROUP BY a.premises HAVING count(DISTINCT a.personal_account) > 1) s;
  SELECT array_agg(DISTINCT a.personal_account) INTO accounts FROM account a WHERE a.premises = ANY (shared);
  WITH intervals AS MATERIALIZED (
    SELECT i.* FROM account_intervals(accounts) i WHERE i.state = 0 AND i.premises = ANY (shared)),
  wholes AS (SELECT i.premises, common_denominator(i.denominator) AS whole FROM intervals i GROUP BY i.premises),
  services AS (
    SELECT i.premises, '' AS service FROM intervals i
    UNION SELECT i.premises, unnest(i.excluded || coalesce(i.only_services, '{}')) FROM intervals i),
  days AS (SELECT DISTINCT i.premises, i.valid_from FROM intervals i),
  sums AS (
    SELECT d.premises FROM days d JOIN services v USING (premises) JOIN wholes w USING (premises)
      JOIN intervals i ON i.premises = d.premises AND i.valid_from <= d.valid_from AND d.valid_from < i.until
        AND v.service <> ALL (i.excluded) AND (i.only_services IS NULL OR v.service = ANY (i.only_services))
    GROUP BY d.premises, d.valid_from, v.service, w.whole HAVING sum(i.numerator * div(w.whole, i.denominator)) > w.whole)
  SELECT array_agg(DISTINCT s.premises) INTO overfull FROM sums s;
  IF overfull IS NOT NULL THEN
    RAISE check_violation USING MESSAGE = 'the accounts of a premises bear more than the whole', DETAIL = overfull::text,
      CONSTRAINT = TG_NAME;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER account_shares_at_most_one AFTER INSERT ON housing.account
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION housing.refuse_overfull_accounts();
CREATE FUNCTION housing.refuse_overfull_owners() RETURNS trigger LANGUAGE plpgsql SET search_path = housing, pg_temp AS $$
DECLARE touched int[]; overfull int[];
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('housing/shares', 0));
  SELECT array_agg(DISTINCT n.premises) INTO touched FROM added n;
  WITH intervals AS MATERIALIZED (
    SELECT i.* FROM owner_intervals(touched) i WHERE i.state = 0 AND i.numerator IS NOT NULL),
  wholes AS (SELECT i.premises, common_denominator(i.denominator) AS whole FROM intervals i GROUP BY i.premises),
  sums AS (
    SELECT d.premises FROM (SELECT DISTINCT i.premises, i.valid_from FROM intervals i) d JOIN wholes w USING (premises)
      JOIN intervals i ON i.premises = d.premises AND i.valid_from <= d.valid_from AND d.valid_from < i.until
    GROUP BY d.premises, d.valid_from, w.whole HAVING sum(i.numerator * div(w.whole, i.denominator)) > w.whole)
  SELECT array_agg(DISTINCT s.premises) INTO overfull FROM sums s;
  IF overfull IS NOT NULL THEN
    RAISE check_violation USING MESSAGE = 'the owners of a premises own more than the whole', DETAIL = overfull::text,
      CONSTRAINT = TG_NAME;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER owner_shares_at_most_one AFTER INSERT ON housing.owner
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION housing.refuse_overfull_owners();

-- Loading any dated table: rows of the file stand in pg_temp.staged_housing with their line, the table's columns, and the names by
-- which the file calls its house, premises and account.
CREATE FUNCTION housing.facts_of(p_table text) RETURNS text[] LANGUAGE sql STABLE SET search_path = housing, pg_temp AS $$
SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM dated_table d JOIN pg_attribute a ON a.attrelid = d.relation
WHERE d.name = p_table AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND a.attname <> 'load'
    AND a.attname <> ALL (d.keys)
$$;
CREATE FUNCTION housing.make_staging(p_table text, p_columns text[]) RETURNS void LANGUAGE plpgsql
SET search_path = housing, pg_temp AS $$
DECLARE listed text;
BEGIN
  SELECT string_agg(CASE WHEN c IN ('house_code', 'premises_number', 'namespace', 'account_number', 'els') THEN format('''''::text AS %I', c)
      WHEN c = 'house_of' THEN '0 AS house_of' WHEN c = 'sealed' THEN '''''::bytea AS sealed' ELSE format('t.%I', c) END, ', ' ORDER BY place)
    INTO listed FROM unnest(p_columns) WITH ORDINALITY AS g(c, place);
  EXECUTE format('CREATE TEMP TABLE staged_housing AS SELECT 0 AS line_no, %s FROM housing.%I t LIMIT 0', listed, p_table);
END $$;
CREATE FUNCTION housing.staged_repeats(p_table text) RETURNS TABLE (line_no int, first_line int, found bigint)
LANGUAGE plpgsql SET search_path = housing, pg_temp AS $$
DECLARE keys text;
BEGIN
  SELECT string_agg(format('s.%I', k), ', ') INTO STRICT keys FROM dated_table d, unnest(d.keys) k WHERE d.name = p_table;
  RETURN QUERY EXECUTE format('SELECT r.line_no, r.first_line, count(*) OVER () FROM (SELECT s.line_no, min(s.line_no) OVER '
    '(PARTITION BY %s) AS first_line FROM pg_temp.staged_housing s) r WHERE r.line_no > r.first_line ORDER BY 1 LIMIT 100', keys);
END $$;
-- Adds the staged rows that are new or say otherwise than the latest row of their key.
CREATE FUNCTION housing.append_rows(p_table text, p_load bigint, OUT added bigint, OUT changed bigint)
LANGUAGE plpgsql SET search_path = housing, pg_temp AS $$
DECLARE k text; f text; staged text; known text;
BEGIN
  SELECT string_agg(format('%I', c), ', ') INTO STRICT k FROM dated_table d, unnest(d.keys) c WHERE d.name = p_table;
  SELECT string_agg(format('%I', c), ', '), string_agg(format('s.%I', c), ', '), string_agg(format('n.%I', c), ', ')
    INTO STRICT f, staged, known FROM unnest(facts_of(p_table)) c;
  EXECUTE format('WITH known AS MATERIALIZED (SELECT DISTINCT ON (%1$s) t.* FROM housing.%5$I t JOIN pg_temp.staged_housing s '
    'USING (%1$s) ORDER BY %1$s, t.load DESC), written AS (INSERT INTO housing.%5$I (%1$s, load, %2$s) SELECT %1$s, $1, %3$s '
    'FROM pg_temp.staged_housing s LEFT JOIN known n USING (%1$s) WHERE n.load IS NULL OR (%3$s) IS DISTINCT FROM (%4$s) '
    'ORDER BY s.line_no RETURNING %1$s) SELECT count(*) FILTER (WHERE n.load IS NULL), count(*) FILTER (WHERE n.load IS NOT NULL) '
    'FROM written LEFT JOIN known n USING (%1$s)', k, f, staged, known, p_table) INTO added, changed USING p_load;
END $$;

-- After a large load the planner must know what is there before autovacuum tells it; only the owner may.
CREATE FUNCTION housing.analyze_table(p_table text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = housing, pg_temp AS $$
BEGIN
  PERFORM 1 FROM dated_table d WHERE d.name = p_table;
  IF FOUND THEN
    EXECUTE format('ANALYZE housing.%I', p_table);
    ANALYZE housing.house, housing.premises;
  END IF;
END $$;
REVOKE ALL ON FUNCTION housing.analyze_table(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION housing.analyze_table(text) TO kopeck_services;

GRANT USAGE ON SCHEMA housing TO kopeck_services, kopeck_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA housing TO kopeck_services, kopeck_reader;
GRANT INSERT ON ALL TABLES IN SCHEMA housing TO kopeck_services;
GRANT UPDATE (sealed) ON housing.person_name TO kopeck_services;
