-- What the tests of penalties look at, and the crimes they try.

-- name: penalties
-- Penalties charged to an account: period, creditor, pool, amount, due day.
SELECT c.period, r.code, c.pool, c.amount, c.due_date FROM reference.charge c JOIN reference.recipient r ON r.recipient = c.creditor
WHERE c.personal_account = $1 AND c.kind = 1 ORDER BY c.period, r.code, c.pool

-- name: documents
-- Documents of a run.
SELECT p.number AS account, d.state, d.reason, d.number, d.charged, d.owed_before
FROM billing.penalty_document d JOIN reference.personal_account p ON p.personal_account = d.account
WHERE d.run = $1 ORDER BY d.account, d.creditor, d.pool

-- name: bills
-- Bills of a run: account, period of the bill, penalty, before, change, why it is left alone.
SELECT p.number AS account, b.bill_period, b.penalty, b.before, b.change, b.excluded
FROM billing.penalty_bill b JOIN reference.personal_account p ON p.personal_account = b.account
WHERE b.run = $1 ORDER BY b.account, b.nth

-- name: add_penalty
-- A penalty that no run of ours made.
INSERT INTO reference.charge (personal_account, line, creditor, period, payee, kind, pool, amount, due_date)
SELECT $1, (SELECT max(c.line) + 1 FROM reference.charge c WHERE c.personal_account = $1),
    (SELECT recipient FROM reference.recipient WHERE code = 'УО'), 202609,
    (SELECT payee FROM reference.payee WHERE service = 'maintenance'), 1, 0, 777, '2026-10-15'

-- name: order_by_court
-- An account's charges of a period are under a court order.
INSERT INTO reference.charge (personal_account, line, creditor, period, payee, kind, pool, amount, due_date, court_order)
SELECT $1, (SELECT max(c.line) + 1 FROM reference.charge c WHERE c.personal_account = $1),
    (SELECT recipient FROM reference.recipient WHERE code = 'УО'), 202607,
    (SELECT payee FROM reference.payee WHERE service = 'maintenance'), 0, 0, 90000, '2026-08-17', '2-117/2026'

-- name: change_bill
-- A bill of a run is tampered with.
UPDATE billing.penalty_bill SET change = change + 1 WHERE run = $1

-- name: add_bill
-- A bill is slipped in.
INSERT INTO billing.penalty_bill SELECT run, account, nth + 100, creditor, bill_period, pool, due_on, debt, penalty, before, change, excluded
FROM billing.penalty_bill WHERE run = $1 LIMIT 1

-- name: skip_approval
-- A run is moved on without a second person.
UPDATE billing.penalty_run SET state = 'approved' WHERE run = $1

-- name: approve_alone
-- A run is approved by whoever made it.
UPDATE billing.penalty_run SET state = 'approved', approved_by = ' анна', approved_at = now() WHERE run = $1

-- name: raise_waiver
-- A waiver is made larger.
UPDATE billing.penalty_waiver SET amount = amount + 1

-- name: rewrite_document
-- A charged document is tampered with.
UPDATE billing.penalty_document SET charged = charged + 1 WHERE run = $1

-- name: add_requisites
-- Every recipient has approved requisites and contacts enough to be printed.
WITH named AS (UPDATE reference.recipient SET inn = '7707083893', kpp = '770801001' RETURNING recipient),
requisites AS (
    INSERT INTO reference.requisites (recipient, version, bank_account, bic, valid_from, loaded_by, approved_by, approved_at)
    SELECT n.recipient, 1, '40702810200000000001', '044525225', '2020-01-01', 'a', 'b', now() FROM named n)
INSERT INTO billing.bank (bic, name, correspondent_account, loaded_by, loaded_at)
VALUES ('044525225', 'ПАО Сбербанк', '30101810400000000225', 'a', now())
