-- Registers of payments (реестры): each file once, whole, and what became of every line.

CREATE TABLE intake.register (
    register bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- The channel it came for, and the operation space in which its lines' keys stand.
    channel int NOT NULL REFERENCES reference.channel,
    space int NOT NULL REFERENCES reference.operation_space,
    transit int NOT NULL REFERENCES reference.transit_account,
    format text NOT NULL,
    file_name text NOT NULL,
    content_digest bytea NOT NULL,
    -- Of lines without ids of their own, in whatever order: the same payments in another file are the same register.
    lines_digest bytea,
    -- As the counterparty numbers and dates it; empty and NULL where it does neither.
    number text NOT NULL,
    day date,
    -- The bank order that brings the money, where the file names it.
    order_number text NOT NULL,
    order_day date,
    -- The counterparty's zone, and the first and last day of its payments there.
    time_zone text NOT NULL,
    since date NOT NULL,
    until date NOT NULL,
    -- Control totals in kopecks: paid by the payers, taken as fee, and to come to the transit account (total − fee).
    lines int NOT NULL CONSTRAINT register_lines CHECK (lines > 0),
    total bigint NOT NULL,
    fee bigint NOT NULL CONSTRAINT register_fee CHECK (fee >= 0),
    -- Lines of the file that are no payments.
    skipped int NOT NULL,
    -- 'payments': its lines are payments; 'reconciliation': of a channel that told of them one by one.
    purpose text NOT NULL CONSTRAINT register_purpose CHECK (purpose IN ('payments', 'reconciliation')),
    loaded_by text NOT NULL,
    loaded_at timestamptz NOT NULL,
    -- When every line had its outcome.
    booked_at timestamptz,
    CONSTRAINT register_days CHECK (since <= until),
    CONSTRAINT register_once UNIQUE (space, content_digest));
CREATE UNIQUE INDEX register_number_once ON intake.register (space, number, day) WHERE number <> '' AND day IS NOT NULL;
CREATE UNIQUE INDEX register_lines_once ON intake.register (space, lines_digest) WHERE lines_digest IS NOT NULL;
CREATE INDEX register_by_content ON intake.register (content_digest);
CREATE INDEX register_by_days ON intake.register (space, until);

-- One payment of a register, as written; (register, row) with row the line of the file. key: its id in the operation space.
-- period: year * 100 + month, 0 for none; designates: the payer chose it. repeats: an earlier line of the same file has the key.
-- sealed: the payer as the file names him, kept only while the line's money has no owner (152-ФЗ).
CREATE TABLE intake.register_line (
    register bigint NOT NULL REFERENCES intake.register,
    row int NOT NULL CONSTRAINT register_line_row CHECK (row > 0),
    key text NOT NULL CONSTRAINT register_line_key_length CHECK (octet_length(key) BETWEEN 1 AND 128),
    account text NOT NULL,
    amount bigint NOT NULL CONSTRAINT register_line_amount CHECK (amount > 0),
    fee bigint NOT NULL CONSTRAINT register_line_fee CHECK (fee BETWEEN 0 AND amount),
    event_at timestamptz NOT NULL,
    period int NOT NULL,
    designates boolean NOT NULL,
    document text NOT NULL,
    aliases text[] NOT NULL,
    repeats boolean NOT NULL,
    sealed bytea,
    CONSTRAINT register_line_once PRIMARY KEY (register, row));
CREATE INDEX register_line_by_key ON intake.register_line (key);

-- What became of a line, once: the first answer stays. place in the journal where there is one; reason in our words' codes.
-- lost: a line of a reconciliation of which its channel had told nothing.
CREATE TABLE intake.register_outcome (
    register bigint NOT NULL,
    row int NOT NULL,
    outcome text NOT NULL CONSTRAINT register_outcome_known CHECK (outcome IN ('recorded', 'suspense', 'duplicate', 'refused',
        'conflict', 'matched', 'differs')),
    reason text NOT NULL,
    lost boolean NOT NULL,
    book smallint,
    sequence bigint,
    kept_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT register_outcome_once PRIMARY KEY (register, row),
    CONSTRAINT register_outcome_place CHECK ((book IS NULL) = (sequence IS NULL)));

-- Meter readings that came with payments, kept aside for billing.
CREATE TABLE intake.meter_reading (
    register bigint NOT NULL REFERENCES intake.register,
    row int NOT NULL,
    place int NOT NULL,
    counter text NOT NULL,
    reading text NOT NULL,
    kept_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT meter_reading_key PRIMARY KEY (register, row, place));

GRANT SELECT ON intake.register, intake.register_line, intake.register_outcome, intake.meter_reading TO kopeck_services;
GRANT SELECT ON intake.register, intake.register_outcome, intake.meter_reading TO kopeck_reader;
GRANT SELECT (register, row, key, account, amount, fee, event_at, period, designates, document, aliases, repeats)
    ON intake.register_line TO kopeck_reader;
GRANT INSERT (channel, space, transit, format, file_name, content_digest, lines_digest, number, day, order_number, order_day,
    time_zone, since, until, lines, total, fee, skipped, purpose, loaded_by, loaded_at) ON intake.register TO kopeck_services;
GRANT INSERT (register, row, key, account, amount, fee, event_at, period, designates, document, aliases, repeats)
    ON intake.register_line TO kopeck_services;
GRANT INSERT (register, row, outcome, reason, lost, book, sequence) ON intake.register_outcome TO kopeck_services;
GRANT INSERT (register, row, place, counter, reading) ON intake.meter_reading TO kopeck_services;
GRANT UPDATE (booked_at) ON intake.register TO kopeck_services;
GRANT UPDATE (sealed) ON intake.register_line TO kopeck_services;
