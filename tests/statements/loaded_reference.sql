-- What tests of the loaders read back, and the few things they change behind their backs.

-- name: recipients
-- Recipients by code.
SELECT code, kind, name, inn, kpp, advance_rule, per_service_payment, costs_first FROM reference.recipient ORDER BY code;

-- name: requisites
-- Versions by recipient and number.
SELECT r.code, q.version, q.bank_account, q.loaded_by, q.approved_by
FROM reference.requisites q JOIN reference.recipient r USING (recipient) ORDER BY r.code, q.version;

-- name: accounts
-- Personal accounts by number.
SELECT a.namespace, a.number, a.state, a.payer_kind, r.code AS provider, a.time_zone, a.masked_name, a.masked_address
FROM reference.personal_account a JOIN reference.recipient r ON r.recipient = a.provider ORDER BY a.namespace, a.number;

-- name: aliases
-- Names with the account's own number.
SELECT l.namespace, l.number, a.number AS account, l.valid_from, l.valid_to
FROM reference.alias l JOIN reference.personal_account a USING (personal_account) ORDER BY a.number, l.namespace, l.number;

-- name: charges
-- Charges by account and line.
SELECT a.number, c.line, k.code AS creditor, c.period, p.service, r.code AS recipient, c.kind, c.pool, c.amount, c.due_date,
    c.limitation_until, c.court_order, c.opening_paid, c.opening_advance, c.opening_holder
FROM reference.charge c JOIN reference.personal_account a USING (personal_account) JOIN reference.payee p USING (payee)
    JOIN reference.recipient r ON r.recipient = p.recipient JOIN reference.recipient k ON k.recipient = c.creditor
ORDER BY a.number, c.line;

-- name: printed
-- Printed totals by account.
SELECT a.number, t.period, t.pool, t.amount
FROM reference.printed_total t JOIN reference.personal_account a USING (personal_account) ORDER BY a.number, t.period, t.pool;

-- name: due
-- Accounts whose table must be built.
SELECT a.number FROM reference.table_due d JOIN reference.personal_account a USING (personal_account) ORDER BY a.number;

-- name: clear_due
-- As if every table had been built.
DELETE FROM reference.table_due;

-- name: publish_heads
-- As if the table of every account had been published once.
INSERT INTO ledger.account_head (book, personal_account, version, digest, valid_until)
SELECT 1, a.personal_account, 1, sha256('x'), '2100-01-01' FROM reference.personal_account a;

-- name: approve_own
-- What the code never does: approve in the loader's name.
UPDATE reference.requisites SET approved_by = loaded_by, approved_at = clock_timestamp();

-- name: move_money
-- What the services may not do: change a loaded version.
UPDATE reference.requisites SET bank_account = '40911810101850000000';

-- name: move_line
-- What nobody may do: make a line another one.
UPDATE reference.charge SET payee = payee;

-- name: unknown_account_charge
-- A charge of an account that is not there.
INSERT INTO reference.charge (personal_account, line, creditor, period, payee, kind, pool, amount, due_date)
SELECT 999999, 1, p.recipient, 202610, p.payee, 0, 0, 1, '2026-11-16' FROM reference.payee p LIMIT 1;

-- name: unknown_payee_charge
-- A charge for a payee that is not there.
INSERT INTO reference.charge (personal_account, line, creditor, period, payee, kind, pool, amount, due_date)
SELECT a.personal_account, 900, a.provider, 202610, 999999, 0, 0, 1, '2026-11-16' FROM reference.personal_account a LIMIT 1;

-- name: left_in_session
-- Temporary tables of this session.
SELECT count(*) FROM pg_class WHERE relpersistence = 't' AND relkind = 'r' AND pg_table_is_visible(oid);
