-- The town of the bench of months; run as the owner.

-- name: recipients
-- A managing organisation with advances to one line, suppliers, the fund of capital repair; one transit account with an open day.
WITH made AS (
    INSERT INTO reference.recipient (code, kind, name, inn, kpp, advance_rule)
    SELECT code, CASE WHEN code = 'uo' THEN 'management' ELSE 'supplier' END, code, '', '', 1 FROM unnest($1::text[]) AS u(code)),
transit AS (
    INSERT INTO reference.transit_account (account, bic, title) VALUES ('40911810000000000001', '044525225', 'T') RETURNING transit)
INSERT INTO ledger.bank_day (transit, open_day) SELECT transit, '2026-11-24' FROM transit

-- name: accounts
-- Accounts numbered $1 … $2, each found by its number and by its ЕЛС.
WITH made AS (
    INSERT INTO reference.personal_account (namespace, number, state, payer_kind, provider)
    SELECT 'uo', n::text, 0, 0, (SELECT recipient FROM reference.recipient WHERE code = 'uo') FROM generate_series($1::int, $2::int) n
    RETURNING personal_account, number)
INSERT INTO reference.alias (namespace, number, personal_account)
SELECT 'uo', number, personal_account FROM made
UNION ALL SELECT 'els', '50АА' || lpad(number, 8, '0'), personal_account FROM made

-- name: numbers
-- The ledger's numbers of accounts.
SELECT w.number, a.personal_account
FROM unnest($1::text[]) AS w(number)
    CROSS JOIN LATERAL (SELECT p.personal_account FROM reference.personal_account p
        WHERE p.namespace = 'uo' AND p.number = w.number LIMIT 1) a

-- name: analyze
-- What autovacuum would have done by now.
ANALYZE reference.personal_account, reference.alias

-- name: sizes
-- Bytes with indices of what a month leaves behind.
SELECT c.oid::regclass::text AS name, pg_total_relation_size(c.oid) AS bytes FROM pg_class c
WHERE c.relkind = 'r' AND c.relnamespace IN ('billing'::regnamespace, 'reference'::regnamespace, 'ledger'::regnamespace)
ORDER BY bytes DESC LIMIT 10

-- name: check_sums
-- Published documents, and whether lines, charges, printed sums and tables come to the same.
SELECT (SELECT count(*) FROM billing.document d WHERE d.run = $1 AND d.state = 'published') AS published,
    (SELECT sum(d.charged_main + d.charged_repair)::bigint FROM billing.document d WHERE d.run = $1) AS documents,
    (SELECT sum(h.amount)::bigint FROM billing.run_house h WHERE h.run = $1) AS houses,
    (SELECT sum(c.amount)::bigint FROM reference.charge c WHERE c.period = $2) AS charges
