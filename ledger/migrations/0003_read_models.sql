-- Read models: what consumers fold the journal into, and how far each has come (design §2 W3, W9). Nothing here is the truth:
-- every row can be made again from the journal.

CREATE SCHEMA read_model;

-- One row a consumer and book: locked while the effects of a passage are written, moved by compare in the same transaction.
CREATE TABLE read_model.cursor (
    consumer text NOT NULL,
    book smallint NOT NULL,
    sequence bigint NOT NULL DEFAULT 0 CONSTRAINT cursor_sequence CHECK (sequence >= 0),
    CONSTRAINT cursor_key PRIMARY KEY (consumer, book)) WITH (fillfactor = 50);

-- Turnover of a ledger account in a book; entries counts the entries that touched it. The balance is debit - credit.
CREATE TABLE read_model.balance (
    account bigint NOT NULL,
    book smallint NOT NULL,
    debit bigint NOT NULL,
    credit bigint NOT NULL,
    entries bigint NOT NULL,
    CONSTRAINT balance_key PRIMARY KEY (account, book),
    CONSTRAINT balance_turnover CHECK (debit >= 0 AND credit >= 0 AND entries > 0)) WITH (fillfactor = 50);

-- Statement lines of a ledger account, packed: a row a passage, not a posting. The arrays are parallel; debits are positive.
CREATE TABLE read_model.posting_page (
    account bigint NOT NULL,
    bank_day date NOT NULL,
    book smallint NOT NULL,
    first_sequence bigint NOT NULL,
    last_sequence bigint NOT NULL,
    debit bigint NOT NULL,
    credit bigint NOT NULL,
    sequences bigint[] NOT NULL,
    amounts bigint[] NOT NULL,
    lines int[] NOT NULL,
    CONSTRAINT posting_page_key PRIMARY KEY (account, bank_day, book, first_sequence),
    CONSTRAINT posting_page_parallel CHECK (cardinality(sequences) > 0
        AND cardinality(amounts) = cardinality(sequences) AND cardinality(lines) = cardinality(sequences)));

-- Turnover of a ledger account in one bank day: opening balances of a statement need no pages.
CREATE TABLE read_model.day_turnover (
    account bigint NOT NULL,
    bank_day date NOT NULL,
    book smallint NOT NULL,
    debit bigint NOT NULL,
    credit bigint NOT NULL,
    postings bigint NOT NULL,
    CONSTRAINT day_turnover_key PRIMARY KEY (account, bank_day, book)) WITH (fillfactor = 50);

GRANT USAGE ON SCHEMA read_model TO kopeck_services, kopeck_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA read_model TO kopeck_services, kopeck_reader;
GRANT INSERT, UPDATE ON ALL TABLES IN SCHEMA read_model TO kopeck_services;
REVOKE UPDATE ON read_model.posting_page FROM kopeck_services;
