-- Settlement (design §4 «Funding», W9): which money is confirmed, cuts that tile the books, transfer orders and what came of them.
-- Money that leaves is recorded here and in the ledger in one transaction; nothing recorded and final can be changed.

CREATE SCHEMA settlement;

-- What is agreed and dated.

-- How a transit account pays: the connection its registers leave by, and the bank's requisites as the payer (40911 is the bank's
-- own account). Without a row the defaults stand: counterparty 'bank', the account's title as the payer's name.
CREATE TABLE settlement.transit_terms (
    transit int PRIMARY KEY REFERENCES reference.transit_account,
    counterparty text NOT NULL DEFAULT 'bank' CONSTRAINT transit_terms_counterparty CHECK (char_length(counterparty) BETWEEN 1 AND 64),
    payer_name text NOT NULL DEFAULT '',
    payer_inn text NOT NULL DEFAULT '',
    payer_kpp text NOT NULL DEFAULT '',
    payer_bank_name text NOT NULL DEFAULT '',
    payer_correspondent text NOT NULL DEFAULT '',
    contracts_required boolean NOT NULL DEFAULT false,
    -- Times of day at which a cut is made, in the bank's time zone; the last before the bank's own cut-off.
    cut_times time[] NOT NULL DEFAULT '{20:30}' CONSTRAINT transit_terms_cut_times CHECK (cardinality(cut_times) > 0),
    time_zone text NOT NULL DEFAULT 'Europe/Moscow');

-- By which contract money of a creditor (исполнитель; NULL: whoever it is) goes to a recipient, and what the recipient agreed to.
CREATE TABLE settlement.contract (
    contract int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL CONSTRAINT contract_once UNIQUE CONSTRAINT contract_code_length CHECK (char_length(code) BETWEEN 1 AND 64),
    creditor int REFERENCES reference.recipient,
    recipient int NOT NULL REFERENCES reference.recipient,
    number text NOT NULL,
    signed_on date NOT NULL,
    valid_from date NOT NULL,
    valid_to date,
    -- ПП 253 п. 6: sums below 5 000 ₽ a day may wait, within its limits.
    defers_small boolean NOT NULL DEFAULT false,
    -- The recipient's consent to keep what it owes us back from later orders (law.md 1.12), and to bear commission (1.10).
    nets_debts boolean NOT NULL DEFAULT false,
    bears_commission boolean NOT NULL DEFAULT false,
    -- VAT inside the sums paid by this contract, whole percent; NULL: none.
    vat_percent int CONSTRAINT contract_vat CHECK (vat_percent BETWEEN 1 AND 99),
    purpose text NOT NULL DEFAULT '',
    priority smallint NOT NULL DEFAULT 5 CONSTRAINT contract_priority CHECK (priority BETWEEN 1 AND 5),
    CONSTRAINT contract_validity CHECK (valid_to IS NULL OR valid_to >= valid_from));

-- Commission on the payments of a creditor's lines (services/settlement/rules/commission.py), by date: rate in thousandths of a
-- percent of the gross sum, borne by the creditor and the recipients as principal_weight : recipients_weight.
CREATE TABLE settlement.commission_terms (
    creditor int NOT NULL REFERENCES reference.recipient,
    valid_from date NOT NULL,
    earner int NOT NULL REFERENCES reference.recipient,
    rate int NOT NULL CONSTRAINT commission_rate CHECK (rate BETWEEN 0 AND 100000),
    minimum bigint NOT NULL DEFAULT 0 CONSTRAINT commission_minimum CHECK (minimum >= 0),
    maximum bigint CONSTRAINT commission_maximum CHECK (maximum >= minimum),
    principal_weight int NOT NULL DEFAULT 1,
    recipients_weight int NOT NULL DEFAULT 0,
    invoiced boolean NOT NULL DEFAULT false,
    CONSTRAINT commission_terms_key PRIMARY KEY (creditor, valid_from),
    CONSTRAINT commission_bearers CHECK (principal_weight >= 0 AND recipients_weight >= 0 AND principal_weight + recipients_weight > 0));

-- How services are called in the purpose of an order; one without a name is left out there.
CREATE TABLE settlement.service_name (
    service text PRIMARY KEY,
    name text NOT NULL CONSTRAINT service_name_length CHECK (char_length(name) BETWEEN 1 AND 60));
-- From which amount on an order leaves only when two people have approved it, by date.
CREATE TABLE settlement.approval_limit (
    since date PRIMARY KEY,
    amount bigint NOT NULL CONSTRAINT approval_limit_amount CHECK (amount > 0),
    set_by text NOT NULL);
-- Limits of 115-ФЗ by date; an order that reaches one waits for two people. source: the clause, and how far it was read.
CREATE TABLE settlement.legal_limit (
    operation text NOT NULL,
    since date NOT NULL,
    amount bigint NOT NULL CONSTRAINT legal_limit_amount CHECK (amount > 0),
    inclusive boolean NOT NULL,
    source text NOT NULL,
    CONSTRAINT legal_limit_key PRIMARY KEY (operation, since));
-- Whom nothing is paid to (перечни 115-ФЗ and the bank's own): one name of one entry of a list; until is its last day.
CREATE TABLE settlement.stop_listed (
    list text NOT NULL,
    reference text NOT NULL,
    name text NOT NULL,
    inn text NOT NULL DEFAULT '',
    since date NOT NULL,
    until date,
    loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT stop_listed_key PRIMARY KEY (list, reference, name, inn, since));

-- What the consumer 'settlement' folds the feed into.

-- Promises of one clearing account (transit, space; space 0: payables credited past any clearing) in one passage of a book.
-- amounts: clearing debited +, credited −; corrects: the sequence of the corrected entry of the same book, 0 for none.
-- before is the running total up to the page.
CREATE TABLE settlement.promise_page (
    transit int NOT NULL,
    space int NOT NULL,
    book smallint NOT NULL,
    first_sequence bigint NOT NULL,
    last_sequence bigint NOT NULL,
    before bigint NOT NULL,
    total bigint NOT NULL,
    sequences bigint[] NOT NULL,
    amounts bigint[] NOT NULL,
    corrects bigint[] NOT NULL,
    moments timestamptz[] NOT NULL,
    CONSTRAINT promise_page_key PRIMARY KEY (transit, space, book, last_sequence),
    CONSTRAINT promise_page_parallel CHECK (cardinality(sequences) > 0 AND cardinality(amounts) = cardinality(sequences)
        AND cardinality(corrects) = cardinality(sequences) AND cardinality(moments) = cardinality(sequences)));
CREATE TABLE settlement.promise (
    transit int NOT NULL,
    space int NOT NULL,
    book smallint NOT NULL,
    total bigint NOT NULL,
    last_sequence bigint NOT NULL,
    CONSTRAINT promise_key PRIMARY KEY (transit, space, book)) WITH (fillfactor = 50);
-- Corrections only, so that a cut finds those of entries cut earlier without reading pages.
CREATE TABLE settlement.promise_correction (
    transit int NOT NULL,
    space int NOT NULL,
    book smallint NOT NULL,
    sequence bigint NOT NULL,
    corrects bigint NOT NULL,
    amount bigint NOT NULL,
    CONSTRAINT promise_correction_key PRIMARY KEY (transit, space, book, sequence));
-- Money on believed statement lines, by what it covers: book 0's debits of the transit account against a clearing account.
CREATE TABLE settlement.confirmed (
    transit int NOT NULL,
    space int NOT NULL,
    amount bigint NOT NULL,
    CONSTRAINT confirmed_key PRIMARY KEY (transit, space)) WITH (fillfactor = 50);

-- Cuts. The row of an aggregator is locked while one is made; its last cut is moved by compare.

CREATE TABLE settlement.aggregator (
    transit int PRIMARY KEY REFERENCES reference.transit_account,
    last_cut bigint NOT NULL DEFAULT 0,
    -- Orders created less those that came back, and the money they may be made from: never more of the first.
    ordered bigint NOT NULL DEFAULT 0);
CREATE TABLE settlement.cut (
    cut bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transit int NOT NULL REFERENCES reference.transit_account,
    day date NOT NULL,
    -- Place of the cut's register in the day of the transit account: the register its orders name in their purpose.
    ordinal int NOT NULL CONSTRAINT cut_ordinal CHECK (ordinal > 0),
    made_at timestamptz NOT NULL,
    CONSTRAINT settlement_cut_once UNIQUE (transit, day, ordinal));
-- after < sequence <= upto of a book, for one clearing account. Every range starts where another ends, and no two start at one
-- place: they are one chain from the beginning, so they tile the book without gap or overlap. promised is what the chain's entries
-- up to there promise; corrections, and what they correct in the same cut, count for nothing (see settlement.taken_back).
CREATE TABLE settlement.cut_range (
    cut bigint NOT NULL REFERENCES settlement.cut,
    transit int NOT NULL,
    space int NOT NULL,
    book smallint NOT NULL,
    after bigint NOT NULL,
    upto bigint NOT NULL,
    follows bigint,
    promised bigint NOT NULL,
    CONSTRAINT cut_range_key PRIMARY KEY (cut, space, book),
    CONSTRAINT cut_range_place CHECK (after >= 0 AND upto > after AND after = coalesce(follows, 0) AND follows IS DISTINCT FROM 0),
    CONSTRAINT cut_range_no_overlap UNIQUE (transit, space, book, after),
    CONSTRAINT cut_range_end UNIQUE (transit, space, book, upto),
    CONSTRAINT cut_range_no_gap FOREIGN KEY (transit, space, book, follows)
        REFERENCES settlement.cut_range (transit, space, book, upto));

-- Corrections beyond the ranges of what a cut holds: taken by the first cut that sees them, wherever they stand, since waiting for
-- money in front of them would leave their recipients' payables below nought. amount is what an earlier cut counted as promised
-- and is no more; nought where the corrected entry is of the very cut that takes the correction, which counts neither.
CREATE TABLE settlement.taken_back (
    transit int NOT NULL,
    space int NOT NULL,
    book smallint NOT NULL,
    sequence bigint NOT NULL,
    amount bigint NOT NULL CONSTRAINT taken_back_amount CHECK (amount >= 0),
    original_cut bigint NOT NULL REFERENCES settlement.cut,
    cut bigint NOT NULL REFERENCES settlement.cut,
    CONSTRAINT taken_back_once PRIMARY KEY (transit, space, book, sequence));
CREATE INDEX taken_back_cut ON settlement.taken_back (cut);

-- Funded money that a cut did not order, by lot, and why; it enters the next cut. A lot is a payable (or fee) account and the
-- creditor whose lines the money paid (0: unknown). gross is what its lines sum to, claimed what was turned into debts of the
-- recipient, commission and recovered what was kept back; amount is the rest. since_cut is the first cut whose money is in it;
-- days and sums tell of which bank days the amount is.
CREATE TABLE settlement.carried (
    transit int NOT NULL,
    account bigint NOT NULL,
    creditor int NOT NULL,
    capital boolean NOT NULL,
    gross bigint NOT NULL,
    claimed bigint NOT NULL CONSTRAINT carried_claimed CHECK (claimed >= 0),
    commission bigint NOT NULL CONSTRAINT carried_commission CHECK (commission >= 0),
    recovered bigint NOT NULL CONSTRAINT carried_recovered CHECK (recovered >= 0),
    amount bigint NOT NULL CONSTRAINT carried_amount CHECK (amount >= 0),
    periods int[] NOT NULL,
    days date[] NOT NULL,
    sums bigint[] NOT NULL,
    reason text NOT NULL,
    since_cut bigint NOT NULL REFERENCES settlement.cut,
    CONSTRAINT carried_key PRIMARY KEY (transit, account, creditor, capital),
    CONSTRAINT carried_sum CHECK (gross + claimed - commission - recovered = amount)) WITH (fillfactor = 50);
-- What recipients owe us because money already ordered for them was taken back, by the clearing account that lacks it.
CREATE TABLE settlement.debt (
    transit int NOT NULL,
    recipient int NOT NULL,
    space int NOT NULL,
    amount bigint NOT NULL CONSTRAINT debt_amount CHECK (amount >= 0),
    CONSTRAINT debt_key PRIMARY KEY (transit, recipient, space)) WITH (fillfactor = 50);

-- Registers and orders.

CREATE TABLE settlement.register (
    register bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transit int NOT NULL REFERENCES reference.transit_account,
    day date NOT NULL,
    ordinal int NOT NULL CONSTRAINT register_ordinal CHECK (ordinal > 0),
    orders int NOT NULL CONSTRAINT register_orders CHECK (orders > 0),
    total bigint NOT NULL CONSTRAINT register_total CHECK (total > 0),
    sent_at timestamptz NOT NULL,
    CONSTRAINT register_once UNIQUE (transit, day, ordinal));

-- Who signed a register's file and when, as told by the connector.
CREATE TABLE settlement.register_signature (
    register bigint PRIMARY KEY REFERENCES settlement.register,
    signer text NOT NULL,
    signed_at timestamptz NOT NULL);

-- state: schemas.transfer.TransferState. reissues: the order whose money this one pays anew, one to one.
CREATE TABLE settlement.transfer_order (
    transfer bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL CONSTRAINT transfer_order_key UNIQUE CONSTRAINT transfer_order_key_length CHECK (octet_length(key) <= 100),
    transit int NOT NULL REFERENCES reference.transit_account,
    day date NOT NULL,
    number int NOT NULL CONSTRAINT transfer_order_number CHECK (number BETWEEN 1 AND 999999),
    cut bigint NOT NULL REFERENCES settlement.cut,
    reissues bigint CONSTRAINT transfer_order_reissued_once UNIQUE REFERENCES settlement.transfer_order,
    recipient int NOT NULL REFERENCES reference.recipient,
    requisites int NOT NULL,
    class text NOT NULL CONSTRAINT transfer_order_class CHECK (class IN ('services', 'capital_repair', 'fee', 'refund')),
    contract int REFERENCES settlement.contract,
    amount bigint NOT NULL CONSTRAINT transfer_order_amount CHECK (amount > 0),
    purpose text NOT NULL CONSTRAINT transfer_order_purpose CHECK (char_length(purpose) BETWEEN 1 AND 210),
    priority smallint NOT NULL CONSTRAINT transfer_order_priority CHECK (priority BETWEEN 1 AND 5),
    made_at timestamptz NOT NULL,
    approvals_needed smallint NOT NULL CONSTRAINT transfer_order_approvals CHECK (approvals_needed BETWEEN 0 AND 2),
    state smallint NOT NULL CONSTRAINT transfer_order_state CHECK (state BETWEEN 0 AND 8),
    register bigint REFERENCES settlement.register,
    CONSTRAINT transfer_order_once UNIQUE (transit, day, number),
    CONSTRAINT transfer_order_requisites FOREIGN KEY (recipient, requisites) REFERENCES reference.requisites);
CREATE INDEX transfer_order_of_register ON settlement.transfer_order (register);
CREATE INDEX transfer_order_to_send ON settlement.transfer_order (transit, transfer) WHERE register IS NULL AND state = 1;
CREATE INDEX transfer_order_by_number ON settlement.transfer_order (transit, number, day);
CREATE INDEX transfer_order_cut ON settlement.transfer_order (cut);
-- What an order pays, by lot, as in settlement.carried: net is what leaves the account for it. The lines of a part are those of
-- the ranges of the cuts since_cut … the cut of the first order of its chain of reissues.
CREATE TABLE settlement.order_part (
    transfer bigint NOT NULL REFERENCES settlement.transfer_order,
    account bigint NOT NULL,
    creditor int NOT NULL,
    capital boolean NOT NULL,
    gross bigint NOT NULL,
    claimed bigint NOT NULL,
    commission bigint NOT NULL,
    recovered bigint NOT NULL,
    net bigint NOT NULL CONSTRAINT order_part_net CHECK (net > 0),
    since_cut bigint NOT NULL REFERENCES settlement.cut,
    CONSTRAINT order_part_key PRIMARY KEY (transfer, account, creditor, capital),
    CONSTRAINT order_part_sum CHECK (gross + claimed - commission - recovered = net));
-- Every state an order came into; sequence is its entry in book 0, NULL where no money moved.
CREATE TABLE settlement.order_history (
    transfer bigint NOT NULL REFERENCES settlement.transfer_order,
    nth int NOT NULL,
    state smallint NOT NULL,
    at timestamptz NOT NULL,
    told_by text NOT NULL,
    reason text NOT NULL DEFAULT '',
    bank_number text NOT NULL DEFAULT '',
    bank_day date,
    sequence bigint,
    CONSTRAINT order_history_key PRIMARY KEY (transfer, nth));
CREATE TABLE settlement.approval (
    transfer bigint NOT NULL REFERENCES settlement.transfer_order,
    person text NOT NULL CONSTRAINT approval_person CHECK (char_length(person) BETWEEN 1 AND 128 AND person = lower(btrim(person))
        AND person <> 'settlement'),
    at timestamptz NOT NULL,
    CONSTRAINT approval_once PRIMARY KEY (transfer, person));
-- Orders that came back and are not paid anew yet; same_requisites: the bank said that the same may be sent again.
CREATE TABLE settlement.reissue_due (
    transfer bigint PRIMARY KEY REFERENCES settlement.transfer_order,
    same_requisites boolean NOT NULL,
    reason text NOT NULL,
    since timestamptz NOT NULL);

-- Lines of the transit account's statement that were offered to the orders: each once. transfer NULL: not recognised, and why.
CREATE TABLE settlement.movement (
    transit int NOT NULL,
    bank_id text NOT NULL CONSTRAINT movement_id_length CHECK (char_length(bank_id) BETWEEN 1 AND 128),
    day date NOT NULL,
    is_credit boolean NOT NULL,
    amount bigint NOT NULL CONSTRAINT movement_amount CHECK (amount > 0),
    number text NOT NULL,
    document_day date,
    counterparty_account text NOT NULL,
    counterparty_inn text NOT NULL,
    purpose text NOT NULL,
    seen_at timestamptz NOT NULL,
    transfer bigint REFERENCES settlement.transfer_order,
    reason text NOT NULL,
    CONSTRAINT movement_key PRIMARY KEY (transit, bank_id),
    CONSTRAINT movement_recognised CHECK ((transfer IS NULL) = (reason <> '')));
-- One debit executes an order, one credit returns it: a second line of either is somebody's mistake.
CREATE UNIQUE INDEX movement_once_a_side ON settlement.movement (transfer, is_credit) WHERE transfer IS NOT NULL;
CREATE INDEX movement_unrecognised ON settlement.movement (transit, seen_at) WHERE transfer IS NULL;
-- What the bank said of orders that does not follow from where they stand: for a person, never guessed.
CREATE TABLE settlement.parked_result (
    parked bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    told_by text NOT NULL,
    key text NOT NULL,
    content bytea NOT NULL,
    reason text NOT NULL,
    seen_at timestamptz NOT NULL,
    resolved_at timestamptz,
    resolved_by text,
    CONSTRAINT parked_result_once UNIQUE (told_by, key, content));
CREATE INDEX parked_result_open ON settlement.parked_result (key) WHERE resolved_at IS NULL;

GRANT USAGE ON SCHEMA settlement TO kopeck_services, kopeck_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA settlement TO kopeck_services, kopeck_reader;
GRANT INSERT ON ALL TABLES IN SCHEMA settlement TO kopeck_services;
GRANT UPDATE ON settlement.transit_terms, settlement.service_name, settlement.promise, settlement.confirmed, settlement.debt TO kopeck_services;
GRANT UPDATE (last_cut, ordered) ON settlement.aggregator TO kopeck_services;
GRANT DELETE ON settlement.carried TO kopeck_services;
GRANT UPDATE (state, register) ON settlement.transfer_order TO kopeck_services;
GRANT UPDATE (valid_to) ON settlement.contract TO kopeck_services;
GRANT UPDATE (until) ON settlement.stop_listed TO kopeck_services;
GRANT UPDATE (resolved_at, resolved_by) ON settlement.parked_result TO kopeck_services;
GRANT UPDATE (same_requisites), DELETE ON settlement.reissue_due TO kopeck_services;
