-- What the bench of allocation tables needs beside the program's own statements; run as the owner.

-- name: recipients
-- Eight recipients with a service each, and one transit account with an open day.
WITH made AS (
    INSERT INTO reference.recipient (code, kind, name, inn, kpp)
    SELECT 'R' || n, 'supplier', 'R' || n, '', '' FROM generate_series(1, 8) n RETURNING recipient),
payees AS (INSERT INTO reference.payee (recipient, service) SELECT recipient, 'service' FROM made),
transit AS (
    INSERT INTO reference.transit_account (account, bic, title) VALUES ('40911810000000000001', '044525225', 'T') RETURNING transit)
INSERT INTO ledger.bank_day (transit, open_day) SELECT transit, '2026-11-24' FROM transit;

-- name: accounts
-- Accounts with two names each.
WITH made AS (
    INSERT INTO reference.personal_account (namespace, number, state, payer_kind, provider)
    SELECT 'uo-severnaya', (7700000000 + n)::text, 0, 0, 1 FROM generate_series(1, $1::int) n RETURNING personal_account, number)
INSERT INTO reference.alias (namespace, number, personal_account)
SELECT 'uo-severnaya', number, personal_account FROM made
UNION ALL SELECT 'els', '50АА' || number, personal_account FROM made;

-- name: charges
-- One document of seven main lines and capital repair for every account.
INSERT INTO reference.charge (personal_account, line, creditor, period, payee, kind, pool, amount, due_date)
SELECT a.personal_account, n, CASE n WHEN 8 THEN 8 ELSE 1 END, 202610, n, 0, CASE n WHEN 8 THEN 1 ELSE 0 END,
    1000 + (a.personal_account * 7919 + n * 104729) % 300000, '2026-11-15'
FROM reference.personal_account a CROSS JOIN generate_series(1, 8) n;

-- name: analyze
-- What autovacuum would have done by now.
ANALYZE reference.personal_account, reference.alias, reference.charge, ledger.account_head, ledger.base_table, ledger.journal;

-- name: add_entries
-- $2 entries of eight postings for each of the first $1 accounts, month by month, as payments of years would stand.
WITH last AS (SELECT coalesce(max(sequence), 0) AS sequence FROM ledger.journal WHERE book = 1),
made AS (
    SELECT l.sequence + row_number() OVER (ORDER BY turn, a) AS sequence, a, turn
    FROM last l, generate_series(1, $2::int) turn, generate_series(1, $1::int) a),
linked AS (SELECT m.*, coalesce(lag(m.sequence) OVER (PARTITION BY a ORDER BY m.sequence), 0) AS previous FROM made m)
INSERT INTO ledger.journal (book, sequence, previous, personal_account, table_version, amount, event_at, recorded_at, value_date,
    bank_day, transit, channel, space, kind, reason, external_id, designation, accounts, amounts, lines)
SELECT 1, m.sequence, m.previous, m.a, m.turn, 700, now(), now(), current_date, current_date, 1, 101, 101, 1, 0,
    'bench-' || m.sequence, '', ARRAY[1, 2, 3, 4, 5, 6, 7, 8]::bigint[], ARRAY[700, -100, -100, -100, -100, -100, -100, -100]::bigint[],
    ARRAY[0, 1, 2, 3, 4, 5, 6, 7] FROM linked m ORDER BY m.sequence;

-- name: link_heads
-- Points the heads at their last entries, with a digest that the bench knows.
UPDATE ledger.account_head h SET last_sequence = j.sequence, version = j.version, digest = $1
FROM (SELECT personal_account, max(sequence) AS sequence, max(table_version) + 1 AS version FROM ledger.journal GROUP BY 1) j
WHERE h.book = 1 AND h.personal_account = j.personal_account;

-- name: add_index
-- The other way to find an account's entries.
CREATE INDEX journal_of_account ON ledger.journal (personal_account, sequence) WHERE personal_account IS NOT NULL;

-- name: index_bytes
-- Size of that index and of the journal.
SELECT pg_relation_size('ledger.journal_of_account') AS index, pg_relation_size('ledger.journal') AS journal,
    (SELECT count(*) FROM ledger.journal) AS entries;

-- name: list_paid_by_index
-- What list_paid gives, found by the index.
SELECT j.personal_account, p.line, (-sum(p.amount))::bigint AS paid
FROM unnest($2::bigint[]) AS wanted(personal_account)
    CROSS JOIN LATERAL (SELECT e.personal_account, e.lines, e.amounts FROM ledger.journal e
        WHERE e.personal_account = wanted.personal_account AND e.book = $1) j
    CROSS JOIN LATERAL unnest(j.lines, j.amounts) AS p(line, amount)
WHERE p.line <> 0 GROUP BY j.personal_account, p.line;

-- name: forget_stored
-- Begins each measurement with what is stored, not with what waits to be written.
CHECKPOINT;
