-- A ledger for the fiscal consumer: registers by hand, what was written, and what only an owner could do.

-- name: add_transit
-- One transit account.
INSERT INTO reference.transit_account (account, bic, title) VALUES ('40911810101850000000', '044525593', 'Bank') RETURNING transit;

-- name: open_day
-- Its first day.
INSERT INTO ledger.bank_day (transit, open_day) VALUES ($1, $2);

-- name: add_space
-- One operation space.
INSERT INTO reference.operation_space (name) VALUES ($1) RETURNING space;

-- name: add_channel
-- One channel of a legal kind.
INSERT INTO reference.channel (name, manner, legal_kind, space, transit) VALUES ($1, 'reporting', $1, $2, $3) RETURNING channel;

-- name: list_accounts
-- Accounts by number.
SELECT number, personal_account FROM reference.personal_account;

-- name: list_payees
-- Payees by recipient's code and service.
SELECT r.code, p.service, p.payee FROM reference.payee p JOIN reference.recipient r USING (recipient);

-- name: list_lines
-- Charge lines of an account by service and kind.
SELECT p.service, c.kind, c.line FROM reference.charge c JOIN reference.payee p USING (payee) WHERE c.personal_account = $1;

-- name: list_receipts
-- Receipts in order, with their state and issuer.
SELECT v.* FROM fiscal.receipt_view v ORDER BY v.number;

-- name: list_orders
-- Orders in order.
SELECT number, subject, counterparty, key, content, state, due_at FROM delivery.outgoing WHERE what = 'receipt' ORDER BY number;

-- name: list_omissions
-- Sums without receipts.
SELECT o.sequence, coalesce(r.code, '-') AS issuer, o.reason, o.amount
FROM fiscal.no_receipt o LEFT JOIN reference.recipient r ON r.recipient = o.issuer ORDER BY o.book, o.sequence, o.issuer, o.reason;

-- name: list_offsets
-- Offsets of advances.
SELECT sequence, line, issuer, amount, month, receipt FROM fiscal.advance_offset ORDER BY sequence, line;

-- name: rewind
-- Let a consumer take everything again.
UPDATE read_model.cursor SET sequence = 0 WHERE consumer = $1;

-- name: end_order
-- What delivery does when an order has ended.
UPDATE delivery.outgoing SET state = $2, ended_at = clock_timestamp() WHERE number = $1;

-- name: fake_receipt
-- What only an owner who wants to cheat would do: a receipt worth a kopeck less.
UPDATE fiscal.receipt SET total = total - 1, amounts[1] = amounts[1] - 1 WHERE number = $1;

-- name: allow_forgery
-- Take the guard away.
ALTER TABLE fiscal.receipt DISABLE TRIGGER receipt_fixed;

-- name: explain
-- How a look-up is planned.
EXPLAIN

-- name: prefer_indexes
-- Plan as on a large ledger.
SET enable_seqscan = off;

-- name: read_contacts
-- Where payers want receipts.
SELECT contact FROM fiscal.contact;

-- name: count_waiting
-- Sessions of this database that wait for a lock.
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock';
