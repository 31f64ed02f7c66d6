-- Statements of the transit accounts: what the bank says, once, and what each line was taken for (design §4).

CREATE SCHEMA bank;

-- Who tells of the covers of a transit account from a day on: its statement (clearing) or the bank's feed (gateway). The first cover
-- of an account that nobody has spoken of decides; a person may say otherwise from a later day on.
CREATE TABLE bank.believed (
    transit int NOT NULL,
    since date NOT NULL,
    source text NOT NULL CONSTRAINT believed_source CHECK (source IN ('statement', 'feed')),
    set_by text NOT NULL,
    set_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT believed_key PRIMARY KEY (transit, since));

-- Whom covers of a day are believed from; NULL when nobody has said.
CREATE FUNCTION bank.believes(p_transit int, p_day date) RETURNS text LANGUAGE sql STABLE SET search_path = bank, pg_temp AS
$$ SELECT b.source FROM believed b WHERE b.transit = p_transit AND b.since <= p_day ORDER BY b.since DESC LIMIT 1 $$;

-- Money on one line is confirmed once, whoever else tells of it: covers from the source that is not believed are refused by the
-- database. Entries of space 6 are made from statements, all others of this kind come from feeds.
CREATE FUNCTION bank.refuse_double_cover() RETURNS trigger LANGUAGE plpgsql SET search_path = bank, pg_temp AS $$
DECLARE told text := CASE WHEN NEW.space = 6 THEN 'statement' ELSE 'feed' END; wanted text;
BEGIN
  PERFORM pg_advisory_xact_lock_shared(hashtextextended('bank.believed/' || NEW.transit::text, 0));
  wanted := believes(NEW.transit, NEW.value_date);
  IF wanted IS NULL THEN
    -- Appends to book 0 follow one another, so that two first covers cannot both decide.
    INSERT INTO believed (transit, since, source, set_by)
      VALUES (NEW.transit, '2000-01-01', told, 'the first cover') ON CONFLICT ON CONSTRAINT believed_key DO NOTHING;
    wanted := believes(NEW.transit, NEW.value_date);
  END IF;
  IF wanted IS DISTINCT FROM told THEN
    RAISE check_violation USING MESSAGE = format('covers of transit account %s of %s are believed from its %s, not from its %s',
      NEW.transit, NEW.value_date, wanted, told), CONSTRAINT = 'one_source_of_covers';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER one_source_of_covers BEFORE INSERT ON ledger.journal
    FOR EACH ROW WHEN (NEW.kind = 3) EXECUTE FUNCTION bank.refuse_double_cover();

-- A statement that was believed. final: it may close a day; otherwise it only funds. Sums in kopecks, NULL where not told.
CREATE TABLE bank.statement (
    statement bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transit int NOT NULL REFERENCES reference.transit_account,
    source text NOT NULL,
    kind text NOT NULL CONSTRAINT statement_kind CHECK (kind IN ('final', 'intraday', 'notice')),
    since date NOT NULL,
    until date NOT NULL,
    opening bigint,
    closing bigint,
    credited bigint NOT NULL,
    debited bigint NOT NULL,
    filtered boolean NOT NULL,
    lines int NOT NULL,
    content_digest bytea NOT NULL,
    loaded_by text NOT NULL,
    loaded_at timestamptz NOT NULL,
    CONSTRAINT statement_days CHECK (since <= until));
-- What the bank said last of the same days; the same content again, when something else was said meanwhile, is news.
CREATE INDEX statement_of_days ON bank.statement (transit, until, since, statement);

-- A line, once, on however many statements it stands. sealed: payer's name and purpose, which may be personal data, under a key
-- that is not in the database; NULL after it was erased (152-ФЗ). class: what it was taken for, decided once before it is booked;
-- why and screened are for people, in Russian, and name no payer. Lines come by ten thousands in one transaction: foreign keys to the
-- statements, which were written in the same one and are never deleted, would double its time.
CREATE TABLE bank.line (
    line bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transit int NOT NULL,
    bank_id text NOT NULL CONSTRAINT line_bank_id_length CHECK (octet_length(bank_id) BETWEEN 1 AND 100),
    day date NOT NULL,
    is_credit boolean NOT NULL,
    amount bigint NOT NULL CONSTRAINT line_amount CHECK (amount > 0),
    number text NOT NULL,
    document_day date,
    operation text NOT NULL,
    code text NOT NULL,
    counterparty_account text NOT NULL,
    counterparty_bic text NOT NULL,
    counterparty_inn text NOT NULL,
    "references" text[] NOT NULL,
    -- The bank takes an earlier line of its own back.
    is_reversal boolean NOT NULL,
    sealed bytea,
    first_statement bigint NOT NULL,
    -- The newest final statement on which it stands (the first one, while it stood on none), and the final one of its day on which
    -- it no longer does.
    last_statement bigint NOT NULL,
    vanished_from bigint REFERENCES bank.statement,
    class text CONSTRAINT line_class CHECK (class IN ('payment', 'cover', 'own_order', 'returned_order', 'to_hold', 'from_hold',
        'debt', 'technical', 'unknown')),
    why text NOT NULL DEFAULT '',
    classified_by text,
    classified_at timestamptz,
    -- What booking needs beside the class (services/clearing/core/verdict.py), as JSON: no names, no purpose.
    decision text NOT NULL DEFAULT '',
    -- The payment that it is was given to the stations and may be booked: the class stays.
    offered boolean NOT NULL DEFAULT false,
    -- Why a classified line is not booked by itself: a person must look. Empty when nothing is in the way.
    held_back text NOT NULL DEFAULT '',
    -- What the stop lists say of the payer (115-ФЗ); empty when nothing.
    screened text NOT NULL DEFAULT '',
    -- The entry in which the account moved (book 0), once it is booked; and the reversal of it when the line vanished. turn counts
    -- the times it appeared: its n-th entry has a key of its own.
    sequence bigint,
    reversed_by bigint,
    turn int NOT NULL DEFAULT 1 CONSTRAINT line_turn CHECK (turn > 0),
    CONSTRAINT line_once UNIQUE (transit, bank_id),
    CONSTRAINT line_entry_once UNIQUE (sequence),
    CONSTRAINT line_classified CHECK ((class IS NULL) = (classified_by IS NULL) AND (class IS NULL) = (classified_at IS NULL)),
    CONSTRAINT line_booked CHECK (sequence IS NULL OR class IS NOT NULL),
    CONSTRAINT line_reversed CHECK (reversed_by IS NULL OR sequence IS NOT NULL));
CREATE INDEX line_by_day ON bank.line (transit, day);
CREATE INDEX line_open ON bank.line (line) WHERE class IS NULL OR sequence IS NULL AND class NOT IN ('own_order', 'returned_order');
CREATE INDEX line_vanished ON bank.line (line) WHERE vanished_from IS NOT NULL AND reversed_by IS NULL;

-- Entries of lines that vanished, were reversed, and came back under the next turn.
CREATE TABLE bank.reversed_booking (
    line bigint NOT NULL REFERENCES bank.line,
    turn int NOT NULL,
    sequence bigint NOT NULL,
    reversed_by bigint NOT NULL,
    vanished_from bigint NOT NULL REFERENCES bank.statement,
    came_back_on bigint NOT NULL REFERENCES bank.statement,
    CONSTRAINT reversed_booking_key PRIMARY KEY (line, turn));

-- What a cover covers: promises of one operation space, by what it was matched, and what is left over with the reason.
-- gross = the line's amount + fee; difference = gross − promised: a shortfall below nought, a surplus above. It is what is known now:
-- a register that comes later explains a surplus. fee_sequence: the entry of a fee that was learnt after the cover was booked.
CREATE TABLE bank.cover (
    line bigint PRIMARY KEY REFERENCES bank.line,
    space int NOT NULL REFERENCES reference.operation_space,
    by text NOT NULL CONSTRAINT cover_by CHECK (by IN ('register', 'operation', 'day', 'amount', 'payer', 'person')),
    -- The register's number, the operation's id or the channel's day (YYYY-MM-DD), as matched; several with commas.
    reference text NOT NULL,
    promised bigint NOT NULL,
    gross bigint NOT NULL CONSTRAINT cover_gross CHECK (gross > 0),
    fee bigint NOT NULL CONSTRAINT cover_fee CHECK (fee >= 0),
    fee_bearer int REFERENCES reference.recipient,
    fee_sequence bigint,
    difference bigint NOT NULL,
    reason text NOT NULL,
    turn int NOT NULL DEFAULT 1,
    CONSTRAINT cover_difference CHECK (difference = gross - promised),
    CONSTRAINT cover_bearer CHECK ((fee = 0) = (fee_bearer IS NULL)));
CREATE INDEX cover_open ON bank.cover (space) WHERE difference <> 0;
CREATE INDEX cover_unexplained ON bank.cover (line) WHERE by = 'payer';
-- The same, promise by promise: a line may pay several registers, a register be paid by several lines. promised is what was still
-- open of it. Of a line the newest turn counts.
CREATE TABLE bank.cover_part (
    line bigint NOT NULL REFERENCES bank.cover,
    turn int NOT NULL,
    part int NOT NULL,
    register bigint,
    day date,
    operation text NOT NULL,
    promised bigint NOT NULL CONSTRAINT cover_part_promised CHECK (promised >= 0),
    amount bigint NOT NULL,
    fee bigint NOT NULL,
    reason text NOT NULL,
    told_by text NOT NULL,
    told_at timestamptz NOT NULL,
    CONSTRAINT cover_part_key PRIMARY KEY (line, turn, part));
CREATE INDEX cover_part_register ON bank.cover_part (register) WHERE register IS NOT NULL;
CREATE INDEX cover_part_operation ON bank.cover_part (operation) WHERE operation <> '';

-- What a register promises, once its lines have their outcomes: its total less what was refused by us and what stood in an earlier
-- register or twice in this one. A row of our own for every register of intake.
CREATE TABLE bank.register_promise (
    register bigint PRIMARY KEY,
    promised bigint NOT NULL CONSTRAINT register_promise_sum CHECK (promised >= 0),
    fee bigint NOT NULL,
    refused bigint NOT NULL,
    refused_lines int NOT NULL,
    repeated bigint NOT NULL,
    repeated_lines int NOT NULL);

-- What the consumer 'clearing' folds the feed into: promised on a clearing account by the payers' day, and covered by book 0.
CREATE TABLE bank.promised_day (
    transit int NOT NULL,
    space int NOT NULL,
    day date NOT NULL,
    promised bigint NOT NULL,
    payments bigint NOT NULL,
    CONSTRAINT promised_day_key PRIMARY KEY (transit, space, day)) WITH (fillfactor = 50);
-- What covers say of the days that they cover: sums of the parts that count now, kept beside them.
CREATE TABLE bank.named_day (
    transit int NOT NULL,
    space int NOT NULL,
    day date NOT NULL,
    amount bigint NOT NULL,
    CONSTRAINT named_day_key PRIMARY KEY (transit, space, day)) WITH (fillfactor = 50);
CREATE TABLE bank.covered (
    transit int NOT NULL,
    space int NOT NULL,
    amount bigint NOT NULL,
    CONSTRAINT covered_key PRIMARY KEY (transit, space)) WITH (fillfactor = 50);

-- By what lines are classified: the newest set counts, sets stay (services/clearing/core/rules.py). content: one rule as JSON.
CREATE TABLE bank.rule_set (
    rule_set bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    loaded_by text NOT NULL,
    loaded_at timestamptz NOT NULL);
CREATE TABLE bank.rule (
    rule_set bigint NOT NULL REFERENCES bank.rule_set,
    place int NOT NULL,
    name text NOT NULL,
    content text NOT NULL,
    CONSTRAINT rule_key PRIMARY KEY (rule_set, place),
    CONSTRAINT rule_name_once UNIQUE (rule_set, name));

GRANT USAGE ON SCHEMA bank TO kopeck_door, kopeck_services, kopeck_reader;
GRANT SELECT, INSERT ON bank.believed TO kopeck_door;
GRANT EXECUTE ON FUNCTION bank.believes(int, date) TO kopeck_door, kopeck_services, kopeck_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA bank TO kopeck_services, kopeck_reader;
REVOKE SELECT ON bank.line FROM kopeck_reader;
GRANT SELECT (line, transit, bank_id, day, is_credit, amount, number, document_day, operation, code, counterparty_account,
    counterparty_bic, counterparty_inn, is_reversal, first_statement, last_statement, vanished_from, class, why, classified_by, classified_at,
    decision, offered, held_back, screened, sequence, reversed_by, turn) ON bank.line TO kopeck_reader;
GRANT INSERT ON ALL TABLES IN SCHEMA bank TO kopeck_services;
GRANT UPDATE (day, last_statement, vanished_from, sealed, class, why, classified_by, classified_at, decision, offered, held_back,
    screened, sequence, reversed_by, turn) ON bank.line TO kopeck_services;
GRANT UPDATE (by, reference, promised, gross, fee, fee_bearer, fee_sequence, difference, reason, turn) ON bank.cover TO kopeck_services;
GRANT UPDATE ON bank.promised_day, bank.covered, bank.named_day TO kopeck_services;
