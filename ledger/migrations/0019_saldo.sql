-- Balances: what each account owed when a month was closed, to whom and for what, and the turnover sheet of that month.

CREATE SCHEMA saldo;

-- What a sum is owed for; snapshots name it by its number. kind 3: an advance. period 0: of no month.
CREATE TABLE saldo.cell (
    cell int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    creditor int NOT NULL,
    payee int NOT NULL,
    period int NOT NULL,
    kind smallint NOT NULL,
    pool smallint NOT NULL,
    CONSTRAINT cell_once UNIQUE (creditor, payee, period, kind, pool));

-- A closed month of a provider: the last entry of every book that was read for it. An entry belongs to the month when it was read and its
-- bank day is not after last_day, or when it books an opening balance (space 2) of a charge of this month or before. Entries up to settled
-- all belong: those who read on begin there.
CREATE TABLE saldo.closing (
    provider int NOT NULL,
    period int NOT NULL,
    last_day date NOT NULL,
    books smallint[] NOT NULL,
    sequences bigint[] NOT NULL,
    settled bigint[] NOT NULL,
    closed_at timestamptz NOT NULL,
    CONSTRAINT closing_key PRIMARY KEY (provider, period),
    CONSTRAINT closing_month FOREIGN KEY (provider, period) REFERENCES billing.month,
    CONSTRAINT closing_books CHECK (cardinality(books) = cardinality(sequences) AND cardinality(books) = cardinality(settled)));

-- What an account owed at the end of the month by cell: charged less credited, in kopecks, only where it is not nought. Every account of
-- the provider has a row: one without it has come since.
CREATE TABLE saldo.snapshot (
    provider int NOT NULL,
    period int NOT NULL,
    account bigint NOT NULL,
    house text NOT NULL,
    cells int[] NOT NULL,
    sums bigint[] NOT NULL,
    CONSTRAINT snapshot_key PRIMARY KEY (provider, period, account),
    CONSTRAINT snapshot_parallel CHECK (cardinality(cells) = cardinality(sums)));

-- The turnover sheet of a closed month. Debts and advances are those of single accounts; movements carry the sign with which they change
-- what is owed: a payment is below zero.
CREATE TABLE saldo.turnover (
    provider int NOT NULL,
    period int NOT NULL,
    house text NOT NULL,
    creditor int NOT NULL,
    payee int NOT NULL,
    kind smallint NOT NULL,
    pool smallint NOT NULL,
    opening_debt bigint NOT NULL,
    opening_advance bigint NOT NULL,
    charged bigint NOT NULL,
    recalculated bigint NOT NULL,
    late bigint NOT NULL,
    opened bigint NOT NULL,
    paid bigint NOT NULL,
    elsewhere bigint NOT NULL,
    reversed bigint NOT NULL,
    refunded bigint NOT NULL,
    reassigned bigint NOT NULL,
    offsets bigint NOT NULL,
    other bigint NOT NULL,
    moved bigint NOT NULL,
    closing_debt bigint NOT NULL,
    closing_advance bigint NOT NULL,
    CONSTRAINT turnover_key PRIMARY KEY (provider, period, house, creditor, payee, kind, pool),
    CONSTRAINT turnover_sums CHECK (opening_debt - opening_advance + charged + recalculated + late + opened + paid + elsewhere + reversed
        + refunded + reassigned + offsets + other + moved = closing_debt - closing_advance));

-- Charges of a closed month that came, or changed, after it was closed: they are movements of the month after after_period.
CREATE TABLE saldo.late_charge (
    late bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account bigint NOT NULL,
    line int NOT NULL,
    amount bigint NOT NULL,
    after_period int NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE INDEX late_charge_by_period ON saldo.late_charge (after_period, account);

-- Charges stand in the order loaded, month after month: a few blocks a month are read instead of all of them.
CREATE INDEX charge_by_period ON reference.charge USING brin (period) WITH (pages_per_range = 32, autosummarize = on);

-- Which movement of a month an entry is for a line: -1 when the snapshot before has it, 0 when it is in the opening balance, NULL when it
-- comes later; else a Move of services/billing/saldo/windows.py. p_counted: the closing before had read it.
CREATE FUNCTION saldo.move_of(p_kind smallint, p_space int, p_day date, p_line_period int, p_counted boolean, p_previous int,
    p_previous_last date, p_period int, p_opening_before date, p_last date)
RETURNS smallint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT (CASE
    WHEN p_counted AND (p_day <= p_previous_last OR (p_space = 2 AND p_line_period <= p_previous)) THEN -1
    WHEN p_opening_before IS NOT NULL AND (p_day < p_opening_before OR (p_space = 2 AND p_line_period < p_period)) THEN 0
    WHEN p_space = 2 THEN CASE WHEN p_line_period <= p_period OR p_day <= p_last THEN 3 END
    WHEN p_day <= p_last THEN CASE p_kind WHEN 1 THEN 4 WHEN 15 THEN 4 WHEN 4 THEN 5 WHEN 5 THEN 6 WHEN 12 THEN 7 WHEN 14 THEN 8
        WHEN 6 THEN 9 ELSE 10 END
    END)::smallint
$$;

CREATE FUNCTION saldo.note_added() RETURNS trigger LANGUAGE plpgsql SET search_path = saldo, pg_temp AS $$
DECLARE newest int := (SELECT max(c.period) FROM closing c);
BEGIN
  IF newest IS NULL OR NOT EXISTS (SELECT FROM added a WHERE a.period <= newest AND a.kind < 3 AND a.amount <> 0) THEN
    RETURN NULL;
  END IF;
  INSERT INTO late_charge (account, line, amount, after_period)
  SELECT a.personal_account, a.line, a.amount, c.period
  FROM added a JOIN reference.personal_account p USING (personal_account)
    CROSS JOIN LATERAL (SELECT max(o.period) AS period FROM closing o WHERE o.provider = p.provider) c
  WHERE a.period <= c.period AND a.kind < 3 AND a.amount <> 0;
  RETURN NULL;
END $$;
CREATE FUNCTION saldo.note_changed() RETURNS trigger LANGUAGE plpgsql SET search_path = saldo, pg_temp AS $$
DECLARE newest int := (SELECT max(c.period) FROM closing c);
BEGIN
  IF newest IS NULL OR NOT EXISTS (SELECT FROM added a WHERE a.period <= newest AND a.kind < 3) THEN
    RETURN NULL;
  END IF;
  INSERT INTO late_charge (account, line, amount, after_period)
  SELECT a.personal_account, a.line, a.amount - g.amount, c.period
  FROM added a JOIN gone g USING (personal_account, line) JOIN reference.personal_account p USING (personal_account)
    CROSS JOIN LATERAL (SELECT max(o.period) AS period FROM closing o WHERE o.provider = p.provider) c
  WHERE a.period <= c.period AND a.kind < 3 AND a.amount <> g.amount;
  RETURN NULL;
END $$;
CREATE TRIGGER charge_added_late AFTER INSERT ON reference.charge
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION saldo.note_added();
CREATE TRIGGER charge_changed_late AFTER UPDATE ON reference.charge
    REFERENCING OLD TABLE AS gone NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION saldo.note_changed();

CREATE FUNCTION saldo.refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE integrity_constraint_violation USING MESSAGE = TG_TABLE_NAME || ': a closed month never changes', CONSTRAINT = TG_NAME;
END $$;
DO $$
DECLARE kept text;
BEGIN
  FOREACH kept IN ARRAY ARRAY['cell', 'closing', 'snapshot', 'turnover', 'late_charge'] LOOP
    EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE OR TRUNCATE ON saldo.%I FOR EACH STATEMENT EXECUTE FUNCTION '
        'saldo.refuse_change()', kept || '_stays', kept);
  END LOOP;
END $$;

GRANT USAGE ON SCHEMA saldo TO kopeck_services, kopeck_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA saldo TO kopeck_services, kopeck_reader;
GRANT INSERT ON ALL TABLES IN SCHEMA saldo TO kopeck_services;
