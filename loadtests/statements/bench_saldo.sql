-- The town of the bench of balances; run as the owner.

-- name: stock
-- Houses of a hundred accounts.
WITH made AS (
    INSERT INTO housing.load (what, loaded_by) VALUES ('bench', 'bench') RETURNING load),
houses AS (
    INSERT INTO housing.house (code) SELECT 'h' || lpad(h::text, 6, '0') FROM generate_series(0, ($1::int - 1) / 100) h
    RETURNING house, code),
flats AS (
    INSERT INTO housing.premises (house, number) SELECT h.house, n::text FROM houses h CROSS JOIN generate_series(1, 100) n
    RETURNING premises, house, number)
INSERT INTO housing.account (personal_account, valid_from, load, state, premises, numerator, denominator, excluded)
SELECT a.personal_account, '2020-01-01', m.load, 0, f.premises, 1, 1, '{}'
FROM flats f JOIN houses h USING (house) CROSS JOIN made m
    JOIN reference.personal_account a ON a.number = (substr(h.code, 2)::int * 100 + f.number::int)::text

-- name: payees
-- Eight services of five recipients.
INSERT INTO reference.payee (recipient, service)
SELECT r.recipient, s.service FROM unnest($1::text[], $2::text[]) AS s(service, code) JOIN reference.recipient r USING (code)
ON CONFLICT DO NOTHING

-- name: charges
-- A month of every account: a line a service.
INSERT INTO reference.charge (personal_account, line, creditor, period, payee, kind, pool, amount, due_date)
SELECT a.personal_account, $2::int * 8 + p.nth, CASE WHEN p.service = 'capital_repair' THEN p.recipient ELSE a.provider END, $1::int, p.payee, 0,
    CASE WHEN p.service = 'capital_repair' THEN 1 ELSE 0 END, 20000 + (a.personal_account * 7919 + p.payee * 104729 + $1::int) % 400000, '2026-12-15'
FROM reference.personal_account a
    CROSS JOIN (SELECT y.*, row_number() OVER (ORDER BY y.payee) AS nth FROM reference.payee y) p

-- name: payments
-- Four of five accounts pay a month's charges, one of those half of them, as entries of the journal with their chains and heads.
WITH paid AS (
    SELECT c.personal_account, array_agg((3::bigint << 56) | (1::bigint << 40) | c.payee ORDER BY c.line) AS accounts,
        array_agg(c.line ORDER BY c.line) AS lines,
        array_agg(-CASE WHEN c.personal_account % 5 = 1 THEN c.amount / 2 ELSE c.amount END ORDER BY c.line) AS amounts
    FROM reference.charge c WHERE c.period = $1::int AND c.personal_account % 5 > 0 GROUP BY c.personal_account),
placed AS (
    SELECT p.*, h.last_sequence AS previous, (SELECT coalesce(max(j.sequence), 0) FROM ledger.journal j WHERE j.book = 1)
        + row_number() OVER (ORDER BY p.personal_account) AS sequence, (SELECT -sum(x.a)::bigint FROM unnest(p.amounts) AS x(a)) AS amount
    FROM paid p LEFT JOIN ledger.account_head h ON h.book = 1 AND h.personal_account = p.personal_account),
entries AS (
    INSERT INTO ledger.journal (book, sequence, previous, personal_account, table_version, amount, event_at, recorded_at, value_date,
        bank_day, transit, channel, space, kind, reason, external_id, designation, accounts, amounts, lines)
    SELECT 1, p.sequence, coalesce(p.previous, 0), p.personal_account, 1, p.amount, now(), now(), $2::date, $2::date, 1, 101, 101, 1, 0,
        $1::int || '/' || p.personal_account, '', (2::bigint << 56) || p.accounts, p.amount || p.amounts, 0 || p.lines
    FROM placed p)
INSERT INTO ledger.account_head AS h (book, personal_account, version, last_sequence, digest, valid_until)
SELECT 1, p.personal_account, 1, p.sequence, sha256('bench'), '2099-01-01' FROM placed p
ON CONFLICT ON CONSTRAINT account_head_key DO UPDATE SET version = h.version + 1, last_sequence = excluded.last_sequence

-- name: analyze
-- What autovacuum would have done by now.
ANALYZE reference.charge, ledger.journal, ledger.account_head, housing.account, housing.premises, reference.personal_account

-- name: sizes
-- Bytes with indices of what closings keep.
SELECT c.relname AS name, pg_total_relation_size(c.oid) AS bytes FROM pg_class c
WHERE c.relnamespace = 'saldo'::regnamespace AND c.relkind = 'r' ORDER BY 2 DESC
