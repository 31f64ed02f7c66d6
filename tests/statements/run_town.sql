-- What the tests of a month's life look at, and the crimes they try.

-- name: numbers
-- Accounts of the provider by their numbers.
SELECT number, personal_account FROM reference.personal_account WHERE namespace = 'uo' AND number = ANY($1::text[])

-- name: charges
-- Charges of an account: period, service, pool, amount.
SELECT c.period, p.service, c.pool, c.amount FROM reference.charge c JOIN reference.payee p USING (payee)
WHERE c.personal_account = $1 AND c.kind < 3 ORDER BY c.period, c.pool, p.service

-- name: due_dates
-- On which days the charges of an account's period are due.
SELECT DISTINCT due_date FROM reference.charge WHERE personal_account = $1 AND period = $2 AND kind < 3

-- name: printed
-- Sums printed for an account: period, pool, amount.
SELECT period, pool, amount FROM reference.printed_total WHERE personal_account = $1 ORDER BY period, pool

-- name: everything
-- Charges, printed totals, published versions and heads of all accounts, to compare before and after.
SELECT a.number, (SELECT array_agg((c.line, c.period, c.payee, c.amount)::text ORDER BY c.line) FROM reference.charge c
        WHERE c.personal_account = a.personal_account AND c.kind < 3) AS charges,
    (SELECT array_agg((t.period, t.pool, t.amount)::text ORDER BY t.period, t.pool) FROM reference.printed_total t
        WHERE t.personal_account = a.personal_account) AS printed,
    (SELECT max(h.version) FROM ledger.account_head h WHERE h.personal_account = a.personal_account) AS version
FROM reference.personal_account a ORDER BY a.personal_account

-- name: documents
-- Documents of a run by account.
SELECT p.number AS account, d.state, d.reason, d.number, d.nth, d.main, d.capital_repair, d.charged_main, d.due_on
FROM billing.document d JOIN reference.personal_account p ON p.personal_account = d.account WHERE d.run = $1 ORDER BY d.account

-- name: lines
-- Lines of a run.
SELECT a.number, l.service, l.kind, l.amount, l.of_period FROM billing.line l JOIN reference.personal_account a ON
    a.personal_account = l.account WHERE l.run = $1 ORDER BY l.account, l.nth

-- name: count_lines
-- How many lines a run has.
SELECT count(*) FROM billing.line WHERE run = $1

-- name: houses
-- Houses of a run and how they stand.
SELECT house, state, reason FROM billing.run_house WHERE run = $1 ORDER BY house

-- name: due
-- Accounts due for a table.
SELECT personal_account FROM reference.table_due ORDER BY 1

-- name: change_line
-- A line is tampered with.
UPDATE billing.run_account SET amounts[1] = amounts[1] + 1 WHERE run = $1

-- name: add_line
-- A line is slipped in.
INSERT INTO billing.run_account (run, account, house, services, volumes, prices, amounts, explanations)
SELECT a.run, a.account + 1000000, a.house, '{maintenance}', '{0}', '{0}', '{100}', a.explanations[1:1] FROM billing.run_account a
WHERE a.run = $1 LIMIT 1

-- name: delete_line
-- Lines are taken away.
DELETE FROM billing.run_account WHERE run = $1

-- name: delete_terms
-- Who is paid is taken away.
DELETE FROM billing.run_terms WHERE run = $1

-- name: approve_oneself
-- The maker approves.
UPDATE billing.run SET state = 'approved', approved_by = upper(made_by) || ' ', approved_at = now() WHERE run = $1

-- name: skip_approval
-- A checked run is published as it is.
UPDATE billing.run SET state = 'publishing', due_on = '2026-12-15' WHERE run = $1

-- name: reprint
-- A published document is changed.
UPDATE billing.document SET main = main + 1 WHERE run = $1

-- name: reopen
-- A closed month is opened again.
UPDATE billing.month SET state = 'open', closed_by = NULL, closed_at = NULL WHERE period = $1

-- name: spoil_charge
-- A charge is raised behind the back of its document.
UPDATE reference.charge SET amount = amount + 1 WHERE personal_account = $1 AND period = $2 AND kind = 0 AND pool = 0

-- name: spoil_table_sum
-- What was decoded from the table is told wrong.
UPDATE billing.document SET table_main = table_main + 1 WHERE run = $1 AND account = $2

-- name: load_charge
-- A charge of a later period by the same creditor, as a file would bring it.
INSERT INTO reference.charge (personal_account, line, creditor, period, payee, kind, pool, amount, due_date)
SELECT c.personal_account, 900, c.creditor, $2, c.payee, 0, 0, 100, '2027-01-15' FROM reference.charge c
WHERE c.personal_account = $1 AND c.kind = 0 AND c.pool = 0 LIMIT 1

-- name: spoil_printed
-- A document's printed total is told wrong before its table is built.
UPDATE reference.printed_total SET amount = amount + 1 WHERE personal_account = $1 AND period = $2 AND pool = 0

-- name: backends
-- How many connections the services have on this database.
SELECT count(*) FROM pg_stat_activity WHERE usename = 'kopeck_services' AND datname = current_database()

-- name: published_runs
-- Who published each version of an account.
SELECT b.version, b.published_by FROM ledger.base_table b WHERE b.personal_account = $1 ORDER BY b.version

-- name: sizes
-- Bytes of lines with their keys, and lines, of a run.
SELECT pg_total_relation_size('billing.run_account') AS bytes, count(*) AS lines, avg(pg_column_size(explanation)) AS packed
FROM billing.line

-- name: forget_names
-- An account whose time zone nobody knows cannot be built.
UPDATE reference.personal_account SET time_zone = 'Europe/Nowhere' WHERE personal_account = $1

-- name: know_names
-- Its time zone is known again.
UPDATE reference.personal_account SET time_zone = 'Europe/Moscow' WHERE personal_account = $1

-- name: lock
-- A loader at work.
SELECT pg_advisory_lock($1)

-- name: unlock
-- The loader has ended.
SELECT pg_advisory_unlock($1)

-- name: recipient
-- A recipient's number.
SELECT recipient FROM reference.recipient WHERE code = $1

-- name: errors
-- Errors of a run.
SELECT finding FROM billing.finding WHERE run = $1 AND severity = 'error' ORDER BY finding

-- name: account_of
-- An account of the desk's by its number.
SELECT personal_account FROM reference.personal_account WHERE namespace = 'epd' AND number = $1

-- name: recipients
-- Recipients by code.
SELECT code, recipient FROM reference.recipient

-- name: payees
-- Whose each payee is.
SELECT p.payee, r.code FROM reference.payee p JOIN reference.recipient r USING (recipient)

-- name: take_line
-- Somebody else numbers a line of an account: one that holds advances.
INSERT INTO reference.charge (personal_account, line, creditor, period, payee, kind, pool, amount, due_date)
SELECT $1, 1, p.recipient, 0, p.payee, 3, 0, 0, '2026-11-15' FROM reference.payee p WHERE p.service = 'maintenance' LIMIT 1

-- name: half_done
-- Accounts that have some of charges, printed sums, document and table of a run's period, and not all.
SELECT a.account FROM billing.run_account a JOIN billing.run r USING (run)
    CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE c.period = r.period) > 0 AS has FROM reference.charge c
        WHERE c.personal_account = a.account) c
    CROSS JOIN LATERAL (SELECT count(*) > 0 AS has FROM reference.printed_total t
        WHERE t.personal_account = a.account AND t.period = r.period) t
    CROSS JOIN LATERAL (SELECT count(*) > 0 AS has FROM billing.document d
        WHERE d.run = a.run AND d.account = a.account AND d.state = 'published') d
    CROSS JOIN LATERAL (SELECT count(*) > 0 AS has FROM ledger.base_table b
        WHERE b.personal_account = a.account AND b.published_by = 'billing run ' || a.run) b
WHERE a.run = $1 AND NOT (c.has = t.has AND t.has = d.has AND d.has = b.has)

-- name: try_load
-- Whether a load of a file could begin; it ends with the statement.
SELECT pg_try_advisory_xact_lock($1)
