-- Suspense (невыясненные): what waits for its owner, and what was decided.

-- Numbers of the ledger accounts in_transfer:<id>, each used once: whoever moves money from one book to another takes the next.
CREATE SEQUENCE ledger.transfer_number AS bigint MAXVALUE 1099511627775 NO CYCLE;

CREATE SCHEMA suspense;

-- Money that an entry left without an owner, folded from the journal. Sums in kopecks. remains: what nobody has decided about yet.
-- overdrawn: what the journal took above what there was; nought unless something went round the door's check, and an alarm.
CREATE TABLE suspense.item (
    book smallint NOT NULL,
    sequence bigint NOT NULL,
    transit int NOT NULL,
    channel int NOT NULL,
    space int NOT NULL,
    external_id text NOT NULL,
    amount bigint NOT NULL CONSTRAINT item_amount CHECK (amount > 0),
    released bigint NOT NULL DEFAULT 0 CONSTRAINT item_released CHECK (released >= 0),
    returned bigint NOT NULL DEFAULT 0 CONSTRAINT item_returned CHECK (returned >= 0),
    reversed bigint NOT NULL DEFAULT 0 CONSTRAINT item_reversed CHECK (reversed >= 0),
    overdrawn bigint NOT NULL DEFAULT 0 CONSTRAINT item_overdrawn CHECK (overdrawn >= 0),
    remains bigint NOT NULL GENERATED ALWAYS AS (amount + overdrawn - released - returned - reversed) STORED
        CONSTRAINT item_remains CHECK (amount + overdrawn - released - returned - reversed >= 0),
    reason smallint NOT NULL,
    -- The account as written, the accounts that it may mean, and what the payer named (JSON, empty when nothing).
    account text NOT NULL,
    candidates bigint[] NOT NULL,
    named text NOT NULL,
    -- The payer's own account, where a payment left a rest that no advance admits.
    personal_account bigint,
    event_at timestamptz NOT NULL,
    value_date date NOT NULL,
    bank_day date NOT NULL,
    -- The bank moved the money to its 47416; set and taken back by people, the entries come from the statement.
    held_by text,
    held_at timestamptz,
    CONSTRAINT item_key PRIMARY KEY (book, sequence),
    CONSTRAINT item_held CHECK ((held_by IS NULL) = (held_at IS NULL)));
CREATE INDEX item_waiting ON suspense.item (bank_day, book, sequence) WHERE remains > 0;
CREATE INDEX item_overdrawn_now ON suspense.item (book, sequence) WHERE overdrawn > 0;
-- Parts of items given to personal accounts; (sequence) is the entry's place in the item's book. To an account of another book the
-- money goes through in_transfer:<transfer> and is on its way until it arrived there, or came back because nothing took it.
CREATE TABLE suspense.release (
    book smallint NOT NULL,
    item bigint NOT NULL,
    part int NOT NULL CONSTRAINT release_part CHECK (part BETWEEN 1 AND 30),
    sequence bigint NOT NULL,
    amount bigint NOT NULL CONSTRAINT release_amount CHECK (amount > 0),
    personal_account bigint NOT NULL,
    transfer bigint CONSTRAINT release_transfer_once UNIQUE,
    arrived_book smallint,
    arrived_sequence bigint,
    came_back bigint,
    why text NOT NULL DEFAULT '',
    CONSTRAINT release_key PRIMARY KEY (book, item, part),
    CONSTRAINT release_entry_once UNIQUE (book, sequence),
    CONSTRAINT release_arrival CHECK ((arrived_book IS NULL) = (arrived_sequence IS NULL)
        AND (transfer IS NOT NULL OR arrived_sequence IS NULL AND came_back IS NULL)
        AND (arrived_sequence IS NULL OR came_back IS NULL)));
CREATE INDEX release_on_its_way ON suspense.release (book, sequence)
    WHERE transfer IS NOT NULL AND arrived_sequence IS NULL AND came_back IS NULL;
CREATE INDEX release_of_account ON suspense.release (personal_account);
-- What else stands on suspense accounts, in kopecks owed: the bank's own mistakes (technical), orders of returns. By kind of entry.
CREATE TABLE suspense.beside (
    transit int NOT NULL,
    channel int NOT NULL,
    book smallint NOT NULL,
    kind smallint NOT NULL,
    amount bigint NOT NULL,
    CONSTRAINT beside_key PRIMARY KEY (transit, channel, book, kind));

-- What people decided, in order; never changed. amount is 0 where a decision moves nothing. A return's order is settlement's
-- (settlement.return_request, written with the decision); withdraw: it was withdrawn there, and its money waits again.
CREATE TABLE suspense.decision (
    decision bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book smallint NOT NULL,
    sequence bigint NOT NULL,
    what text NOT NULL CONSTRAINT decision_what CHECK (what IN ('assign', 'return', 'withdraw', 'hold', 'unhold')),
    amount bigint NOT NULL CONSTRAINT decision_amount CHECK (amount >= 0),
    personal_account bigint,
    decided_by text NOT NULL,
    approved_by text,
    decided_at timestamptz NOT NULL,
    CONSTRAINT decision_of_item FOREIGN KEY (book, sequence) REFERENCES suspense.item,
    CONSTRAINT decision_second_person CHECK ((what = 'return') = (approved_by IS NOT NULL)
        AND lower(btrim(approved_by)) IS DISTINCT FROM lower(btrim(decided_by))),
    CONSTRAINT decision_account CHECK ((what = 'assign') = (personal_account IS NOT NULL)));
CREATE INDEX decision_by_item ON suspense.decision (book, sequence);

-- Street, house and flat of an address as plain words, so that two spellings of one compare equal; services/suspense/core/words.py
-- does the same. Without regular expressions, which cost twice as much: it is reckoned for every account that is loaded.
CREATE FUNCTION suspense.address_key(address text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN (
    SELECT coalesce(string_agg(w.word, ' ' ORDER BY w.place), '')
    FROM unnest(string_to_array(translate(lower(address), 'АБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯЁё.,;:/-()"«»',
        'абвгдежзийклмнопрстуфхцчшщъыьэюяее           '), ' ')) WITH ORDINALITY AS w(word, place)
    WHERE w.word <> '' AND w.word <> ALL ('{г,город,ул,улица,пр,кт,проспект,просп,пер,переулок,бульвар,ш,шоссе,д,дом,корп,корпус,кв,'
        'квартира,ком,комната}'::text[]));

-- Where suggestions look first.
CREATE INDEX account_by_masked_name ON reference.personal_account (masked_name) WHERE masked_name <> '';
CREATE INDEX account_by_address_key ON reference.personal_account (suspense.address_key(masked_address)) WHERE masked_address <> '';
CREATE INDEX printed_total_by_amount ON reference.printed_total (amount, period);
CREATE INDEX line_by_payer ON bank.line (counterparty_account) WHERE is_credit AND counterparty_account <> '';

GRANT USAGE ON SEQUENCE ledger.transfer_number TO kopeck_services;
GRANT USAGE ON SCHEMA suspense TO kopeck_services, kopeck_reader;
GRANT EXECUTE ON FUNCTION suspense.address_key(text) TO kopeck_services, kopeck_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA suspense TO kopeck_services, kopeck_reader;
GRANT INSERT ON suspense.item, suspense.release, suspense.beside, suspense.decision TO kopeck_services;
GRANT UPDATE (released, returned, reversed, overdrawn, held_by, held_at) ON suspense.item TO kopeck_services;
GRANT UPDATE (amount, arrived_book, arrived_sequence, came_back, why) ON suspense.release TO kopeck_services;
GRANT UPDATE (amount) ON suspense.beside TO kopeck_services;
