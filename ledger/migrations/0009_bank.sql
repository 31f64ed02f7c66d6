-- Statements of the transit accounts: what the bank says, once, and what each line was taken for (design §4).

CREATE SCHEMA bank;

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
    CONSTRAINT statement_once UNIQUE (transit, content_digest),
    CONSTRAINT statement_days CHECK (since <= until));

-- A line, once, on however many statements it stands. sealed: payer's name and purpose, which may be personal data, under a key
-- that is not in the database; NULL after it was erased (152-ФЗ). class: what it was taken for, decided once before it is booked.
CREATE TABLE bank.line (
    line bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transit int NOT NULL REFERENCES reference.transit_account,
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
    sealed bytea,
    first_statement bigint NOT NULL REFERENCES bank.statement,
    -- The newest statement on which it stands, and the final one of its day on which it no longer does.
    last_statement bigint NOT NULL REFERENCES bank.statement,
    vanished_from bigint REFERENCES bank.statement,
    class text CONSTRAINT line_class CHECK (class IN ('payment', 'cover', 'own_order', 'returned_order', 'to_hold', 'from_hold',
        'debt', 'technical', 'unknown')),
    why text NOT NULL DEFAULT '',
    classified_by text,
    classified_at timestamptz,
    -- The entry in which the account moved (book 0), once it is booked; and the reversal of it when the line vanished.
    sequence bigint,
    reversed_by bigint,
    CONSTRAINT line_once UNIQUE (transit, bank_id),
    CONSTRAINT line_classified CHECK ((class IS NULL) = (classified_by IS NULL) AND (class IS NULL) = (classified_at IS NULL)),
    CONSTRAINT line_booked CHECK (sequence IS NULL OR class IS NOT NULL));
CREATE INDEX line_by_day ON bank.line (transit, day);
CREATE INDEX line_open ON bank.line (transit) WHERE sequence IS NULL;

-- What a cover covers: promises of one operation space, by what it was matched, and what is left over with the reason.
-- gross = the line's amount + fee; difference = gross − promised: a shortfall below nought, a surplus above.
CREATE TABLE bank.cover (
    line bigint PRIMARY KEY REFERENCES bank.line,
    space int NOT NULL REFERENCES reference.operation_space,
    by text NOT NULL CONSTRAINT cover_by CHECK (by IN ('register', 'operation', 'day', 'amount', 'person')),
    -- The register's number, the operation's id or the channel's day (YYYY-MM-DD), as matched.
    reference text NOT NULL,
    promised bigint NOT NULL,
    gross bigint NOT NULL CONSTRAINT cover_gross CHECK (gross > 0),
    fee bigint NOT NULL CONSTRAINT cover_fee CHECK (fee >= 0),
    fee_bearer int REFERENCES reference.recipient,
    difference bigint NOT NULL,
    reason text NOT NULL,
    CONSTRAINT cover_difference CHECK (difference = gross - promised),
    CONSTRAINT cover_bearer CHECK ((fee = 0) = (fee_bearer IS NULL)));

GRANT USAGE ON SCHEMA bank TO kopeck_services, kopeck_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA bank TO kopeck_services, kopeck_reader;
REVOKE SELECT ON bank.line FROM kopeck_reader;
GRANT SELECT (line, transit, bank_id, day, is_credit, amount, number, document_day, operation, code, counterparty_account,
    counterparty_bic, counterparty_inn, first_statement, last_statement, vanished_from, class, why, classified_by, classified_at,
    sequence, reversed_by) ON bank.line TO kopeck_reader;
GRANT INSERT ON bank.statement, bank.line, bank.cover TO kopeck_services;
GRANT UPDATE (last_statement, vanished_from, sealed, class, why, classified_by, classified_at, sequence, reversed_by) ON bank.line
    TO kopeck_services;
