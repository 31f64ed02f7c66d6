-- Money taken back: returns, refunds, reassignments, and what they leave owed (design §4 «Refunds», law.md 1.12).

-- Returns. A suspense item or a refund entry whose money is to go back to its payer by a transfer order. Whoever decides it adds a
-- row, in one transaction with his own decision; the next cut that finds the entry's money covered makes the order, which debits
-- account. Rows are never changed; a return that must not happen any more, and has no order yet, is withdrawn.
-- book, sequence: the entry that credited account (suspense:<transit>:<channel> or refund:<transit>:<channel>), with amount of it
-- still there: the writer sees to that and that nothing else spends it (a release takes the same lock, see docs/refunds.md).
CREATE TABLE settlement.return_request (
    request bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transit int NOT NULL REFERENCES reference.transit_account,
    account bigint NOT NULL CONSTRAINT return_request_account CHECK (account >> 56 IN (4, 5)),
    book smallint NOT NULL,
    sequence bigint NOT NULL,
    amount bigint NOT NULL CONSTRAINT return_request_amount CHECK (amount > 0),
    -- Text of the order's purpose; without the payer's name or address.
    purpose text NOT NULL CONSTRAINT return_request_purpose CHECK (char_length(purpose) BETWEEN 1 AND 210),
    asked_by text NOT NULL CONSTRAINT return_request_person CHECK (char_length(btrim(asked_by)) BETWEEN 1 AND 128),
    asked_at timestamptz NOT NULL,
    CONSTRAINT return_request_once UNIQUE (book, sequence));
-- To whom. A version is never changed; another one is given when the bank sent the money back, and the newest counts. sealed_name
-- is the payee's name in UTF-8, sealed (services/sealing.py) under the name 'settlement.return_payee/<request>'.
CREATE TABLE settlement.return_payee (
    request bigint NOT NULL REFERENCES settlement.return_request,
    version int NOT NULL CONSTRAINT return_payee_version CHECK (version > 0),
    sealed_name bytea NOT NULL,
    inn text NOT NULL DEFAULT '' CONSTRAINT return_payee_inn CHECK (inn ~ '^([0-9]{10}|[0-9]{12})?$'),
    kpp text NOT NULL DEFAULT '' CONSTRAINT return_payee_kpp CHECK (kpp ~ '^([0-9]{9})?$'),
    bank_account text NOT NULL CONSTRAINT return_payee_account CHECK (bank_account ~ '^[0-9]{20}$'),
    bic text NOT NULL CONSTRAINT return_payee_bic CHECK (bic ~ '^[0-9]{9}$'),
    given_by text NOT NULL,
    given_at timestamptz NOT NULL,
    CONSTRAINT return_payee_key PRIMARY KEY (request, version));
CREATE TABLE settlement.return_withdrawn (
    request bigint PRIMARY KEY REFERENCES settlement.return_request,
    withdrawn_by text NOT NULL,
    withdrawn_at timestamptz NOT NULL,
    reason text NOT NULL);

GRANT SELECT, INSERT ON settlement.return_request, settlement.return_payee, settlement.return_withdrawn TO kopeck_services;
GRANT SELECT ON settlement.return_request, settlement.return_withdrawn TO kopeck_reader;
GRANT SELECT (request, version, inn, kpp, bank_account, bic, given_by, given_at) ON settlement.return_payee TO kopeck_reader;

-- Claims: what recipients, guarantors and bearers of fees owe us, one row for each reason. The debt of issue 3's table is their sum.
-- why: correction (a counterparty took back what was ordered), refund (a payer gets back what was ordered; reassignments alike), fee
-- (a counterparty's fee kept back from a cover), commission (invoiced), debt (as it stood before claims were kept one by one).
-- space: the clearing account whose money it lacks, 0: none. account, creditor, capital: the lot that was taken back, account 0 where
-- there is none; original_cut: the cut that had taken its money. book, sequence: the entry that the claim arose from.
CREATE TABLE settlement.claim (
    claim bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transit int NOT NULL REFERENCES reference.transit_account,
    recipient int NOT NULL REFERENCES reference.recipient,
    why text NOT NULL CONSTRAINT claim_why CHECK (why IN ('correction', 'refund', 'fee', 'commission', 'debt')),
    space int NOT NULL,
    account bigint NOT NULL,
    creditor int NOT NULL,
    capital boolean NOT NULL,
    original_cut bigint NOT NULL,
    book smallint NOT NULL,
    sequence bigint NOT NULL,
    amount bigint NOT NULL CONSTRAINT claim_amount CHECK (amount > 0),
    "left" bigint NOT NULL CONSTRAINT claim_left CHECK ("left" BETWEEN 0 AND amount),
    arisen_on date NOT NULL,
    due_on date NOT NULL) WITH (fillfactor = 70);
CREATE INDEX claim_open ON settlement.claim (transit, recipient) WHERE "left" > 0;
CREATE INDEX claim_of_entry ON settlement.claim (book, sequence);
-- How a claim became less. how: deposit (paid before it arose), reissue (kept back from the same money that had come back), own (the
-- same recipient was given the same money for another account), netted (kept back with consent), paid, cancelled (its entry was undone).
CREATE TABLE settlement.claim_payment (
    payment bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    claim bigint NOT NULL REFERENCES settlement.claim,
    how text NOT NULL CONSTRAINT claim_payment_how CHECK (how IN ('deposit', 'reissue', 'own', 'netted', 'paid', 'cancelled')),
    amount bigint NOT NULL CONSTRAINT claim_payment_amount CHECK (amount > 0),
    -- The cut that kept it back, or the entry of book 0 by which it was paid.
    cut bigint REFERENCES settlement.cut,
    sequence bigint,
    CONSTRAINT claim_payment_place CHECK ((cut IS NULL) <> (sequence IS NULL)));
CREATE INDEX claim_payment_of ON settlement.claim_payment (claim);
-- A claim that is not kept back from its debtor's orders until somebody lets it again: disputed, agreed otherwise. The newest counts.
CREATE TABLE settlement.claim_stop (
    stop bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    claim bigint NOT NULL REFERENCES settlement.claim,
    stopped boolean NOT NULL,
    decided_by text NOT NULL,
    decided_at timestamptz NOT NULL,
    reason text NOT NULL);
-- What parties paid us beyond their claims: a guarantor's deposit, or a debt paid before it was known. The next claim takes it.
CREATE TABLE settlement.deposit (
    transit int NOT NULL,
    recipient int NOT NULL,
    amount bigint NOT NULL CONSTRAINT deposit_amount CHECK (amount >= 0),
    CONSTRAINT deposit_key PRIMARY KEY (transit, recipient));
INSERT INTO settlement.claim (transit, recipient, why, space, account, creditor, capital, original_cut, book, sequence, amount, "left",
    arisen_on, due_on)
SELECT d.transit, d.recipient, 'debt', d.space, 0, 0, false, 0, 0, 0, d.amount, d.amount, current_date, current_date
FROM settlement.debt d WHERE d.amount > 0;
-- What else parties owed: invoiced commission, of which settlement kept no debts.
INSERT INTO settlement.claim (transit, recipient, why, space, account, creditor, capital, original_cut, book, sequence, amount, "left",
    arisen_on, due_on)
SELECT r.transit, r.recipient, 'commission', 0, 0, 0, false, 0, 0, 0, r.owed - coalesce(d.amount, 0), r.owed - coalesce(d.amount, 0),
    current_date, current_date
FROM (SELECT ((u.account >> 40) & 65535)::int AS transit, (u.account & 1099511627775)::int AS recipient, sum(u.amount)::bigint AS owed
      FROM ledger.journal j CROSS JOIN LATERAL unnest(j.accounts, j.amounts) AS u(account, amount)
      WHERE j.book = 0 AND u.account >> 56 = 9 GROUP BY 1, 2) r
  LEFT JOIN (SELECT e.transit, e.recipient, sum(e.amount)::bigint AS amount FROM settlement.debt e GROUP BY 1, 2) d USING (transit, recipient)
WHERE r.owed > coalesce(d.amount, 0);
DROP TABLE settlement.debt;
-- What recipients owe, by the clearing account that lacks it.
CREATE VIEW settlement.debt AS
SELECT transit, recipient, space, sum("left")::bigint AS amount FROM settlement.claim WHERE "left" > 0 GROUP BY transit, recipient, space;

-- amount is gross: what covers took off the clearing account. cash is what came to the transit account for it, and by debts paid.
ALTER TABLE settlement.confirmed ADD COLUMN cash bigint NOT NULL DEFAULT 0;
UPDATE settlement.confirmed SET cash = amount;

-- Moves: entries that move a payer's money between liabilities without a clearing account: releases of suspense, refunds, both halves
-- of reassignments, offsets of advances. They promise nothing; what they credit may be ordered when the money of the entry at their
-- root is funded and what they take back is covered. Their key names their origin (0:0: nothing, and then they are never funded).
CREATE TABLE settlement.move (
    transit int NOT NULL,
    book smallint NOT NULL,
    sequence bigint NOT NULL,
    kind smallint NOT NULL,
    origin_book smallint NOT NULL,
    origin bigint NOT NULL,
    nth int NOT NULL,
    -- Kopecks that it takes from payables, gives to payables, and owes to a payer.
    debited bigint NOT NULL CONSTRAINT move_debited CHECK (debited >= 0),
    credited bigint NOT NULL CONSTRAINT move_credited CHECK (credited >= 0),
    refunded bigint NOT NULL CONSTRAINT move_refunded CHECK (refunded >= 0),
    -- The first half of a reassignment.
    departs boolean NOT NULL,
    -- Cuts have taken all of it, and what it takes back is covered.
    done boolean NOT NULL DEFAULT false,
    CONSTRAINT move_key PRIMARY KEY (transit, book, sequence)) WITH (fillfactor = 70);
CREATE INDEX move_open ON settlement.move (transit, book, sequence) WHERE NOT done;
CREATE INDEX move_of_origin ON settlement.move (origin_book, origin);
-- What cuts took of moves, posting by posting: kopecks added to a lot, below nought what was taken back from it. original_cut: the cut
-- that had taken the money, 0 for this one, -1 for what its recipient had been paid before for another account, and kept.
CREATE TABLE settlement.moved (
    cut bigint NOT NULL REFERENCES settlement.cut,
    transit int NOT NULL,
    book smallint NOT NULL,
    sequence bigint NOT NULL,
    place int NOT NULL,
    amount bigint NOT NULL CONSTRAINT moved_amount CHECK (amount <> 0),
    original_cut bigint NOT NULL,
    CONSTRAINT moved_once PRIMARY KEY (transit, book, sequence, place, cut, original_cut));
CREATE INDEX moved_of_cut ON settlement.moved (cut);
-- Refunds that a counterparty keeps from its next cover: the clearing account's money is so much less promised. cut: the one from
-- which on it counts, with what is still owed for the refund.
CREATE TABLE settlement.deduction (
    transit int NOT NULL,
    space int NOT NULL,
    book smallint NOT NULL,
    sequence bigint NOT NULL,
    refund bigint NOT NULL,
    amount bigint NOT NULL CONSTRAINT deduction_amount CHECK (amount > 0),
    cut bigint REFERENCES settlement.cut,
    CONSTRAINT deduction_key PRIMARY KEY (transit, book, sequence),
    CONSTRAINT deduction_once UNIQUE (book, refund));
CREATE INDEX deduction_open ON settlement.deduction (transit) WHERE cut IS NULL;

-- Money that came back and is kept for claims on the same money instead of being paid anew.
CREATE TABLE settlement.reissue_kept (
    transfer bigint NOT NULL REFERENCES settlement.transfer_order,
    account bigint NOT NULL,
    creditor int NOT NULL,
    capital boolean NOT NULL,
    cut bigint NOT NULL REFERENCES settlement.cut,
    amount bigint NOT NULL CONSTRAINT reissue_kept_amount CHECK (amount > 0),
    CONSTRAINT reissue_kept_key PRIMARY KEY (transfer, account, creditor, capital, cut));

-- Orders of returns have a request in the place of a recipient; requisites is then the version of its payee.
ALTER TABLE settlement.transfer_order ALTER COLUMN recipient DROP NOT NULL;
ALTER TABLE settlement.transfer_order ADD COLUMN request bigint REFERENCES settlement.return_request;
ALTER TABLE settlement.transfer_order ADD CONSTRAINT transfer_order_payee CHECK ((recipient IS NULL) = (request IS NOT NULL));
ALTER TABLE settlement.transfer_order ADD CONSTRAINT transfer_order_return CHECK (request IS NULL OR class = 'refund');
CREATE INDEX transfer_order_of_request ON settlement.transfer_order (request) WHERE request IS NOT NULL;
-- Whom an order pays. The name of a payer is sealed and not here.
CREATE VIEW settlement.order_payee AS
SELECT o.transfer, r.code, r.name, r.inn, r.kpp, q.bank_account, q.bic, q.kbk, q.oktmo
FROM settlement.transfer_order o JOIN reference.recipient r ON r.recipient = o.recipient
  JOIN reference.requisites q ON q.recipient = o.recipient AND q.version = o.requisites
UNION ALL
SELECT o.transfer, 'payer', 'плательщик', p.inn, p.kpp, p.bank_account, p.bic, '', ''
FROM settlement.transfer_order o JOIN settlement.return_payee p ON p.request = o.request AND p.version = o.requisites;

-- Who decided refunds, reversals and reassignments, with the entry, in one transaction. key makes a decision one: an acquirer's event,
-- or a person's words. nth: the correction's number of the entry at book:sequence.
CREATE TABLE settlement.refund (
    refund bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL CONSTRAINT refund_once UNIQUE CONSTRAINT refund_key_length CHECK (octet_length(key) BETWEEN 1 AND 300),
    what text NOT NULL CONSTRAINT refund_what CHECK (what IN ('refund', 'reversal', 'reassignment')),
    book smallint NOT NULL,
    sequence bigint NOT NULL,
    nth int NOT NULL,
    correction bigint NOT NULL,
    amount bigint NOT NULL CONSTRAINT refund_amount CHECK (amount > 0),
    guarantor int REFERENCES reference.recipient,
    decided_by text NOT NULL,
    approved_by text NOT NULL DEFAULT '',
    decided_at timestamptz NOT NULL,
    CONSTRAINT refund_correction_once UNIQUE (book, sequence, nth),
    CONSTRAINT refund_second_person CHECK (lower(btrim(approved_by)) <> lower(btrim(decided_by))));
-- The payer's application that a reassignment rests on: what the file was called and SHA-256 of its bytes; it is kept elsewhere.
CREATE TABLE settlement.application (
    refund bigint PRIMARY KEY REFERENCES settlement.refund,
    personal_account bigint NOT NULL,
    file_name text NOT NULL CONSTRAINT application_file_name CHECK (char_length(file_name) BETWEEN 1 AND 255),
    digest bytea NOT NULL CONSTRAINT application_digest CHECK (octet_length(digest) = 32));
-- Acquirers' events of money given back, and what became of each: once. refund NULL: nothing had to be booked, and why.
CREATE TABLE settlement.acquirer_refund (
    event bigint PRIMARY KEY REFERENCES intake.acquirer_event,
    refund bigint REFERENCES settlement.refund,
    deducted bigint,
    why text NOT NULL DEFAULT '',
    at timestamptz NOT NULL);
-- What people did with orders beside approving them: money let go again, results of the bank seen to. Never changed.
CREATE TABLE settlement.intervention (
    intervention bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transfer bigint REFERENCES settlement.transfer_order,
    parked bigint REFERENCES settlement.parked_result,
    what text NOT NULL,
    done_by text NOT NULL,
    done_at timestamptz NOT NULL);

GRANT SELECT ON settlement.claim, settlement.claim_payment, settlement.claim_stop, settlement.deposit, settlement.debt, settlement.move,
    settlement.moved, settlement.deduction, settlement.reissue_kept, settlement.order_payee, settlement.refund, settlement.application,
    settlement.acquirer_refund, settlement.intervention TO kopeck_services, kopeck_reader;
GRANT INSERT ON settlement.claim, settlement.claim_payment, settlement.claim_stop, settlement.deposit, settlement.move, settlement.moved,
    settlement.deduction, settlement.reissue_kept, settlement.refund, settlement.application, settlement.acquirer_refund,
    settlement.intervention TO kopeck_services;
GRANT UPDATE ("left", space) ON settlement.claim TO kopeck_services;
GRANT UPDATE (amount) ON settlement.deposit TO kopeck_services;
GRANT UPDATE (done) ON settlement.move TO kopeck_services;
GRANT UPDATE (cut) ON settlement.deduction TO kopeck_services;

-- What people did with receipts: corrected, sent again. Never changed.
CREATE TABLE fiscal.intervention (
    intervention bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    receipt bigint NOT NULL REFERENCES fiscal.receipt,
    what text NOT NULL,
    done_by text NOT NULL CONSTRAINT intervention_person CHECK (char_length(btrim(done_by)) BETWEEN 1 AND 128),
    done_at timestamptz NOT NULL);
CREATE INDEX intervention_of_receipt ON fiscal.intervention (receipt);
GRANT SELECT, INSERT ON fiscal.intervention TO kopeck_services;
GRANT SELECT ON fiscal.intervention TO kopeck_reader;
