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
    -- As the counterparty numbers and dates it; empty and NULL where it does neither.
    number text NOT NULL,
    day date,
    -- The bank order that brings the money, where the file names it.
    order_number text NOT NULL,
    order_day date,
    -- Control totals in kopecks: paid by the payers, taken as fee, and to come to the transit account (total − fee).
    lines int NOT NULL CONSTRAINT register_lines CHECK (lines > 0),
    total bigint NOT NULL,
    fee bigint NOT NULL CONSTRAINT register_fee CHECK (fee >= 0),
    -- 'payments': its lines are payments; 'reconciliation': of a channel that told of them one by one.
    purpose text NOT NULL CONSTRAINT register_purpose CHECK (purpose IN ('payments', 'reconciliation')),
    loaded_by text NOT NULL,
    loaded_at timestamptz NOT NULL,
    booked_at timestamptz,
    CONSTRAINT register_once UNIQUE (space, content_digest));
