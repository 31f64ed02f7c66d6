-- Corrections of closed months: what asks for them, large sums that wait for a second person, sums that are written off.

-- basis: facts: a recalculation of the period by what is known now; year: a yearly correction of the year that ends with of_period;
-- person: decided by a person, who says what the period should come to; apart: by a person, beside the calculation (a court's sum).
-- A recalculation compares with facts and person, a yearly correction with year too; apart stays whatever they say.
CREATE TABLE billing.proposal (
    proposal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account bigint NOT NULL REFERENCES reference.personal_account,
    service text NOT NULL,
    kind smallint NOT NULL CONSTRAINT proposal_kind CHECK (kind IN (6, 7)),
    amount bigint NOT NULL CONSTRAINT proposal_amount CHECK (amount <> 0),
    cause text NOT NULL CONSTRAINT proposal_cause CHECK (char_length(btrim(cause)) BETWEEN 1 AND 500),
    of_period int NOT NULL,
    provider int NOT NULL,
    in_period int NOT NULL,
    basis text NOT NULL CONSTRAINT proposal_basis CHECK (basis IN ('facts', 'year', 'person', 'apart')),
    decided_by text NOT NULL CONSTRAINT proposal_person CHECK (char_length(btrim(decided_by)) BETWEEN 1 AND 128),
    decided_at timestamptz NOT NULL,
    CONSTRAINT proposal_month FOREIGN KEY (provider, in_period) REFERENCES billing.month,
    CONSTRAINT proposal_goes_forward CHECK (of_period < in_period));
CREATE INDEX proposal_of_account ON billing.proposal (account, of_period);
CREATE INDEX proposal_of_month ON billing.proposal (provider, in_period);
CREATE TABLE billing.proposal_answer (
    proposal bigint CONSTRAINT proposal_answered_once PRIMARY KEY REFERENCES billing.proposal,
    is_confirmed boolean NOT NULL,
    answered_by text NOT NULL CONSTRAINT answer_person CHECK (char_length(btrim(answered_by)) BETWEEN 1 AND 128),
    answered_at timestamptz NOT NULL,
    why text NOT NULL,
    CONSTRAINT declined_for_a_reason CHECK (is_confirmed OR btrim(why) <> ''));
CREATE VIEW billing.waiting_proposal AS
SELECT p.* FROM billing.proposal p WHERE NOT EXISTS (SELECT FROM billing.proposal_answer a WHERE a.proposal = p.proposal);

-- proposal: the confirmed one that this sum is. undoes: the sum of an account that this one writes off, to nought.
ALTER TABLE billing.adjustment
    ADD COLUMN basis text NOT NULL DEFAULT 'person' CONSTRAINT adjustment_basis CHECK (basis IN ('facts', 'year', 'person', 'apart')),
    ADD COLUMN proposal bigint CONSTRAINT proposal_charged_once UNIQUE REFERENCES billing.proposal,
    ADD COLUMN undoes bigint CONSTRAINT adjustment_undone_once UNIQUE REFERENCES billing.adjustment;
CREATE INDEX adjustment_of_period ON billing.adjustment (account, of_period);

-- From how many kopecks on a second person is asked: of all that one account is adjusted by in a month without one. The newest counts.
CREATE TABLE billing.adjustment_limit (
    nth int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    amount bigint NOT NULL CONSTRAINT limit_not_negative CHECK (amount >= 0),
    set_by text NOT NULL CONSTRAINT limit_person CHECK (char_length(btrim(set_by)) BETWEEN 1 AND 128),
    set_at timestamptz NOT NULL);
INSERT INTO billing.adjustment_limit (amount, set_by, set_at) VALUES (1000000, 'kopeck', clock_timestamp());

-- A take: the list of houses and closed periods that an open month looks at again, done one after another; open until all are.
CREATE TABLE billing.correction_take (
    take bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider int NOT NULL,
    in_period int NOT NULL,
    begun_by text NOT NULL CONSTRAINT take_person CHECK (char_length(btrim(begun_by)) BETWEEN 1 AND 128),
    begun_at timestamptz NOT NULL,
    done_at timestamptz,
    CONSTRAINT take_month FOREIGN KEY (provider, in_period) REFERENCES billing.month);
CREATE UNIQUE INDEX take_open_once ON billing.correction_take (provider) WHERE done_at IS NULL;
-- done: corrected, or nothing was to be; open: the period is not closed, a run recalculates it; parked: reason is in the way.
CREATE TABLE billing.correction_house (
    take bigint NOT NULL REFERENCES billing.correction_take,
    house text NOT NULL,
    of_period int NOT NULL,
    cause text NOT NULL,
    state text NOT NULL DEFAULT 'waiting' CONSTRAINT correction_state CHECK (state IN ('waiting', 'done', 'open', 'parked')),
    reason text NOT NULL DEFAULT '' CONSTRAINT correction_reason CHECK ((state IN ('open', 'parked')) = (reason <> '')),
    CONSTRAINT correction_house_key PRIMARY KEY (take, house, of_period));
CREATE INDEX correction_house_waiting ON billing.correction_house (take, of_period, house) WHERE state = 'waiting';

CREATE TRIGGER proposal_in_open_month BEFORE INSERT ON billing.proposal
    FOR EACH ROW EXECUTE FUNCTION billing.refuse_closed_month();

-- A confirmation is another person's than the decision.
CREATE FUNCTION billing.refuse_own_answer() RETURNS trigger LANGUAGE plpgsql SET search_path = billing, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM added a JOIN proposal p USING (proposal)
      WHERE a.is_confirmed AND lower(btrim(a.answered_by)) = lower(btrim(p.decided_by))) THEN
    RAISE check_violation USING MESSAGE = 'a large sum is confirmed by a second person', CONSTRAINT = 'answer_second_person';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER answer_second_person AFTER INSERT ON billing.proposal_answer
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION billing.refuse_own_answer();

-- Sums of one month are added one transaction after another, or two at once would each stay below the limit.
CREATE FUNCTION billing.lock_month_sums(p_provider int, p_period int) RETURNS void LANGUAGE sql SET search_path = pg_catalog AS
$$ SELECT pg_advisory_xact_lock(hashtextextended('billing/sums/' || p_provider || '/' || p_period, 0)) $$;

CREATE FUNCTION billing.refuse_unconfirmed() RETURNS trigger LANGUAGE plpgsql SET search_path = billing, pg_temp AS $$
DECLARE wrong record; allowed bigint;
BEGIN
  PERFORM lock_month_sums(m.provider, m.in_period)
  FROM (SELECT DISTINCT a.provider, a.in_period FROM added a ORDER BY a.provider, a.in_period) m;
  SELECT l.amount INTO allowed FROM adjustment_limit l ORDER BY l.nth DESC LIMIT 1;
  -- What was written off counts no more, nor does what writes it off.
  SELECT s.account, s.amount INTO wrong FROM (
    SELECT j.account, sum(abs(j.amount)) AS amount
    FROM (SELECT DISTINCT a.account, a.provider, a.in_period FROM added a WHERE a.proposal IS NULL AND a.undoes IS NULL) t
      JOIN adjustment j USING (account, provider, in_period)
    WHERE j.proposal IS NULL AND j.undoes IS NULL AND NOT EXISTS (SELECT FROM adjustment u WHERE u.undoes = j.adjustment)
    GROUP BY j.account, j.provider, j.in_period) s
  WHERE s.amount > allowed LIMIT 1;
  IF FOUND THEN
    RAISE check_violation USING MESSAGE = format('account %s is adjusted by %s kopecks, above %s without a second person', wrong.account,
      wrong.amount, allowed), CONSTRAINT = 'adjustment_second_person';
  END IF;
  IF EXISTS (SELECT FROM added a WHERE a.proposal IS NOT NULL AND NOT EXISTS (
      SELECT FROM proposal p JOIN proposal_answer n USING (proposal)
      WHERE p.proposal = a.proposal AND n.is_confirmed
        AND (p.account, p.service, p.kind, p.amount, p.cause, p.of_period, p.provider, p.in_period, p.basis)
          = (a.account, a.service, a.kind, a.amount, a.cause, a.of_period, a.provider, a.in_period, a.basis))) THEN
    RAISE check_violation USING MESSAGE = 'a sum is not as it was confirmed', CONSTRAINT = 'adjustment_as_confirmed';
  END IF;
  IF EXISTS (SELECT FROM added a WHERE a.undoes IS NOT NULL AND NOT EXISTS (
      SELECT FROM adjustment j WHERE j.adjustment = a.undoes AND j.undoes IS NULL
        AND (j.account, j.service, j.kind, j.amount, j.of_period, j.provider, j.in_period, j.basis)
          = (a.account, a.service, a.kind, -a.amount, a.of_period, a.provider, a.in_period, a.basis)
        AND lower(btrim(j.decided_by)) <> lower(btrim(a.decided_by)))) THEN
    RAISE check_violation USING MESSAGE = 'a sum is written off whole, by another person than decided it',
      CONSTRAINT = 'write_off_second_person';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER adjustment_second_person AFTER INSERT ON billing.adjustment
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION billing.refuse_unconfirmed();

CREATE FUNCTION billing.refuse_unanswered() RETURNS trigger LANGUAGE plpgsql SET search_path = billing, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM waiting_proposal p WHERE p.provider = NEW.provider AND p.in_period = NEW.period) THEN
    RAISE check_violation USING MESSAGE = format('sums of month %s wait for a second person', NEW.period),
      CONSTRAINT = 'month_has_waiting_sums';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER month_answers_first BEFORE UPDATE OF state ON billing.month
    FOR EACH ROW WHEN (NEW.state = 'closed') EXECUTE FUNCTION billing.refuse_unanswered();

DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['proposal', 'proposal_answer', 'adjustment_limit'] LOOP
    EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE OR TRUNCATE ON billing.%I FOR EACH STATEMENT EXECUTE FUNCTION '
      'billing.refuse_change()', name || '_stays', name);
  END LOOP;
END $$;

GRANT SELECT ON billing.proposal, billing.proposal_answer, billing.waiting_proposal, billing.adjustment_limit, billing.correction_take,
    billing.correction_house TO kopeck_services, kopeck_reader;
GRANT INSERT ON billing.proposal, billing.proposal_answer, billing.adjustment_limit TO kopeck_services;
GRANT INSERT, UPDATE (done_at) ON billing.correction_take TO kopeck_services;
GRANT INSERT, UPDATE (state, reason) ON billing.correction_house TO kopeck_services;
