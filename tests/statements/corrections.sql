-- What the tests of corrections look at.

-- name: adjustments
-- Everything decided: account, service, kind, amount, period and the month that charges it.
SELECT a.namespace || ':' || a.number, j.service, j.kind, j.amount, j.of_period, j.in_period
FROM billing.adjustment j JOIN reference.personal_account a ON a.personal_account = j.account ORDER BY j.adjustment

-- name: causes
-- What payers are told of sums decided.
SELECT DISTINCT cause FROM billing.adjustment ORDER BY cause

-- name: lines
-- Lines of an account ($1, its number) in a run: service, kind, amount, period.
SELECT l.service, l.kind, l.amount, l.of_period FROM billing.line l JOIN reference.personal_account a ON a.personal_account = l.account
WHERE a.number = $1 AND l.run = $2 ORDER BY l.nth

-- name: document
-- What an account's document of a run prints as charged: main and capital repair.
SELECT d.charged_main, d.charged_repair FROM billing.document d JOIN reference.personal_account a ON a.personal_account = d.account
WHERE a.number = $1 AND d.run = $2

-- name: charges
-- Charges of all accounts of a period.
SELECT c.personal_account, c.payee, c.amount FROM reference.charge c WHERE c.period = $1 ORDER BY 1, 2, 3

-- name: charged
-- What an account was charged for a service in a period, by every line of it and every later correction.
SELECT coalesce(sum(l.amount), 0)::bigint FROM billing.line l JOIN billing.run r USING (run)
    JOIN reference.personal_account a ON a.personal_account = l.account
WHERE a.number = $1 AND l.service = $2 AND r.state IN ('published', 'closed')
    AND CASE WHEN l.of_period = 0 THEN r.period ELSE l.of_period END = $3

-- name: houses
-- Houses of takes and what became of them.
SELECT take, house, of_period, state, reason FROM billing.correction_house ORDER BY take, of_period, house

-- name: number
-- The ledger's number of an account.
SELECT personal_account FROM reference.personal_account WHERE number = $1

-- name: charge_unanswered
-- A proposal is charged, whatever was said to it.
INSERT INTO billing.adjustment (account, service, kind, amount, cause, of_period, provider, in_period, basis, decided_by, decided_at, proposal)
SELECT account, service, kind, amount, cause, of_period, provider, in_period, basis, decided_by, decided_at, proposal
FROM billing.proposal WHERE proposal = $1

-- name: charge_more
-- A proposal is confirmed and charged with another sum, in one breath.
WITH yes AS (INSERT INTO billing.proposal_answer VALUES ($1, true, 'Борис', now(), '') RETURNING proposal)
INSERT INTO billing.adjustment (account, service, kind, amount, cause, of_period, provider, in_period, basis, decided_by, decided_at, proposal)
SELECT p.account, p.service, p.kind, p.amount * 2, p.cause, p.of_period, p.provider, p.in_period, p.basis, p.decided_by, p.decided_at,
    p.proposal
FROM billing.proposal p JOIN yes USING (proposal)

-- name: transit
-- A transit account with an open day.
WITH made AS (INSERT INTO reference.transit_account (account, bic, title) VALUES ('40911810000000000001', '044525225', 'T') RETURNING transit)
INSERT INTO ledger.bank_day (transit, open_day) SELECT transit, '2026-11-24' FROM made

-- name: periods
-- Which months a meter's readings count for, in the order of their days.
SELECT r.period FROM readings.counted r JOIN readings.meter m USING (meter) WHERE m.code = $1 ORDER BY r.taken_on

-- name: charged_year
-- What an account was charged for a service by the months of a year, without corrections.
SELECT coalesce(sum(l.amount), 0)::bigint FROM billing.line l JOIN billing.run r USING (run)
    JOIN reference.personal_account a ON a.personal_account = l.account
WHERE a.number = $1 AND l.service = $2 AND r.period / 100 = $3 AND l.of_period = 0
