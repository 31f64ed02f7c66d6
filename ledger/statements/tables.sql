-- Allocation tables: what they are built from, how they are published, how the one at the head is rebuilt (design W6).

-- name: prefer_indexes
-- Makes this transaction read by keys only, by plans made once: one made on an empty ledger would otherwise keep scanning.
SELECT set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
    set_config('enable_mergejoin', 'off', true), set_config('jit', 'off', true),
    set_config('plan_cache_mode', 'force_generic_plan', true);

-- name: fetch_register
-- The number, code and contract options of every recipient.
SELECT recipient, code, advance_rule, per_service_payment, costs_first FROM reference.recipient;

-- name: fetch_payees
-- Every (recipient, service) pair and its number.
SELECT p.payee, p.recipient, p.service FROM reference.payee p;

-- name: list_limitation
-- The general terms of limitation by the day from which a debt is due, ascending (ГК 196 п. 1).
SELECT f.valid_from, (f.figures ->> 'years')::int AS years FROM law.in_force f
WHERE f.table_name = 'limitation' AND f.key = '' AND f.region = '' AND NOT f.ends ORDER BY f.valid_from;

-- name: add_advance_payees
-- Gives each provider that takes advances to one line the payee of that line.
INSERT INTO reference.payee (recipient, service)
SELECT r.recipient, $1 FROM reference.recipient r
WHERE r.advance_rule = 1 AND NOT EXISTS (SELECT FROM reference.payee p WHERE p.recipient = r.recipient AND p.service = $1)
ON CONFLICT DO NOTHING;

-- name: fetch_first_transit
-- The lowest transit account: opening entries are rows of it when none is named.
SELECT min(transit) FROM ledger.bank_day;

-- name: list_names
-- The principal name of each account, by which its book of so many is found.
SELECT a.personal_account, a.namespace, a.number, (SELECT i.books FROM ledger.incarnation i) AS books
FROM unnest($1::bigint[]) AS wanted(personal_account)
    CROSS JOIN LATERAL (SELECT * FROM reference.personal_account p
        WHERE p.personal_account = wanted.personal_account LIMIT 1) a;

-- name: list_accounts
-- Each account of one book with its names, printed totals, head, newest published content and place among the due.
SELECT a.personal_account, a.namespace, a.number, a.state, a.payer_kind, a.provider, a.time_zone,
    coalesce(h.version, 0) AS version, h.digest, b.content, d.since AS due_since,
    n.namespaces, n.numbers, n.valid_from, n.valid_to, t.periods, t.pools, t.amounts
FROM unnest($2::bigint[]) AS wanted(personal_account)
    CROSS JOIN LATERAL (SELECT * FROM reference.personal_account p
        WHERE p.personal_account = wanted.personal_account LIMIT 1) a
    LEFT JOIN LATERAL (SELECT k.version, k.digest FROM ledger.account_head k
        WHERE k.book = $1 AND k.personal_account = a.personal_account LIMIT 1) h ON true
    LEFT JOIN LATERAL (SELECT q.since FROM reference.table_due q WHERE q.personal_account = a.personal_account LIMIT 1) d ON true
    LEFT JOIN LATERAL (SELECT o.content FROM ledger.base_table o
        WHERE o.book = $1 AND o.personal_account = a.personal_account ORDER BY o.version DESC LIMIT 1) b ON true
    CROSS JOIN LATERAL (SELECT array_agg(l.namespace) AS namespaces, array_agg(l.number) AS numbers,
        array_agg(l.valid_from) AS valid_from, array_agg(l.valid_to) AS valid_to
        FROM reference.alias l WHERE l.personal_account = a.personal_account) n
    CROSS JOIN LATERAL (SELECT array_agg(p.period) AS periods, array_agg(p.pool) AS pools, array_agg(p.amount) AS amounts
        FROM reference.printed_total p WHERE p.personal_account = a.personal_account) t;

-- name: list_charges
-- Every charge of each account, by line.
SELECT c.personal_account, c.line, c.creditor, c.period, c.payee, c.kind, c.pool, c.amount, c.due_date, c.limitation_until,
    c.court_order, c.opening_paid, c.opening_advance, c.opening_holder
FROM unnest($1::bigint[]) AS wanted(personal_account)
    CROSS JOIN LATERAL (SELECT * FROM reference.charge f WHERE f.personal_account = wanted.personal_account) c
ORDER BY c.personal_account, c.line;

-- name: list_paid
-- What the journal credits to each line of each account, along the account's chain of entries from its head back.
-- LIMIT 1 keeps each step a look-up by the whole key: a join planned on an empty ledger reads a whole book instead.
-- opening is the highest line of the opening entry a posting stands in, 0 in any other entry.
WITH RECURSIVE chain AS (
    SELECT h.personal_account, j.previous, j.lines, j.amounts, j.space, j.external_id
    FROM unnest($2::bigint[]) AS wanted(personal_account)
        CROSS JOIN LATERAL (SELECT * FROM ledger.account_head k
            WHERE k.book = $1 AND k.personal_account = wanted.personal_account LIMIT 1) h
        CROSS JOIN LATERAL (SELECT * FROM ledger.journal e WHERE e.book = $1 AND e.sequence = h.last_sequence LIMIT 1) j
    UNION ALL
    SELECT c.personal_account, j.previous, j.lines, j.amounts, j.space, j.external_id
    FROM chain c
        CROSS JOIN LATERAL (SELECT * FROM ledger.journal e WHERE e.book = $1 AND e.sequence = c.previous LIMIT 1) j)
SELECT c.personal_account, p.line, (-sum(p.amount))::bigint AS paid,
    max(CASE WHEN c.space = 2 THEN split_part(c.external_id, '-', 2)::int ELSE 0 END) AS opening
FROM chain c CROSS JOIN LATERAL unnest(c.lines, c.amounts) AS p(line, amount)
WHERE p.line <> 0
GROUP BY c.personal_account, p.line;

-- name: add_advance_lines
-- Adds advance lines (kind 3) after the last line of each account; one that a load has taken meanwhile is left out.
INSERT INTO reference.charge (personal_account, line, creditor, period, payee, kind, pool, amount, due_date)
SELECT w.personal_account,
    (SELECT coalesce(max(c.line), 0) FROM reference.charge c WHERE c.personal_account = w.personal_account)
        + row_number() OVER (PARTITION BY w.personal_account ORDER BY w.place),
    w.creditor, 0, w.payee, 3, 0, 0, w.due_date
FROM unnest($1::bigint[], $2::int[], $3::int[], $4::date[]) WITH ORDINALITY AS w(personal_account, creditor, payee, due_date, place)
ON CONFLICT DO NOTHING
RETURNING personal_account, line, creditor, period, payee, kind, pool, amount, due_date, limitation_until,
    court_order, opening_paid, opening_advance, opening_holder;

-- name: publish
-- The builders' door.
SELECT ord, status, version FROM ledger.publish($1, $2, $3, $4, $5, $6);

-- name: delete_due
-- Forgets that these accounts are due, unless a load has marked them again since or is marking them now.
DELETE FROM reference.table_due d USING (
    SELECT q.personal_account FROM reference.table_due q
        JOIN unnest($1::bigint[], $2::timestamptz[]) AS w(personal_account, since)
            ON w.personal_account = q.personal_account AND w.since = q.since
    ORDER BY q.personal_account FOR UPDATE OF q SKIP LOCKED) taken
WHERE d.personal_account = taken.personal_account;

-- name: list_due
-- Accounts after $1 that a load changed or whose table ends before $2, in ascending order, at most $3.
SELECT x.personal_account FROM (
    SELECT d.personal_account FROM reference.table_due d WHERE d.personal_account > $1
    UNION
    SELECT h.personal_account FROM ledger.account_head h WHERE h.valid_until < $2 AND h.personal_account > $1) x
ORDER BY x.personal_account LIMIT $3;

-- name: list_all
-- Accounts after $1 in ascending order, at most $3; $2 is not used.
SELECT a.personal_account FROM reference.personal_account a WHERE a.personal_account > $1 AND $2::timestamptz IS NOT NULL
ORDER BY a.personal_account LIMIT $3;

-- name: count_due
-- How many accounts list_due gives in all.
SELECT count(*) FROM (SELECT d.personal_account FROM reference.table_due d
    UNION SELECT h.personal_account FROM ledger.account_head h WHERE h.valid_until < $1) x;

-- name: count_all
-- How many accounts list_all gives in all; $1 is not used.
SELECT count(*) FROM reference.personal_account WHERE $1::timestamptz IS NOT NULL;

-- name: find_account
-- The account with this principal name.
SELECT personal_account FROM reference.personal_account WHERE namespace = $1 AND number = $2;

-- name: resolve_names
-- Which accounts each outside name means today, with their principal names and the number of books.
SELECT w.place::int AS place, a.personal_account, a.namespace, a.number, (SELECT i.books FROM ledger.incarnation i) AS books
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w(namespace, number, place)
    CROSS JOIN LATERAL (SELECT DISTINCT l.personal_account FROM reference.alias l
        WHERE l.namespace = w.namespace AND l.number = w.number
            AND l.valid_from <= $3::date AND (l.valid_to IS NULL OR l.valid_to >= $3::date)) m
    CROSS JOIN LATERAL (SELECT * FROM reference.personal_account p WHERE p.personal_account = m.personal_account LIMIT 1) a
ORDER BY w.place, a.personal_account;

-- name: list_heads
-- Each account's head with its newest base table and the postings of its entries since, oldest entry first. One snapshot.
WITH RECURSIVE heads AS MATERIALIZED (
    SELECT h.book, h.personal_account, h.version, h.last_sequence, h.digest, b.version AS base_version, b.content
    FROM unnest($1::smallint[], $2::bigint[]) AS w(book, personal_account)
        CROSS JOIN LATERAL (SELECT * FROM ledger.account_head k
            WHERE k.book = w.book AND k.personal_account = w.personal_account LIMIT 1) h
        CROSS JOIN LATERAL (SELECT o.version, o.content FROM ledger.base_table o
            WHERE o.book = h.book AND o.personal_account = h.personal_account AND o.version <= h.version
            ORDER BY o.version DESC LIMIT 1) b),
chain AS (
    SELECT h.book, h.personal_account, h.base_version, j.previous, j.table_version, j.lines, j.amounts
    FROM heads h
        CROSS JOIN LATERAL (SELECT * FROM ledger.journal e WHERE e.book = h.book AND e.sequence = h.last_sequence LIMIT 1) j
    WHERE h.version > h.base_version AND j.table_version >= h.base_version
    UNION ALL
    SELECT c.book, c.personal_account, c.base_version, j.previous, j.table_version, j.lines, j.amounts
    FROM chain c CROSS JOIN LATERAL (SELECT * FROM ledger.journal e WHERE e.book = c.book AND e.sequence = c.previous LIMIT 1) j
    WHERE j.table_version >= c.base_version),
since AS (
    SELECT c.book, c.personal_account, array_agg(c.table_version ORDER BY c.table_version, p.place) AS versions,
        array_agg(p.line ORDER BY c.table_version, p.place) AS lines,
        array_agg(p.amount ORDER BY c.table_version, p.place) AS amounts
    FROM chain c CROSS JOIN LATERAL unnest(c.lines, c.amounts) WITH ORDINALITY AS p(line, amount, place)
    GROUP BY c.book, c.personal_account)
SELECT h.personal_account, h.version, h.digest, h.content, s.versions, s.lines, s.amounts
FROM heads h LEFT JOIN since s ON s.book = h.book AND s.personal_account = h.personal_account;
