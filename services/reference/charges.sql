-- Charges from a staged file: found accounts, matched lines, writing.

-- name: make_staging
-- key: a run of rows of one account; local: a (recipient, service) of the file.
CREATE TEMP TABLE staged_key (key int, line_no int, namespace text, number text, els text);
CREATE TEMP TABLE staged_payee (local int, recipient int, service text);
CREATE TEMP TABLE staged_charge (
    line_no int, key int, creditor int, period int, local int, kind smallint, pool smallint, amount bigint, due_date date,
    limitation_until date, court_order text, paid bigint, advance bigint, holder text, printed bigint)

-- name: list_recipients
-- Numbers of the recipients by code.
SELECT code, recipient FROM reference.recipient

-- name: analyze
-- The planner must know how much was staged.
ANALYZE staged_key, staged_payee, staged_charge

-- name: resolve_accounts
-- The account of every key: its own number, else the one account that has the name today; matches counts the latter.
CREATE TEMP TABLE resolved_key AS
SELECT k.key, k.line_no, CASE WHEN k.els <> '' THEN 'els:' || k.els ELSE k.namespace || ':' || k.number END AS name,
    coalesce(a.personal_account, n.personal_account) AS personal_account, coalesce(n.matches, 0) AS matches
FROM staged_key k
    LEFT JOIN reference.personal_account a ON k.els = '' AND a.namespace = k.namespace AND a.number = k.number
    LEFT JOIN LATERAL (
        SELECT count(DISTINCT l.personal_account) AS matches,
            CASE WHEN count(DISTINCT l.personal_account) = 1 THEN min(l.personal_account) END AS personal_account
        FROM reference.alias l
        WHERE a.personal_account IS NULL
            AND l.namespace = CASE WHEN k.els <> '' THEN 'els' ELSE k.namespace END
            AND l.number = CASE WHEN k.els <> '' THEN k.els ELSE k.number END
            AND l.valid_from <= $1 AND (l.valid_to IS NULL OR l.valid_to >= $1)) n ON true

-- name: analyze_resolved
-- The planner must know how many accounts were found.
ANALYZE resolved_key

-- name: match
-- Rows with their account, payee and, where the register has the line, what it holds; fate: 0 new, 1 unchanged, 2 changed.
CREATE TEMP TABLE incoming AS
SELECT s.line_no, r.personal_account, s.creditor, s.period, s.local, s.kind, s.pool, s.amount, s.due_date, s.limitation_until,
    s.court_order, s.paid, s.advance, s.holder, s.printed, c.line,
    coalesce(c.amount - c.opening_paid - c.opening_advance, 0) AS known_open,
    c.line IS NOT NULL AND (c.amount, c.due_date) IS DISTINCT FROM (s.amount, s.due_date) AS charge_differs,
    c.line IS NOT NULL AND (c.opening_paid, c.opening_advance, c.opening_holder) IS DISTINCT FROM (s.paid, s.advance, s.holder)
        AS opening_differs,
    CASE WHEN c.line IS NULL THEN 0
        WHEN (c.amount, c.due_date, c.limitation_until, c.opening_paid, c.opening_advance, c.opening_holder) IS DISTINCT FROM
            (s.amount, s.due_date, s.limitation_until, s.paid, s.advance, s.holder) THEN 2
        ELSE 1 END AS fate
FROM staged_charge s JOIN resolved_key r USING (key) JOIN staged_payee t USING (local)
    LEFT JOIN reference.payee p ON p.recipient = t.recipient AND p.service = t.service
    LEFT JOIN reference.charge c ON c.personal_account = r.personal_account AND c.period = s.period AND c.payee = p.payee
        AND c.kind = s.kind AND c.pool = s.pool AND c.creditor = s.creditor AND c.court_order = s.court_order
WHERE r.personal_account IS NOT NULL

-- name: analyze_matched
-- The planner must know how many rows were matched.
ANALYZE incoming

-- name: balances
-- Every account of the file once: whether a table of it was ever published, whether it has journal entries.
CREATE TEMP TABLE balance_of AS
SELECT d.personal_account, d.name,
    h.personal_account IS NOT NULL AS published, coalesce(h.last_sequence, 0) > 0 AS has_entries
FROM (SELECT r.personal_account, min(r.name) AS name FROM resolved_key r WHERE r.personal_account IS NOT NULL
      GROUP BY r.personal_account) d
    LEFT JOIN ledger.account_head h ON h.personal_account = d.personal_account;
ANALYZE balance_of

-- name: control_totals
-- What the file holds, by recipient and pool.
SELECT r.code, g.pool, g.rows, g.amount, g.paid, g.advance
FROM (
    SELECT t.recipient, s.pool, sum(s.rows)::bigint AS rows, sum(s.amount) AS amount, sum(s.paid) AS paid, sum(s.advance) AS advance
    FROM (SELECT c.local, c.pool, count(*) AS rows, sum(c.amount) AS amount, sum(c.paid) AS paid, sum(c.advance) AS advance
          FROM staged_charge c GROUP BY c.local, c.pool) s JOIN staged_payee t USING (local)
    GROUP BY t.recipient, s.pool) g
    JOIN reference.recipient r USING (recipient)
ORDER BY r.code, g.pool

-- name: add_payees
-- Pairs of recipient and service that are met for the first time.
INSERT INTO reference.payee (recipient, service)
SELECT t.recipient, t.service FROM staged_payee t ORDER BY t.local ON CONFLICT ON CONSTRAINT payee_once DO NOTHING

-- name: keep_lines
-- Nobody else numbers lines until the end: the builder, which adds advance lines outside its transactions, waits.
LOCK TABLE reference.charge IN SHARE ROW EXCLUSIVE MODE

-- name: add_charges
-- New lines, numbered after the account's last one in the order of the file.
INSERT INTO reference.charge (personal_account, line, creditor, period, payee, kind, pool, amount, due_date, limitation_until,
    court_order, opening_paid, opening_advance, opening_holder)
SELECT i.personal_account, b.last_line + row_number() OVER (PARTITION BY i.personal_account ORDER BY i.line_no), i.creditor,
    i.period, p.payee, i.kind, i.pool, i.amount, i.due_date, i.limitation_until, i.court_order, i.paid, i.advance, i.holder
FROM incoming i JOIN staged_payee t USING (local)
    JOIN reference.payee p ON p.recipient = t.recipient AND p.service = t.service
    JOIN (SELECT a.personal_account, coalesce((SELECT c.line FROM reference.charge c
              WHERE c.personal_account = a.personal_account ORDER BY c.line DESC LIMIT 1), 0) AS last_line
          FROM balance_of a) b USING (personal_account)
WHERE i.fate = 0

-- name: change_charges
-- Lines of open periods, and limitation periods that run anew (ГК 203).
UPDATE reference.charge c
SET amount = i.amount, due_date = i.due_date, limitation_until = i.limitation_until,
    opening_paid = i.paid, opening_advance = i.advance, opening_holder = i.holder
FROM incoming i WHERE i.fate = 2 AND c.personal_account = i.personal_account AND c.line = i.line

-- name: store_printed_totals
-- Sums printed by the documents, where they are new or differ.
INSERT INTO reference.printed_total AS t (personal_account, period, pool, amount)
SELECT i.personal_account, i.period, i.pool, min(i.printed)
FROM incoming i WHERE i.printed IS NOT NULL GROUP BY i.personal_account, i.period, i.pool
ON CONFLICT ON CONSTRAINT printed_total_key DO UPDATE SET amount = excluded.amount WHERE t.amount <> excluded.amount

-- name: mark_touched
-- Tables to be built again: lines that are new or differ, and documents that print another total.
INSERT INTO reference.table_due (personal_account)
SELECT i.personal_account FROM incoming i WHERE i.fate <> 1
UNION
SELECT i.personal_account FROM incoming i LEFT JOIN reference.printed_total t USING (personal_account, period, pool)
WHERE i.fate = 1 AND i.printed IS NOT NULL AND t.amount IS DISTINCT FROM i.printed
ON CONFLICT (personal_account) DO UPDATE SET since = excluded.since

-- name: count_changes
-- Rows by fate.
SELECT count(*) FILTER (WHERE i.fate = 0) AS added, count(*) FILTER (WHERE i.fate = 2) AS changed FROM incoming i
