-- Debtors for loadtests/bench_penalties.py.

-- name: make_accounts
-- A provider, its payee, a transit account, and $1 accounts with their names.
WITH recipient AS (
    INSERT INTO reference.recipient (code, kind, name, inn, kpp) VALUES ('УО', 'management', 'УО', '', '') RETURNING recipient),
payee AS (INSERT INTO reference.payee (recipient, service) SELECT recipient, 'maintenance' FROM recipient),
transit AS (
    INSERT INTO reference.transit_account (account, bic, title) VALUES ('40911810000000000001', '044525225', 'T') RETURNING transit),
day AS (INSERT INTO ledger.bank_day (transit, open_day) SELECT transit, current_date FROM transit),
made AS (
    INSERT INTO reference.personal_account (namespace, number, state, payer_kind, provider)
    SELECT 'uo', lpad(n::text, 10, '0'), 0, 0, recipient FROM recipient, generate_series(1, $1::int) n RETURNING personal_account, number)
INSERT INTO reference.alias (namespace, number, personal_account) SELECT 'uo', number, personal_account FROM made

-- name: make_charges
-- Bills of the last $1 months before September 2026 and after, of which all but the last are overdue for more than thirty days.
INSERT INTO reference.charge (personal_account, line, creditor, period, payee, kind, pool, amount, due_date)
SELECT a.personal_account, n, p.recipient, to_char(m.month, 'YYYYMM')::int, p.payee, 0, 0, 400000 + a.personal_account % 1000,
    (m.month + interval '1 month 14 days')::date
FROM reference.personal_account a CROSS JOIN reference.payee p CROSS JOIN generate_series(1, $1::int) n
    CROSS JOIN LATERAL (SELECT date '2026-09-01' - make_interval(months => $1::int - n) AS month) m
WHERE p.service = 'maintenance'

-- name: analyze
-- The planner must know what was made.
ANALYZE reference.charge, reference.personal_account, reference.alias
