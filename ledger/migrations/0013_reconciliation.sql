-- Days and months reconciled with the banks' statements, and the protocols that close them.
-- Above the cut that ends a bank day (ledger.cut) stands its protocol: signed by two, never changed, chained to the one before.

CREATE SCHEMA reconciliation;

-- Whether a day of a transit account is closed by the bank's final statement only. The newest row counts; without one the account's
-- believed source of covers decides, and while nobody is believed, whether the house has any statement of it.
CREATE TABLE reconciliation.statement_terms (
    transit int NOT NULL REFERENCES reference.transit_account,
    nth int NOT NULL,
    required boolean NOT NULL,
    set_by text NOT NULL CONSTRAINT statement_terms_person CHECK (char_length(btrim(set_by)) BETWEEN 1 AND 128),
    set_at timestamptz NOT NULL,
    CONSTRAINT statement_terms_key PRIMARY KEY (transit, nth));

-- What a person said of an item of a day that is not reconciled yet. place: line:<number of bank.line>, <book>:<sequence>,
-- 'difference' of the day's closing balance or 'technical'. The newest counts.
CREATE TABLE reconciliation.explanation (
    explanation bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transit int NOT NULL REFERENCES reference.transit_account,
    day date NOT NULL,
    place text NOT NULL CONSTRAINT explanation_place
        CHECK (place ~ '^(line:[0-9]{1,18}|[0-9]{1,5}:[0-9]{1,18}|difference|technical)$'),
    text text NOT NULL CONSTRAINT explanation_text CHECK (char_length(btrim(text)) BETWEEN 1 AND 1000),
    person text NOT NULL CONSTRAINT explanation_person CHECK (char_length(btrim(person)) BETWEEN 1 AND 128),
    at timestamptz NOT NULL);
CREATE INDEX explanation_by_place ON reconciliation.explanation (transit, place);

-- What a day or a month came to. content: the canonical JSON that is signed (docs/reconciliation.md). accounts, balances: every
-- ledger account at the cut that is not nought; open_lines: lines that the bank had and the ledger at the cut had not, or the other
-- way round; closing: the bank's balance; difference: closing less the ledger's, beyond what open items explain.
CREATE TABLE reconciliation.protocol (
    protocol bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transit int NOT NULL REFERENCES reference.transit_account,
    what text NOT NULL CONSTRAINT protocol_what CHECK (what IN ('day', 'month')),
    -- The bank day, or the first day of the month.
    period date NOT NULL CONSTRAINT protocol_month CHECK (what = 'day' OR extract(day FROM period) = 1),
    cut bigint NOT NULL REFERENCES ledger.cut,
    follows bigint REFERENCES reconciliation.protocol,
    content text NOT NULL,
    digest bytea NOT NULL CONSTRAINT protocol_digest CHECK (digest = sha256(convert_to(content, 'UTF8'))),
    accounts bigint[] NOT NULL,
    balances bigint[] NOT NULL,
    open_lines bigint[] NOT NULL,
    closing bigint,
    difference bigint NOT NULL,
    made_at timestamptz NOT NULL,
    CONSTRAINT protocol_balances CHECK (cardinality(accounts) = cardinality(balances)),
    CONSTRAINT protocol_period UNIQUE (protocol, transit, what, period));
CREATE INDEX protocol_of_period ON reconciliation.protocol (transit, what, period);
-- Postings of a ledger account that were still open at a day's cut: promises not covered, covers of nothing, orders under way,
-- movements of the transit account without a line. The arrays are parallel; their sum is what is left of the account.
CREATE TABLE reconciliation.open_item (
    protocol bigint NOT NULL REFERENCES reconciliation.protocol,
    account bigint NOT NULL,
    books smallint[] NOT NULL,
    sequences bigint[] NOT NULL,
    amounts bigint[] NOT NULL,
    CONSTRAINT open_item_key PRIMARY KEY (protocol, account),
    CONSTRAINT open_item_parallel CHECK (cardinality(books) > 0 AND cardinality(sequences) = cardinality(books)
        AND cardinality(amounts) = cardinality(books)));
-- Two signatures of two people close a period for good.
CREATE TABLE reconciliation.signature (
    protocol bigint NOT NULL,
    transit int NOT NULL,
    what text NOT NULL,
    period date NOT NULL,
    place smallint NOT NULL CONSTRAINT signature_place CHECK (place IN (1, 2)),
    person text NOT NULL CONSTRAINT signature_person CHECK (char_length(person) BETWEEN 1 AND 128 AND person = lower(btrim(person))),
    at timestamptz NOT NULL,
    CONSTRAINT signature_key PRIMARY KEY (protocol, place),
    CONSTRAINT signature_two_people UNIQUE (protocol, person),
    CONSTRAINT signature_of FOREIGN KEY (protocol, transit, what, period)
        REFERENCES reconciliation.protocol (protocol, transit, what, period));
CREATE UNIQUE INDEX signature_closes_once ON reconciliation.signature (transit, what, period) WHERE place = 2;

-- What the bank told of a day after its protocol was signed: a line that appeared, vanished, came back or moved, a final statement
-- with another balance. It belongs to the day that was open then. Written by triggers alone.
CREATE TABLE reconciliation.late_item (
    item bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transit int NOT NULL,
    what text NOT NULL CONSTRAINT late_item_what CHECK (what IN ('appeared', 'vanished', 'came_back', 'moved', 'statement')),
    line bigint REFERENCES bank.line,
    statement bigint NOT NULL REFERENCES bank.statement,
    -- Its own day, which is closed, and the open day that it falls to.
    day date NOT NULL,
    open_day date NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE INDEX late_item_by_day ON reconciliation.late_item (transit, open_day);
-- Entries of a line are looked for by either sequence.
CREATE INDEX line_by_reversal ON bank.line (reversed_by) WHERE reversed_by IS NOT NULL;
CREATE INDEX reversed_booking_by_sequence ON bank.reversed_booking (sequence);
CREATE INDEX reversed_booking_by_reversal ON bank.reversed_booking (reversed_by);

-- The last day of a transit account that two people have signed; every day before it is closed with it.
CREATE FUNCTION reconciliation.closed_until(p_transit int) RETURNS date LANGUAGE sql STABLE
SET search_path = reconciliation, pg_temp AS
$$ SELECT s.period FROM signature s WHERE s.transit = p_transit AND s.what = 'day' AND s.place = 2 ORDER BY s.period DESC LIMIT 1 $$;

-- Signing a period and telling of a bank's line exclude one another: exclusive for the first, shared for the second.
CREATE FUNCTION reconciliation.lock_key(p_transit int) RETURNS bigint LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS
$$ SELECT hashtextextended('reconciliation/' || p_transit::text, 0) $$;

CREATE FUNCTION reconciliation.note_late_line() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = reconciliation, pg_temp SET enable_seqscan = off AS $$
DECLARE closed date; told text; source bigint := coalesce(NEW.vanished_from, NEW.last_statement); own date := NEW.day;
BEGIN
  PERFORM pg_advisory_xact_lock_shared(lock_key(NEW.transit));
  closed := closed_until(NEW.transit);
  IF TG_OP = 'INSERT' THEN told := 'appeared';
  ELSIF NEW.day <> OLD.day THEN
    told := 'moved';
    own := least(OLD.day, NEW.day);
  ELSIF NEW.vanished_from IS NOT NULL AND OLD.vanished_from IS NULL THEN told := 'vanished';
  ELSIF NEW.vanished_from IS NULL AND OLD.vanished_from IS NOT NULL THEN told := 'came_back';
  END IF;
  IF told IS NOT NULL AND own <= closed THEN
    INSERT INTO late_item (transit, what, line, statement, day, open_day)
    SELECT NEW.transit, told, NEW.line, source, own, d.open_day FROM ledger.bank_day d WHERE d.transit = NEW.transit;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER line_is_late AFTER INSERT OR UPDATE OF day, vanished_from ON bank.line
    FOR EACH ROW EXECUTE FUNCTION reconciliation.note_late_line();

CREATE FUNCTION reconciliation.note_late_statement() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = reconciliation, pg_temp SET enable_seqscan = off AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(lock_key(NEW.transit));
  INSERT INTO late_item (transit, what, statement, day, open_day)
  SELECT NEW.transit, 'statement', NEW.statement, NEW.until, d.open_day
  FROM signature s JOIN protocol p USING (protocol) JOIN ledger.bank_day d ON d.transit = NEW.transit
  WHERE s.transit = NEW.transit AND s.what = 'day' AND s.period = NEW.until AND s.place = 2 AND p.closing <> NEW.closing;
  RETURN NULL;
END $$;
CREATE TRIGGER statement_is_late AFTER INSERT ON bank.statement
    FOR EACH ROW WHEN (NEW.kind = 'final') EXECUTE FUNCTION reconciliation.note_late_statement();

-- Nothing that stands here is changed or taken away, whoever asks.
CREATE FUNCTION reconciliation.refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  RAISE integrity_constraint_violation USING MESSAGE = TG_TABLE_NAME || ': what is recorded here never changes', CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER statement_terms_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON reconciliation.statement_terms
    FOR EACH STATEMENT EXECUTE FUNCTION reconciliation.refuse_change();
CREATE TRIGGER explanations_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON reconciliation.explanation
    FOR EACH STATEMENT EXECUTE FUNCTION reconciliation.refuse_change();
CREATE TRIGGER protocols_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON reconciliation.protocol
    FOR EACH STATEMENT EXECUTE FUNCTION reconciliation.refuse_change();
CREATE TRIGGER open_items_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON reconciliation.open_item
    FOR EACH STATEMENT EXECUTE FUNCTION reconciliation.refuse_change();
CREATE TRIGGER signatures_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON reconciliation.signature
    FOR EACH STATEMENT EXECUTE FUNCTION reconciliation.refuse_change();
CREATE TRIGGER late_items_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON reconciliation.late_item
    FOR EACH STATEMENT EXECUTE FUNCTION reconciliation.refuse_change();

-- A closed day is explained no more, and gets no other protocol.
CREATE FUNCTION reconciliation.refuse_closed_day() RETURNS trigger LANGUAGE plpgsql
SET search_path = reconciliation, pg_temp SET enable_seqscan = off AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(lock_key(NEW.transit));
  IF NEW.day <= closed_until(NEW.transit) THEN
    RAISE check_violation USING MESSAGE = format('day %s of transit account %s is closed', NEW.day, NEW.transit), CONSTRAINT = 'day_is_closed';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER explanation_of_open_day BEFORE INSERT ON reconciliation.explanation
    FOR EACH ROW EXECUTE FUNCTION reconciliation.refuse_closed_day();

CREATE FUNCTION reconciliation.refuse_closed_period() RETURNS trigger LANGUAGE plpgsql
SET search_path = reconciliation, pg_temp SET enable_seqscan = off AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(lock_key(NEW.transit));
  IF EXISTS (SELECT FROM signature s WHERE s.transit = NEW.transit AND s.what = NEW.what AND s.period = NEW.period AND s.place = 2)
     OR (NEW.what = 'day' AND NEW.period <= closed_until(NEW.transit)) THEN
    RAISE check_violation USING MESSAGE = format('%s %s of transit account %s is closed', NEW.what, NEW.period, NEW.transit),
      CONSTRAINT = 'period_is_closed';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER protocol_of_open_period BEFORE INSERT ON reconciliation.protocol
    FOR EACH ROW EXECUTE FUNCTION reconciliation.refuse_closed_period();
CREATE TRIGGER signature_of_open_period BEFORE INSERT ON reconciliation.signature
    FOR EACH ROW EXECUTE FUNCTION reconciliation.refuse_closed_period();

-- Open items belong to a protocol that nobody has signed yet.
CREATE FUNCTION reconciliation.refuse_signed_protocol() RETURNS trigger LANGUAGE plpgsql
SET search_path = reconciliation, pg_temp SET enable_seqscan = off AS $$
BEGIN
  IF EXISTS (SELECT FROM signature s WHERE s.protocol = NEW.protocol) THEN
    RAISE check_violation USING MESSAGE = format('protocol %s is signed', NEW.protocol), CONSTRAINT = 'protocol_is_signed';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER open_item_of_unsigned BEFORE INSERT ON reconciliation.open_item
    FOR EACH ROW EXECUTE FUNCTION reconciliation.refuse_signed_protocol();

-- The second signature stands on the first, and days are closed one after another: a day's protocol follows the last closed one.
CREATE FUNCTION reconciliation.refuse_lone_signature() RETURNS trigger LANGUAGE plpgsql
SET search_path = reconciliation, pg_temp SET enable_seqscan = off AS $$
DECLARE wanted date;
BEGIN
  IF NEW.place = 2 AND NOT EXISTS (SELECT FROM signature s WHERE s.protocol = NEW.protocol AND s.place = 1) THEN
    RAISE check_violation USING MESSAGE = 'the second signature stands on the first', CONSTRAINT = 'signature_after_first';
  END IF;
  IF NEW.what = 'day' AND NEW.place = 2 THEN
    SELECT b.period INTO wanted FROM protocol p LEFT JOIN protocol b ON b.protocol = p.follows WHERE p.protocol = NEW.protocol;
    IF wanted IS DISTINCT FROM closed_until(NEW.transit) THEN
      RAISE check_violation USING MESSAGE = format('the protocol follows %s, the last closed day is %s', wanted, closed_until(NEW.transit)),
        CONSTRAINT = 'protocol_follows_last';
    END IF;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER signature_stands_on_first BEFORE INSERT ON reconciliation.signature
    FOR EACH ROW EXECUTE FUNCTION reconciliation.refuse_lone_signature();

GRANT USAGE ON SCHEMA reconciliation TO kopeck_door, kopeck_services, kopeck_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA reconciliation TO kopeck_services, kopeck_reader;
GRANT SELECT ON reconciliation.signature, reconciliation.protocol TO kopeck_door;
GRANT INSERT ON reconciliation.late_item TO kopeck_door;
GRANT INSERT ON reconciliation.statement_terms, reconciliation.explanation, reconciliation.protocol, reconciliation.open_item,
    reconciliation.signature TO kopeck_services;
GRANT CREATE ON SCHEMA reconciliation TO kopeck_door;
REVOKE ALL ON FUNCTION reconciliation.note_late_line(), reconciliation.note_late_statement() FROM PUBLIC;
ALTER FUNCTION reconciliation.note_late_line() OWNER TO kopeck_door;
ALTER FUNCTION reconciliation.note_late_statement() OWNER TO kopeck_door;
REVOKE CREATE ON SCHEMA reconciliation FROM kopeck_door;
