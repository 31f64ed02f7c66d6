-- Billing: runs of a month from draft to publication, lines with their explanations, findings, documents, months that close.

CREATE SCHEMA billing;

-- A provider's (исполнитель) month. A closed one is charged no more: what corrects it is a line of an open one.
CREATE TABLE billing.month (
    provider int NOT NULL REFERENCES reference.recipient,
    period int NOT NULL CONSTRAINT month_period CHECK (period BETWEEN 199101 AND 209912 AND period % 100 BETWEEN 1 AND 12),
    state text NOT NULL DEFAULT 'open' CONSTRAINT month_state CHECK (state IN ('open', 'closed')),
    closed_by text,
    closed_at timestamptz,
    CONSTRAINT month_key PRIMARY KEY (provider, period),
    CONSTRAINT month_closing CHECK ((state = 'closed') = (closed_by IS NOT NULL) AND (closed_by IS NULL) = (closed_at IS NULL)));

-- One calculation of a month, or again of one house or account of a month that is published and not closed. digest: of everything that
-- the houses were calculated from, set when all are. due_on: of the charges, fixed when publication begins.
CREATE TABLE billing.run (
    run bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider int NOT NULL,
    period int NOT NULL,
    kind text NOT NULL CONSTRAINT run_kind CHECK (kind IN ('month', 'recalculation')),
    scope text NOT NULL CONSTRAINT run_scope CHECK (scope IN ('provider', 'houses', 'accounts')),
    -- Names of the accounts that a run of scope accounts is confined to.
    asked text[] NOT NULL DEFAULT '{}' CONSTRAINT run_asked CHECK ((scope = 'accounts') = (cardinality(asked) > 0)),
    state text NOT NULL DEFAULT 'draft' CONSTRAINT run_state
        CHECK (state IN ('draft', 'checked', 'approved', 'publishing', 'published', 'closed', 'dropped')),
    digest bytea,
    made_by text NOT NULL CONSTRAINT run_maker CHECK (char_length(btrim(made_by)) BETWEEN 1 AND 128),
    made_at timestamptz NOT NULL,
    checked_at timestamptz,
    approved_by text CONSTRAINT run_approver CHECK (char_length(btrim(approved_by)) BETWEEN 1 AND 128),
    approved_at timestamptz,
    due_on date,
    published_at timestamptz,
    dropped_by text,
    dropped_at timestamptz,
    CONSTRAINT run_month FOREIGN KEY (provider, period) REFERENCES billing.month,
    CONSTRAINT run_second_person CHECK (approved_by IS NULL OR lower(btrim(approved_by)) <> lower(btrim(made_by))),
    CONSTRAINT run_approval CHECK ((approved_by IS NULL) = (approved_at IS NULL)),
    CONSTRAINT run_is_approved CHECK (state NOT IN ('approved', 'publishing', 'published', 'closed') OR approved_by IS NOT NULL),
    CONSTRAINT run_has_inputs CHECK (state IN ('draft', 'dropped') OR digest IS NOT NULL),
    CONSTRAINT run_has_due_date CHECK (state NOT IN ('publishing', 'published', 'closed') OR due_on IS NOT NULL),
    CONSTRAINT run_dropping CHECK ((state = 'dropped') = (dropped_by IS NOT NULL) AND (dropped_by IS NULL) = (dropped_at IS NULL)));
CREATE INDEX run_of_month ON billing.run (provider, period);

-- A house of a run: the unit of work. waiting houses are taken with SKIP LOCKED; standing follows the run's state by a trigger.
CREATE TABLE billing.run_house (
    run bigint NOT NULL REFERENCES billing.run,
    house text NOT NULL CONSTRAINT run_house_name CHECK (char_length(house) BETWEEN 1 AND 200),
    provider int NOT NULL,
    period int NOT NULL,
    kind text NOT NULL,
    standing text NOT NULL DEFAULT 'live' CONSTRAINT run_house_standing CHECK (standing IN ('live', 'published', 'dropped')),
    state text NOT NULL DEFAULT 'waiting' CONSTRAINT run_house_state CHECK (state IN ('waiting', 'done', 'parked')),
    reason text NOT NULL DEFAULT '' CONSTRAINT run_house_reason CHECK ((state = 'parked') = (reason <> '')),
    digest bytea,
    accounts int NOT NULL DEFAULT 0,
    lines int NOT NULL DEFAULT 0,
    amount bigint NOT NULL DEFAULT 0,
    CONSTRAINT run_house_key PRIMARY KEY (run, house),
    CONSTRAINT run_house_inputs CHECK ((state = 'done') = (digest IS NOT NULL))) WITH (fillfactor = 80);
-- At most one live run a house and period; and one run of the month itself, however many recalculations follow it.
CREATE UNIQUE INDEX run_house_live ON billing.run_house (provider, house, period) WHERE standing = 'live';
CREATE UNIQUE INDEX run_house_month ON billing.run_house (provider, house, period) WHERE kind = 'month' AND standing <> 'dropped';
CREATE INDEX run_house_waiting ON billing.run_house (run, house) WHERE state = 'waiting';

-- Who is paid for a service of a house in a run, and who claims it; and what its lines come to.
CREATE TABLE billing.run_terms (
    run bigint NOT NULL,
    house text NOT NULL,
    service text NOT NULL,
    recipient int NOT NULL REFERENCES reference.recipient,
    creditor int NOT NULL REFERENCES reference.recipient,
    pool smallint NOT NULL CONSTRAINT run_terms_pool CHECK (pool IN (0, 1)),
    title text NOT NULL,
    unit text NOT NULL,
    lines int NOT NULL DEFAULT 0,
    accounts int NOT NULL DEFAULT 0,
    amount bigint NOT NULL DEFAULT 0,
    CONSTRAINT run_terms_key PRIMARY KEY (run, house, service));
-- The accounts of a run, with lines or without: what was calculated, a row an account (0010). services, volumes, prices, amounts and
-- explanations are parallel, a line at a place; kinds and of_periods too, or empty where all are 0. volumes and prices are millionths,
-- kinds LineKinds, explanations packed (services/billing/runs/packing.py).
-- No foreign keys: they were measured at 80 % of a load's writing (0002); account_of_draft looks once a statement instead.
CREATE TABLE billing.run_account (
    run bigint NOT NULL,
    account bigint NOT NULL,
    house text NOT NULL,
    services text[] NOT NULL DEFAULT '{}',
    kinds smallint[] NOT NULL DEFAULT '{}' CONSTRAINT line_kind CHECK (0 <= ALL (kinds) AND 7 >= ALL (kinds)),
    volumes bigint[] NOT NULL DEFAULT '{}',
    prices bigint[] NOT NULL DEFAULT '{}',
    amounts bigint[] NOT NULL DEFAULT '{}',
    of_periods int[] NOT NULL DEFAULT '{}' CONSTRAINT line_of_period CHECK (0 <= ALL (of_periods) AND 209912 >= ALL (of_periods)),
    explanations bytea[] NOT NULL DEFAULT '{}',
    CONSTRAINT lines_are_whole CHECK (cardinality(services) = cardinality(amounts) AND cardinality(volumes) = cardinality(amounts)
        AND cardinality(prices) = cardinality(amounts) AND cardinality(explanations) = cardinality(amounts)
        AND cardinality(kinds) IN (0, cardinality(amounts)) AND cardinality(of_periods) IN (0, cardinality(amounts))),
    CONSTRAINT run_account_key PRIMARY KEY (run, account));
-- What was calculated, line by line.
CREATE VIEW billing.line AS
SELECT a.run, a.account, l.nth::int AS nth, l.service, coalesce(l.kind, 0::smallint) AS kind, l.volume, l.price, l.amount,
    coalesce(l.of_period, 0) AS of_period, l.explanation
FROM billing.run_account a CROSS JOIN LATERAL unnest(a.services, a.kinds, a.volumes, a.prices, a.amounts, a.of_periods, a.explanations)
    WITH ORDINALITY AS l(service, kind, volume, price, amount, of_period, explanation, nth);

-- What a check found. An error stops approval until somebody has acknowledged it.
CREATE TABLE billing.finding (
    finding bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run bigint NOT NULL REFERENCES billing.run,
    house text NOT NULL DEFAULT '',
    account bigint,
    service text NOT NULL DEFAULT '',
    name text NOT NULL,
    severity text NOT NULL CONSTRAINT finding_severity CHECK (severity IN ('note', 'warning', 'error')),
    message text NOT NULL,
    acknowledged_by text CONSTRAINT finding_person CHECK (char_length(btrim(acknowledged_by)) BETWEEN 1 AND 128),
    acknowledged_at timestamptz,
    why text NOT NULL DEFAULT '',
    CONSTRAINT finding_acknowledged CHECK ((acknowledged_by IS NULL) = (acknowledged_at IS NULL)
        AND (acknowledged_by IS NULL) = (why = '')));
CREATE INDEX finding_of_run ON billing.finding (run);

-- What a run did for an account. charged: its charges and printed totals stand, its table is to come; published: its table too, at
-- version of book; unchanged: there was nothing to change; parked: reason says what is in the way. A document has a number; nth counts
-- an account's documents of a period. table_main, table_repair: Σ(weight - paid) of the published table's ordinary principal.
CREATE TABLE billing.document (
    run bigint NOT NULL,
    account bigint NOT NULL,
    period int NOT NULL,
    state text NOT NULL CONSTRAINT document_state CHECK (state IN ('charged', 'published', 'unchanged', 'parked')),
    reason text NOT NULL DEFAULT '' CONSTRAINT document_reason CHECK ((state = 'parked') = (reason <> '')),
    nth int,
    number text,
    charged_main bigint NOT NULL DEFAULT 0,
    charged_repair bigint NOT NULL DEFAULT 0,
    main bigint,
    capital_repair bigint,
    due_on date NOT NULL,
    issued_on date NOT NULL,
    book smallint,
    version bigint,
    table_main bigint,
    table_repair bigint,
    CONSTRAINT document_key PRIMARY KEY (run, account),
    CONSTRAINT document_number CHECK ((nth IS NULL) = (number IS NULL) AND (nth IS NULL) = (main IS NULL)),
    CONSTRAINT document_is_numbered CHECK (state NOT IN ('charged', 'published') OR nth IS NOT NULL),
    CONSTRAINT document_has_table CHECK (state <> 'published' OR (book IS NOT NULL AND version IS NOT NULL AND table_main IS NOT NULL)),
    CONSTRAINT document_once UNIQUE (account, period, nth)) WITH (fillfactor = 90);

-- A sum decided of a closed month, charged by the run of an open one (LineKind CORRECTION or FINE).
CREATE TABLE billing.adjustment (
    adjustment bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account bigint NOT NULL REFERENCES reference.personal_account,
    service text NOT NULL,
    kind smallint NOT NULL CONSTRAINT adjustment_kind CHECK (kind IN (6, 7)),
    amount bigint NOT NULL CONSTRAINT adjustment_amount CHECK (amount <> 0),
    cause text NOT NULL CONSTRAINT adjustment_cause CHECK (char_length(btrim(cause)) BETWEEN 1 AND 500),
    of_period int NOT NULL,
    provider int NOT NULL,
    in_period int NOT NULL,
    decided_by text NOT NULL CONSTRAINT adjustment_person CHECK (char_length(btrim(decided_by)) BETWEEN 1 AND 128),
    decided_at timestamptz NOT NULL,
    CONSTRAINT adjustment_month FOREIGN KEY (provider, in_period) REFERENCES billing.month,
    CONSTRAINT adjustment_goes_forward CHECK (of_period < in_period));
CREATE INDEX adjustment_of_account ON billing.adjustment (account, in_period);

-- What is charged: of the runs published for an account and period, the newest.
CREATE VIEW billing.current_document AS
SELECT DISTINCT ON (d.account, d.period) d.* FROM billing.document d
WHERE d.nth IS NOT NULL ORDER BY d.account, d.period, d.nth DESC;

CREATE FUNCTION billing.refuse_closed_month() RETURNS trigger LANGUAGE plpgsql SET search_path = billing, pg_temp AS $$
DECLARE asked int;
BEGIN
  asked := CASE TG_TABLE_NAME WHEN 'run' THEN (to_jsonb(NEW) ->> 'period')::int ELSE (to_jsonb(NEW) ->> 'in_period')::int END;
  -- FOR SHARE: whoever closes the month waits for this row, and this row for him.
  PERFORM FROM month m WHERE m.provider = NEW.provider AND m.period = asked AND m.state = 'open' FOR SHARE;
  IF NOT FOUND THEN
    RAISE check_violation USING MESSAGE = format('month %s is closed or was never begun', asked), CONSTRAINT = 'month_is_closed';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER run_of_open_month BEFORE INSERT ON billing.run FOR EACH ROW EXECUTE FUNCTION billing.refuse_closed_month();
CREATE TRIGGER adjustment_in_open_month BEFORE INSERT ON billing.adjustment
    FOR EACH ROW EXECUTE FUNCTION billing.refuse_closed_month();

CREATE FUNCTION billing.refuse_reopening() RETURNS trigger LANGUAGE plpgsql SET search_path = billing, pg_temp AS $$
BEGIN
  IF OLD.state = 'closed' THEN
    RAISE check_violation USING MESSAGE = format('month %s is closed for good', OLD.period), CONSTRAINT = 'month_is_closed';
  END IF;
  IF EXISTS (SELECT FROM run r WHERE r.provider = OLD.provider AND r.period = OLD.period
      AND r.state IN ('draft', 'checked', 'approved', 'publishing')) THEN
    RAISE check_violation USING MESSAGE = format('month %s has a run under way', OLD.period), CONSTRAINT = 'month_has_live_run';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER month_closes_once BEFORE UPDATE ON billing.month FOR EACH ROW EXECUTE FUNCTION billing.refuse_reopening();

-- A run goes forward only; what it is, who made it and what it was calculated from stay.
CREATE FUNCTION billing.refuse_other_way() RETURNS trigger LANGUAGE plpgsql SET search_path = billing, pg_temp AS $$
BEGIN
  IF (NEW.run, NEW.provider, NEW.period, NEW.kind, NEW.scope, NEW.asked, NEW.made_by, NEW.made_at)
      IS DISTINCT FROM (OLD.run, OLD.provider, OLD.period, OLD.kind, OLD.scope, OLD.asked, OLD.made_by, OLD.made_at)
      OR (OLD.state <> 'draft' AND NEW.digest IS DISTINCT FROM OLD.digest)
      OR (OLD.approved_by IS NOT NULL AND NEW.approved_by IS DISTINCT FROM OLD.approved_by)
      OR (OLD.due_on IS NOT NULL AND NEW.due_on IS DISTINCT FROM OLD.due_on) THEN
    RAISE integrity_constraint_violation USING MESSAGE = 'run: these columns never change', CONSTRAINT = 'run_stays';
  END IF;
  IF NEW.state <> OLD.state AND NOT (OLD.state || '>' || NEW.state = ANY (ARRAY['draft>checked', 'draft>dropped', 'checked>approved',
      'checked>dropped', 'approved>publishing', 'approved>dropped', 'publishing>published', 'published>closed'])) THEN
    RAISE check_violation USING MESSAGE = format('run %s is %s and cannot become %s', OLD.run, OLD.state, NEW.state),
      CONSTRAINT = 'run_goes_forward';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER run_goes_forward BEFORE UPDATE ON billing.run FOR EACH ROW EXECUTE FUNCTION billing.refuse_other_way();

CREATE FUNCTION billing.tell_houses() RETURNS trigger LANGUAGE plpgsql SET search_path = billing, pg_temp AS $$
BEGIN
  UPDATE run_house h SET standing = CASE NEW.state WHEN 'dropped' THEN 'dropped' ELSE 'published' END
  WHERE h.run = NEW.run AND h.standing = 'live';
  RETURN NULL;
END $$;
CREATE TRIGGER run_ends AFTER UPDATE OF state ON billing.run FOR EACH ROW
    WHEN (NEW.state IN ('published', 'dropped') AND OLD.state <> NEW.state) EXECUTE FUNCTION billing.tell_houses();

-- Lines, accounts and terms are written while their run is a draft and taken away when it is dropped; they never change.
-- FOR SHARE: whoever moves the run on waits for this statement's transaction.
CREATE FUNCTION billing.refuse_unless_draft() RETURNS trigger LANGUAGE plpgsql SET search_path = billing, pg_temp AS $$
DECLARE wrong bigint; state_of text;
BEGIN
  FOR wrong IN SELECT DISTINCT t.run FROM touched t LOOP
    SELECT r.state INTO state_of FROM run r WHERE r.run = wrong FOR SHARE;
    IF state_of = 'draft' OR (state_of = 'dropped' AND TG_OP = 'DELETE') THEN CONTINUE; END IF;
    RAISE integrity_constraint_violation USING MESSAGE = format('run %s is no draft: its %ss never change', wrong, TG_TABLE_NAME),
      CONSTRAINT = 'run_is_no_draft';
  END LOOP;
  RETURN NULL;
END $$;
CREATE FUNCTION billing.refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE integrity_constraint_violation USING MESSAGE = TG_TABLE_NAME || ': what is recorded here never changes', CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER account_of_draft AFTER INSERT ON billing.run_account
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION billing.refuse_unless_draft();
CREATE TRIGGER account_taken_away AFTER DELETE ON billing.run_account
    REFERENCING OLD TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION billing.refuse_unless_draft();
CREATE TRIGGER lines_stay BEFORE UPDATE OR TRUNCATE ON billing.run_account FOR EACH STATEMENT EXECUTE FUNCTION billing.refuse_change();
CREATE TRIGGER terms_of_draft AFTER INSERT ON billing.run_terms
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION billing.refuse_unless_draft();
CREATE TRIGGER terms_taken_away AFTER DELETE ON billing.run_terms
    REFERENCING OLD TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION billing.refuse_unless_draft();
CREATE TRIGGER terms_stay BEFORE UPDATE OR TRUNCATE ON billing.run_terms FOR EACH STATEMENT EXECUTE FUNCTION billing.refuse_change();
CREATE TRIGGER adjustments_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON billing.adjustment
    FOR EACH STATEMENT EXECUTE FUNCTION billing.refuse_change();

-- What a document prints stays once its table is published.
CREATE FUNCTION billing.refuse_reprinting() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE integrity_constraint_violation USING MESSAGE = format('document %s is published', OLD.number), CONSTRAINT = 'document_stays';
END $$;
CREATE TRIGGER document_stays BEFORE UPDATE ON billing.document FOR EACH ROW
    WHEN (OLD.state = 'published' AND (OLD.nth, OLD.number, OLD.charged_main, OLD.charged_repair, OLD.main, OLD.capital_repair, OLD.due_on,
        OLD.issued_on) IS DISTINCT FROM (NEW.nth, NEW.number, NEW.charged_main, NEW.charged_repair, NEW.main, NEW.capital_repair, NEW.due_on,
        NEW.issued_on)) EXECUTE FUNCTION billing.refuse_reprinting();

GRANT USAGE ON SCHEMA billing TO kopeck_services, kopeck_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA billing TO kopeck_services, kopeck_reader;
GRANT INSERT, UPDATE (state, closed_by, closed_at) ON billing.month TO kopeck_services;
GRANT INSERT, UPDATE (state, digest, checked_at, approved_by, approved_at, due_on, published_at, dropped_by, dropped_at)
    ON billing.run TO kopeck_services;
GRANT INSERT, UPDATE (standing, state, reason, digest, accounts, lines, amount) ON billing.run_house TO kopeck_services;
GRANT INSERT, DELETE ON billing.run_terms, billing.run_account TO kopeck_services;
GRANT INSERT, UPDATE (acknowledged_by, acknowledged_at, why) ON billing.finding TO kopeck_services;
GRANT DELETE ON billing.finding TO kopeck_services;
GRANT INSERT, UPDATE ON billing.document TO kopeck_services;
GRANT INSERT ON billing.adjustment TO kopeck_services;
