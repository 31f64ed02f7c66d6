-- Paper and penalties: what payment documents print beside requisites, penalties by runs with their detail, who is spared them and why.

-- The bank of a БИК as documents and their codes name it; the newest load counts.
CREATE TABLE billing.bank (
    bic text PRIMARY KEY CONSTRAINT bank_bic CHECK (bic ~ '^[0-9]{9}$'),
    name text NOT NULL CONSTRAINT bank_name CHECK (char_length(btrim(name)) BETWEEN 1 AND 300),
    correspondent_account text NOT NULL CONSTRAINT bank_correspondent CHECK (correspondent_account ~ '^[0-9]{20}$'),
    loaded_by text NOT NULL,
    loaded_at timestamptz NOT NULL);
-- Where people find a recipient (п. 69 «б» ПП 354); the newest load counts.
CREATE TABLE billing.contact (
    recipient int PRIMARY KEY REFERENCES reference.recipient,
    address text NOT NULL,
    phones text NOT NULL,
    email text NOT NULL,
    site text NOT NULL,
    dispatch_phone text NOT NULL,
    working_hours text NOT NULL,
    loaded_by text NOT NULL,
    loaded_at timestamptz NOT NULL);

GRANT SELECT ON billing.bank, billing.contact TO kopeck_services, kopeck_reader;
GRANT INSERT, UPDATE ON billing.bank, billing.contact TO kopeck_services;

-- One calculation of a provider's penalties (ЖК 155 ч. 14, 14.1) as of a day, charged in a period. reached: the last account that was
-- calculated; a draft goes on from there. At most one live run a provider: each charges what grew since the runs before it.
CREATE TABLE billing.penalty_run (
    run bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider int NOT NULL REFERENCES reference.recipient,
    period int NOT NULL CONSTRAINT penalty_run_period CHECK (period BETWEEN 199101 AND 209912 AND period % 100 BETWEEN 1 AND 12),
    as_of date NOT NULL,
    state text NOT NULL DEFAULT 'draft' CONSTRAINT penalty_run_state
        CHECK (state IN ('draft', 'checked', 'approved', 'publishing', 'published', 'dropped')),
    reached bigint NOT NULL DEFAULT 0,
    is_complete boolean NOT NULL DEFAULT false,
    made_by text NOT NULL CONSTRAINT penalty_run_maker CHECK (char_length(btrim(made_by)) BETWEEN 1 AND 128),
    made_at timestamptz NOT NULL,
    approved_by text CONSTRAINT penalty_run_approver CHECK (char_length(btrim(approved_by)) BETWEEN 1 AND 128),
    approved_at timestamptz,
    due_on date,
    published_at timestamptz,
    dropped_by text,
    dropped_at timestamptz,
    CONSTRAINT penalty_run_second_person CHECK (approved_by IS NULL OR lower(btrim(approved_by)) <> lower(btrim(made_by))),
    CONSTRAINT penalty_run_approval CHECK ((approved_by IS NULL) = (approved_at IS NULL)),
    CONSTRAINT penalty_run_is_approved CHECK (state NOT IN ('approved', 'publishing', 'published') OR approved_by IS NOT NULL),
    CONSTRAINT penalty_run_is_complete CHECK (state IN ('draft', 'dropped') OR is_complete),
    CONSTRAINT penalty_run_has_due_date CHECK (state NOT IN ('publishing', 'published') OR due_on IS NOT NULL),
    CONSTRAINT penalty_run_dropping CHECK ((state = 'dropped') = (dropped_by IS NOT NULL) AND (dropped_by IS NULL) = (dropped_at IS NULL)));
CREATE UNIQUE INDEX penalty_run_live ON billing.penalty_run (provider) WHERE state IN ('draft', 'checked', 'approved', 'publishing');

-- A bill: what one creditor charged an account for a period in a pool, due on one day. penalty: of the whole delay as of the run's day;
-- before: what earlier runs charged of it; change: what this run charges, negative where too much was. excluded: why nothing is.
CREATE TABLE billing.penalty_bill (
    run bigint NOT NULL,
    account bigint NOT NULL,
    nth int NOT NULL,
    creditor int NOT NULL,
    bill_period int NOT NULL,
    pool smallint NOT NULL CONSTRAINT penalty_bill_pool CHECK (pool IN (0, 1)),
    due_on date NOT NULL,
    debt bigint NOT NULL,
    penalty bigint NOT NULL CONSTRAINT penalty_bill_penalty CHECK (penalty >= 0),
    before bigint NOT NULL,
    change bigint NOT NULL CONSTRAINT penalty_bill_change CHECK (before + change >= 0),
    excluded text NOT NULL,
    CONSTRAINT penalty_bill_key PRIMARY KEY (run, account, nth),
    CONSTRAINT penalty_bill_excluded CHECK (excluded = '' OR change = 0));
CREATE INDEX penalty_bill_of_account ON billing.penalty_bill (account);
-- How a bill's penalty came about: a part of the debt, overdue starts_on … ends_on; rate: millionths of one a year.
CREATE TABLE billing.penalty_part (
    run bigint NOT NULL,
    account bigint NOT NULL,
    nth int NOT NULL,
    part int NOT NULL,
    debt bigint NOT NULL,
    starts_on date NOT NULL,
    ends_on date NOT NULL,
    days int NOT NULL CONSTRAINT penalty_part_days CHECK (days = ends_on - starts_on + 1),
    rate bigint NOT NULL,
    divisor int NOT NULL CONSTRAINT penalty_part_divisor CHECK (divisor > 0),
    is_paid boolean NOT NULL,
    amount bigint NOT NULL,
    CONSTRAINT penalty_part_key PRIMARY KEY (run, account, nth, part));

-- A decision to write penalties off (списание), taken by two persons; a run then lowers the charge by it, never below what is paid.
CREATE TABLE billing.penalty_waiver (
    waiver bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account bigint NOT NULL REFERENCES reference.personal_account,
    creditor int NOT NULL REFERENCES reference.recipient,
    pool smallint NOT NULL CONSTRAINT penalty_waiver_pool CHECK (pool IN (0, 1)),
    amount bigint NOT NULL CONSTRAINT penalty_waiver_amount CHECK (amount > 0),
    why text NOT NULL CONSTRAINT penalty_waiver_why CHECK (char_length(btrim(why)) BETWEEN 1 AND 500),
    proposed_by text NOT NULL CONSTRAINT penalty_waiver_person CHECK (char_length(btrim(proposed_by)) BETWEEN 1 AND 128),
    proposed_at timestamptz NOT NULL,
    approved_by text,
    approved_at timestamptz,
    CONSTRAINT penalty_waiver_second_person CHECK (approved_by IS NULL OR lower(btrim(approved_by)) <> lower(btrim(proposed_by))),
    CONSTRAINT penalty_waiver_approval CHECK ((approved_by IS NULL) = (approved_at IS NULL)));
CREATE INDEX penalty_waiver_of_account ON billing.penalty_waiver (account);
-- What a run takes of a waiver.
CREATE TABLE billing.penalty_waived (
    run bigint NOT NULL,
    waiver bigint NOT NULL REFERENCES billing.penalty_waiver,
    account bigint NOT NULL,
    amount bigint NOT NULL CONSTRAINT penalty_waived_amount CHECK (amount > 0),
    CONSTRAINT penalty_waived_key PRIMARY KEY (run, waiver));
CREATE INDEX penalty_waived_of_account ON billing.penalty_waived (account);
-- Nothing more is charged of an account, or of one creditor's bills of it, while this stands: a dispute, an agreement, a bankruptcy.
CREATE TABLE billing.penalty_exclusion (
    exclusion bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account bigint NOT NULL REFERENCES reference.personal_account,
    creditor int REFERENCES reference.recipient,
    reason text NOT NULL CONSTRAINT penalty_exclusion_reason CHECK (char_length(btrim(reason)) BETWEEN 1 AND 500),
    set_by text NOT NULL CONSTRAINT penalty_exclusion_person CHECK (char_length(btrim(set_by)) BETWEEN 1 AND 128),
    set_at timestamptz NOT NULL,
    ended_by text,
    ended_at timestamptz,
    CONSTRAINT penalty_exclusion_end CHECK ((ended_by IS NULL) = (ended_at IS NULL)));
CREATE INDEX penalty_exclusion_of_account ON billing.penalty_exclusion (account) WHERE ended_by IS NULL;

-- What a run did for an account, creditor and pool: a document of its own. charged: its charge stands, its table is to come. owed_before:
-- penalties charged earlier and not paid, negative where more was paid.
CREATE TABLE billing.penalty_document (
    run bigint NOT NULL REFERENCES billing.penalty_run,
    account bigint NOT NULL,
    creditor int NOT NULL,
    pool smallint NOT NULL,
    period int NOT NULL,
    state text NOT NULL CONSTRAINT penalty_document_state CHECK (state IN ('charged', 'published', 'parked')),
    reason text NOT NULL DEFAULT '' CONSTRAINT penalty_document_reason CHECK ((state = 'parked') = (reason <> '')),
    number text,
    charged bigint NOT NULL,
    owed_before bigint NOT NULL,
    due_on date NOT NULL,
    issued_on date NOT NULL,
    CONSTRAINT penalty_document_key PRIMARY KEY (run, account, creditor, pool),
    CONSTRAINT penalty_document_is_numbered CHECK (state = 'parked' OR number IS NOT NULL)) WITH (fillfactor = 80);
CREATE INDEX penalty_document_of_account ON billing.penalty_document (account);

-- What earlier runs charged of bills: those whose document was charged.
CREATE VIEW billing.penalty_charged AS
SELECT b.run, b.account, b.creditor, b.pool, b.bill_period, b.due_on, b.change FROM billing.penalty_bill b
    JOIN billing.penalty_document d USING (run, account, creditor, pool) WHERE d.state <> 'parked' AND b.change <> 0;

CREATE FUNCTION billing.refuse_other_penalty_way() RETURNS trigger LANGUAGE plpgsql SET search_path = billing, pg_temp AS $$
BEGIN
  IF (NEW.run, NEW.provider, NEW.period, NEW.as_of, NEW.made_by, NEW.made_at)
      IS DISTINCT FROM (OLD.run, OLD.provider, OLD.period, OLD.as_of, OLD.made_by, OLD.made_at)
      OR (OLD.state <> 'draft' AND (NEW.reached, NEW.is_complete) IS DISTINCT FROM (OLD.reached, OLD.is_complete))
      OR NEW.reached < OLD.reached OR (OLD.is_complete AND NOT NEW.is_complete)
      OR (OLD.approved_by IS NOT NULL AND NEW.approved_by IS DISTINCT FROM OLD.approved_by)
      OR (OLD.due_on IS NOT NULL AND NEW.due_on IS DISTINCT FROM OLD.due_on) THEN
    RAISE integrity_constraint_violation USING MESSAGE = 'penalty_run: these columns never change', CONSTRAINT = 'penalty_run_stays';
  END IF;
  IF NEW.state <> OLD.state AND NOT (OLD.state || '>' || NEW.state = ANY (ARRAY['draft>checked', 'draft>dropped', 'checked>approved',
      'checked>dropped', 'approved>publishing', 'approved>dropped', 'publishing>published'])) THEN
    RAISE check_violation USING MESSAGE = format('penalty run %s is %s and cannot become %s', OLD.run, OLD.state, NEW.state),
      CONSTRAINT = 'penalty_run_goes_forward';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER penalty_run_goes_forward BEFORE UPDATE ON billing.penalty_run
    FOR EACH ROW EXECUTE FUNCTION billing.refuse_other_penalty_way();

-- Bills, parts and what is taken of waivers are written while their run is a draft; they never change.
CREATE FUNCTION billing.refuse_unless_penalty_draft() RETURNS trigger LANGUAGE plpgsql SET search_path = billing, pg_temp AS $$
DECLARE wrong bigint; state_of text;
BEGIN
  FOR wrong IN SELECT DISTINCT t.run FROM touched t LOOP
    SELECT r.state INTO state_of FROM penalty_run r WHERE r.run = wrong FOR SHARE;
    IF state_of IS DISTINCT FROM 'draft' THEN
      RAISE integrity_constraint_violation USING MESSAGE = format('penalty run %s is no draft: its %ss never change', wrong, TG_TABLE_NAME),
        CONSTRAINT = 'penalty_run_is_no_draft';
    END IF;
  END LOOP;
  RETURN NULL;
END $$;
-- A waiver or an exclusion is decided once: it may be approved or ended, once, and nothing else of it changes.
CREATE FUNCTION billing.refuse_other_decision() RETURNS trigger LANGUAGE plpgsql SET search_path = billing, pg_temp AS $$
DECLARE was jsonb := to_jsonb(OLD); is_now jsonb := to_jsonb(NEW); who text := TG_ARGV[0]; at text := TG_ARGV[1];
BEGIN
  IF was ->> who IS NOT NULL OR was - who - at <> is_now - who - at THEN
    RAISE integrity_constraint_violation USING MESSAGE = TG_TABLE_NAME || ': a decision never changes', CONSTRAINT = TG_NAME;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER penalty_waiver_stays BEFORE UPDATE ON billing.penalty_waiver
    FOR EACH ROW EXECUTE FUNCTION billing.refuse_other_decision('approved_by', 'approved_at');
CREATE TRIGGER penalty_exclusion_stays BEFORE UPDATE ON billing.penalty_exclusion
    FOR EACH ROW EXECUTE FUNCTION billing.refuse_other_decision('ended_by', 'ended_at');
CREATE FUNCTION billing.refuse_penalty_reprinting() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE integrity_constraint_violation USING MESSAGE = format('penalty document %s is charged', OLD.number),
    CONSTRAINT = 'penalty_document_stays';
END $$;
CREATE TRIGGER penalty_document_stays BEFORE UPDATE ON billing.penalty_document FOR EACH ROW
    WHEN (OLD.state <> 'parked' AND (NEW.state = 'parked' OR (OLD.number, OLD.charged, OLD.owed_before, OLD.due_on, OLD.issued_on)
        IS DISTINCT FROM (NEW.number, NEW.charged, NEW.owed_before, NEW.due_on, NEW.issued_on)))
    EXECUTE FUNCTION billing.refuse_penalty_reprinting();
DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['penalty_bill', 'penalty_part', 'penalty_waived'] LOOP
    EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON billing.%I REFERENCING NEW TABLE AS touched FOR EACH STATEMENT '
      'EXECUTE FUNCTION billing.refuse_unless_penalty_draft()', name || '_of_draft', name);
    EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE OR TRUNCATE ON billing.%I FOR EACH STATEMENT '
      'EXECUTE FUNCTION billing.refuse_change()', name || 's_stay', name);
  END LOOP;
END $$;

GRANT SELECT ON billing.penalty_run, billing.penalty_bill, billing.penalty_part, billing.penalty_waiver, billing.penalty_waived,
    billing.penalty_exclusion, billing.penalty_document, billing.penalty_charged TO kopeck_services, kopeck_reader;
GRANT INSERT, UPDATE (state, reached, is_complete, approved_by, approved_at, due_on, published_at, dropped_by, dropped_at)
    ON billing.penalty_run TO kopeck_services;
GRANT INSERT ON billing.penalty_bill, billing.penalty_part, billing.penalty_waived TO kopeck_services;
GRANT INSERT, UPDATE (approved_by, approved_at) ON billing.penalty_waiver TO kopeck_services;
GRANT INSERT, UPDATE (ended_by, ended_at) ON billing.penalty_exclusion TO kopeck_services;
GRANT INSERT, UPDATE (state, reason, number, charged, owed_before, due_on, issued_on) ON billing.penalty_document TO kopeck_services;
