-- What the tests of balances write and spoil; run as the owner.

-- name: penalty
-- A penalty ($5 1) or court costs (2) of an account: service, period, amount.
INSERT INTO reference.charge (personal_account, line, creditor, period, payee, kind, pool, amount, due_date)
SELECT $1, (SELECT coalesce(max(c.line), 0) + 1 FROM reference.charge c WHERE c.personal_account = $1),
    (SELECT recipient FROM reference.recipient WHERE code = 'УО'), $3, p.payee, $5, 0, $4, '2026-11-15'
FROM reference.payee p WHERE p.service = $2

-- name: change
-- A charge of an account comes to more or less: service, period, by how much.
UPDATE reference.charge c SET amount = c.amount + $4 FROM reference.payee p
WHERE p.payee = c.payee AND c.personal_account = $1 AND p.service = $2 AND c.period = $3

-- name: close_day
-- The bank day of the transit account ends.
SELECT ledger.close_bank_day(1, $1, $2)

-- name: unguard
-- The owner of the database takes the guards away: no trigger speaks in this session.
SET session_replication_role = replica

-- name: spoil_snapshot
-- A kopeck more is owed in the snapshot of a month.
UPDATE saldo.snapshot SET sums[1] = sums[1] + 1 WHERE period = $1 AND account = $2

-- name: spoil_sheet
-- A kopeck is charged and paid less in the sheet of a month: the row still sums up.
UPDATE saldo.turnover t SET charged = t.charged - 1, paid = t.paid + 1 FROM reference.payee p
WHERE p.payee = t.payee AND t.period = $1 AND p.service = 'heating'

-- name: spoil_read_model
-- A kopeck moves between two days' turnovers in the read model.
UPDATE read_model.day_turnover SET credit = credit + 1
WHERE (account, bank_day, book) = (SELECT d.account, d.bank_day, d.book FROM read_model.day_turnover d
    WHERE d.account >> 56 = 3 ORDER BY d.account LIMIT 1)

-- name: spoil_payee
-- A payment's kopecks stand on another recipient's account than the line they credit.
UPDATE ledger.journal j SET accounts[2] = j.accounts[3] WHERE j.kind = 1 AND cardinality(j.accounts) > 2

-- name: move_account
-- An account belongs to another provider.
UPDATE reference.personal_account SET provider = (SELECT recipient FROM reference.recipient WHERE code = $2) WHERE personal_account = $1

-- name: spoil_closing_sheet
-- A kopeck more is charged and owed at the end in the sheet of a month: the row still sums up.
UPDATE saldo.turnover t SET charged = t.charged + 1, closing_debt = t.closing_debt + 1 FROM reference.payee p
WHERE p.payee = t.payee AND t.period = $1 AND p.service = 'heating'

-- name: sums
-- Everything charged, and everything credited to charges.
SELECT (SELECT sum(c.amount)::bigint FROM reference.charge c) AS charged,
    (SELECT -sum(u.amount)::bigint FROM ledger.journal j CROSS JOIN LATERAL unnest(j.lines, j.amounts) AS u(line, amount)
        WHERE u.line <> 0) AS credited
