-- Law as data: dated rows of coefficients, rates, terms and switches, each with its source; a change is a new row, never an update.

CREATE SCHEMA law;

-- The tables that rows may belong to, and whom a row may be about; keys NULL: everybody may name a new subject (a moratorium).
CREATE TABLE law.subject (
    table_name text PRIMARY KEY,
    keys text[]);
-- Figures of a table with their bounds: ratios in millionths of one, counts, switches 0 or 1. services/billing/core/law_tables.py
-- says the same, with units and titles.
CREATE TABLE law.figure (
    table_name text NOT NULL REFERENCES law.subject,
    figure text NOT NULL,
    lowest bigint NOT NULL,
    highest bigint NOT NULL,
    CONSTRAINT figure_key PRIMARY KEY (table_name, figure),
    CONSTRAINT figure_bounds CHECK (lowest <= highest));
INSERT INTO law.subject (table_name, keys) VALUES
    ('coefficient', ARRAY['cold_water', 'hot_water', 'electricity', 'heating']),
    ('key_rate', ARRAY['']),
    ('penalty_cap', ARRAY['']),
    ('penalty_step', ARRAY['housing', 'capital_repair']),
    ('moratorium', NULL),
    ('due_day', ARRAY['']),
    ('due_shift', ARRAY['']),
    ('vat', ARRAY['standard', 'simplified_low', 'simplified_high']),
    ('limitation', ARRAY['']),
    ('ladder', ARRAY['average_residential', 'average_non_residential', 'house_heat']),
    ('average_base', ARRAY['']),
    ('absence', ARRAY['utility', 'waste']),
    ('electricity_range', ARRAY['']),
    ('readings_window', ARRAY['']),
    ('provider_fine', ARRAY['']);
INSERT INTO law.figure (table_name, figure, lowest, highest) VALUES
    ('coefficient', 'ratio', 1000000, 10000000),
    ('key_rate', 'rate', 0, 1000000),
    ('penalty_cap', 'rate', 0, 1000000),
    ('penalty_cap', 'is_fixed', 0, 1),
    ('penalty_step', 'first_day', 1, 3650),
    ('penalty_step', 'divisor', 1, 10000),
    ('penalty_step', 'second_day', 0, 3650),
    ('penalty_step', 'second_divisor', 0, 10000),
    ('moratorium', 'is_on', 0, 1),
    ('moratorium', 'is_old_debts_only', 0, 1),
    ('due_day', 'issue_day', 1, 28),
    ('due_day', 'pay_day', 1, 28),
    ('due_shift', 'to_working_day', 0, 1),
    ('due_shift', 'by_late_issue', 0, 1),
    ('vat', 'rate', 0, 1000000),
    ('limitation', 'years', 1, 10),
    ('ladder', 'periods', 0, 24),
    ('average_base', 'months', 1, 24),
    ('average_base', 'months_min', 1, 24),
    ('absence', 'days_over', 0, 60),
    ('absence', 'apply_within_days', 0, 365),
    ('absence', 'ahead_months', 0, 24),
    ('electricity_range', 'first_up_to_kwh', 0, 1000000),
    ('electricity_range', 'second_up_to_kwh', 0, 1000000),
    ('readings_window', 'first_day', 1, 31),
    ('readings_window', 'last_day', 1, 31),
    ('provider_fine', 'ratio', 0, 1000000);

-- One row of law. A slot is (table, key, region, valid_from); from valid_from on the row holds until the next slot of its table, key
-- and region. region: '' for all of Russia, else two digits, and then it comes before the federal row. ends: nothing holds from then
-- on. A row is in force when a second person has approved it and no approved row replaces it. A slot that is taken is corrected by
-- naming the row replaced, so that rows never overlap and none is overlooked.
CREATE TABLE law.rule (
    rule bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    table_name text NOT NULL REFERENCES law.subject,
    key text NOT NULL CONSTRAINT rule_key CHECK (key ~ '^[a-z0-9_]{0,64}$'),
    region text NOT NULL DEFAULT '' CONSTRAINT rule_region CHECK (region ~ '^([0-9]{2})?$'),
    valid_from date NOT NULL CONSTRAINT rule_valid_from CHECK (valid_from BETWEEN '1990-01-01' AND '2199-12-31'),
    ends boolean NOT NULL DEFAULT false,
    figures jsonb NOT NULL DEFAULT '{}',
    source text NOT NULL CONSTRAINT rule_source CHECK (char_length(btrim(source)) BETWEEN 1 AND 1000),
    -- How sure the memory of it is, or that the act itself was read.
    certainty text NOT NULL CONSTRAINT rule_certainty CHECK (certainty IN ('H', 'M', 'L', 'document')),
    note text NOT NULL DEFAULT '' CONSTRAINT rule_note CHECK (char_length(note) <= 1000),
    replaces bigint,
    proposed_by text NOT NULL CONSTRAINT rule_person CHECK (char_length(btrim(proposed_by)) BETWEEN 1 AND 128),
    proposed_at timestamptz NOT NULL,
    approved_by text CONSTRAINT rule_approver CHECK (char_length(btrim(approved_by)) BETWEEN 1 AND 128),
    approved_at timestamptz,
    CONSTRAINT rule_second_person CHECK (approved_by IS NULL OR lower(btrim(approved_by)) <> lower(btrim(proposed_by))),
    CONSTRAINT rule_approval CHECK ((approved_by IS NULL) = (approved_at IS NULL)),
    CONSTRAINT rule_slot UNIQUE (rule, table_name, key, region, valid_from),
    CONSTRAINT rule_replaces FOREIGN KEY (replaces, table_name, key, region, valid_from)
        REFERENCES law.rule (rule, table_name, key, region, valid_from));
CREATE UNIQUE INDEX rule_slot_once ON law.rule (table_name, key, region, valid_from) WHERE approved_by IS NOT NULL AND replaces IS NULL;
CREATE UNIQUE INDEX rule_replaced_once ON law.rule (replaces) WHERE approved_by IS NOT NULL;

-- A row has exactly the figures of its table, within their bounds; one that ends has none.
CREATE FUNCTION law.check_figures() RETURNS trigger LANGUAGE plpgsql SET search_path = law, pg_temp AS $$
DECLARE wanted text[]; known text[]; wrong text;
BEGIN
  SELECT s.keys INTO known FROM subject s WHERE s.table_name = NEW.table_name;
  IF known IS NOT NULL AND NEW.key <> ALL (known) THEN
    RAISE check_violation USING MESSAGE = format('%s has no key %L', NEW.table_name, NEW.key), CONSTRAINT = 'rule_key_known';
  END IF;
  IF known IS NULL AND NEW.key = '' THEN
    RAISE check_violation USING MESSAGE = format('a row of %s names its subject', NEW.table_name), CONSTRAINT = 'rule_key_known';
  END IF;
  SELECT array_agg(f.figure ORDER BY f.figure) INTO wanted FROM figure f WHERE f.table_name = NEW.table_name AND NOT NEW.ends;
  IF jsonb_typeof(NEW.figures) <> 'object'
     OR (SELECT array_agg(k ORDER BY k) FROM jsonb_object_keys(NEW.figures) k) IS DISTINCT FROM wanted THEN
    RAISE check_violation USING MESSAGE = format('a row of %s has the figures %s', NEW.table_name, coalesce(wanted, '{}')),
      CONSTRAINT = 'rule_figures';
  END IF;
  SELECT f.figure INTO wrong FROM figure f CROSS JOIN LATERAL (SELECT NEW.figures -> f.figure AS told) t
  WHERE f.table_name = NEW.table_name AND NOT NEW.ends AND CASE WHEN jsonb_typeof(t.told) <> 'number' THEN true
    ELSE t.told::numeric <> trunc(t.told::numeric) OR t.told::numeric NOT BETWEEN f.lowest AND f.highest END LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE check_violation USING MESSAGE = format('%s of %s is out of its bounds', wrong, NEW.table_name), CONSTRAINT = 'rule_figures';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER rule_has_its_figures BEFORE INSERT ON law.rule FOR EACH ROW EXECUTE FUNCTION law.check_figures();

-- Nothing is inserted as approved, whoever asks; approval is given once, to what replaces a row that is in force itself.
CREATE FUNCTION law.check_approval() RETURNS trigger LANGUAGE plpgsql SET search_path = law, pg_temp AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.approved_by IS NOT NULL THEN
      RAISE integrity_constraint_violation USING MESSAGE = 'a row is proposed first', CONSTRAINT = 'rule_proposed_first';
    END IF;
    RETURN NEW;
  END IF;
  IF OLD.approved_by IS NOT NULL
     OR to_jsonb(NEW) - 'approved_by' - 'approved_at' IS DISTINCT FROM to_jsonb(OLD) - 'approved_by' - 'approved_at' THEN
    RAISE integrity_constraint_violation USING MESSAGE = 'a row of law never changes', CONSTRAINT = 'rule_never_changes';
  END IF;
  IF NEW.replaces IS NOT NULL AND NOT EXISTS (SELECT FROM rule r WHERE r.rule = NEW.replaces AND r.approved_by IS NOT NULL) THEN
    RAISE check_violation USING MESSAGE = format('row %s, which it replaces, is not approved', NEW.replaces),
      CONSTRAINT = 'rule_replaces_approved';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER rule_is_approved_once BEFORE INSERT OR UPDATE ON law.rule FOR EACH ROW EXECUTE FUNCTION law.check_approval();
CREATE FUNCTION law.refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  RAISE integrity_constraint_violation USING MESSAGE = 'a row of law never goes away', CONSTRAINT = 'rule_never_changes';
END $$;
CREATE TRIGGER rules_stay BEFORE DELETE OR TRUNCATE ON law.rule FOR EACH STATEMENT EXECUTE FUNCTION law.refuse_change();

-- What holds at some time: approved, and replaced by nothing that is approved.
CREATE VIEW law.in_force AS
SELECT r.* FROM law.rule r WHERE r.approved_by IS NOT NULL
  AND NOT EXISTS (SELECT FROM law.rule n WHERE n.replaces = r.rule AND n.approved_by IS NOT NULL);

-- The general terms of limitation (ГК 196 п. 1) as statements need them: debts due since … before, before excluded. Three years while no
-- row is in force, and the first row's term before it, as ledger/core/limitation.py has it.
CREATE VIEW law.limitation AS
SELECT CASE WHEN lag(f.valid_from) OVER by_day IS NULL THEN '-infinity' ELSE f.valid_from END AS since,
  coalesce(lead(f.valid_from) OVER by_day, 'infinity') AS before, make_interval(years => (f.figures ->> 'years')::int) AS term
FROM law.in_force f WHERE f.table_name = 'limitation' AND f.key = '' AND f.region = '' AND NOT f.ends
WINDOW by_day AS (ORDER BY f.valid_from)
UNION ALL
SELECT '-infinity', 'infinity', interval '3 years' WHERE NOT EXISTS (SELECT FROM law.in_force f
  WHERE f.table_name = 'limitation' AND f.key = '' AND f.region = '' AND NOT f.ends);

GRANT USAGE ON SCHEMA law TO kopeck_services, kopeck_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA law TO kopeck_services, kopeck_reader;
GRANT INSERT (table_name, key, region, valid_from, ends, figures, source, certainty, note, replaces, proposed_by, proposed_at),
    UPDATE (approved_by, approved_at) ON law.rule TO kopeck_services;
