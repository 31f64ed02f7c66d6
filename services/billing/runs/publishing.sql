-- Publication: a run's lines folded into charges and documents, chunk by chunk, and what became of each account.

-- name: try_lock
-- One process publishes a run at a time; the lock goes with the connection.
SELECT pg_try_advisory_lock($1, ($2::bigint % 2147483647)::int)

-- name: unlock
-- Others may go on with the run.
SELECT pg_advisory_unlock($1, ($2::bigint % 2147483647)::int)

-- name: begin
-- An approved run begins to be published; its due date is fixed.
UPDATE billing.run SET state = 'publishing', due_on = $2 WHERE run = $1 AND state = 'approved'

-- name: finish
-- Every account was dealt with.
UPDATE billing.run SET state = 'published', published_at = $2 WHERE run = $1 AND state = 'publishing'

-- name: list_pending
-- Accounts after $2 that are not published yet, at most $3; is_charged: the document stands, its table is to come.
SELECT a.account, coalesce(d.state = 'charged', false) AS is_charged
FROM billing.run_account a LEFT JOIN billing.document d USING (run, account)
WHERE a.run = $1 AND a.account > $2 AND (d.run IS NULL OR d.state IN ('charged', 'parked'))
ORDER BY a.account LIMIT $3

-- name: list_bounds
-- The last of every $2 accounts of a run, and of what remains.
SELECT p.account FROM (
    SELECT a.account, row_number() OVER (ORDER BY a.account) AS nth, lead(a.account) OVER (ORDER BY a.account) AS next
    FROM billing.run_account a WHERE a.run = $1) p
WHERE p.nth % $2 = 0 OR p.next IS NULL ORDER BY p.account

-- name: list_documents
-- Accounts of a run after $2 up to $3 that have a document.
SELECT d.account FROM billing.document d WHERE d.run = $1 AND d.account > $2 AND d.account <= $3 AND d.nth IS NOT NULL

-- name: count_pending
-- Accounts that are not published yet.
SELECT count(*) FROM billing.run_account a LEFT JOIN billing.document d USING (run, account)
WHERE a.run = $1 AND (d.run IS NULL OR d.state IN ('charged', 'parked'))

-- name: fold
-- Lines by account, payee, creditor and pool. What an earlier run of the period charged and this one does not comes to nought.
-- Every look-up is LATERAL, by the whole key: a join planned before anything is known of a fresh run reads it from end to end.
CREATE TEMP TABLE folded ON COMMIT DROP AS
WITH charged AS (
    SELECT $1::bigint AS run, w.account, true AS is_now FROM unnest($2::bigint[]) AS w(account)
    UNION ALL
    SELECT d.run, w.account, false FROM unnest($2::bigint[]) AS w(account)
        CROSS JOIN LATERAL (SELECT o.run FROM billing.document o
            WHERE o.account = w.account AND o.period = $3 AND o.run < $1 AND o.nth IS NOT NULL OFFSET 0) d),
services AS (
    SELECT c.run, c.account, c.is_now, a.house, l.service, sum(l.amount)::bigint AS amount
    FROM charged c
        CROSS JOIN LATERAL (SELECT x.house, x.services, x.amounts FROM billing.run_account x
            WHERE x.run = c.run AND x.account = c.account LIMIT 1) a
        CROSS JOIN LATERAL unnest(a.services, a.amounts) AS l(service, amount)
    GROUP BY c.run, c.account, c.is_now, a.house, l.service)
SELECT s.account, t.recipient, s.service, t.creditor, t.pool, coalesce(sum(s.amount) FILTER (WHERE s.is_now), 0)::bigint AS amount
FROM services s
    CROSS JOIN LATERAL (SELECT x.recipient, x.creditor, x.pool FROM billing.run_terms x
        WHERE x.run = s.run AND x.house = s.house AND x.service = s.service LIMIT 1) t
GROUP BY s.account, t.recipient, s.service, t.creditor, t.pool

-- name: sums_of_fold
-- What was folded, and what the lines come to: the same.
SELECT (SELECT coalesce(sum(f.amount), 0)::bigint FROM folded f) AS folded,
    (SELECT coalesce(sum(u.amount), 0)::bigint FROM billing.run_account a CROSS JOIN LATERAL unnest(a.amounts) AS u(amount)
        WHERE a.run = $1 AND a.account = ANY($2::bigint[])) AS lines

-- name: stage_accounts
-- The accounts of the chunk; services/reference/charge_rows.py says what is staged.
INSERT INTO pg_temp.resolved_key (key, line_no, name, personal_account, matches)
SELECT u.key, 0, '', u.account, 1 FROM unnest($1::bigint[]) WITH ORDINALITY AS u(account, key)

-- name: stage_payees
-- Who is paid for what.
INSERT INTO pg_temp.staged_payee (local, recipient, service)
SELECT row_number() OVER (ORDER BY f.recipient, f.service), f.recipient, f.service
FROM (SELECT DISTINCT x.recipient, x.service FROM folded x) f

-- name: stage_charges
-- One row an account, payee, creditor and pool, of the run's period. What is charged again is due when it was first: ЖК 155 ч. 1 counts
-- from the month, and a recalculation must not move the days of what it does not change.
INSERT INTO pg_temp.staged_charge (line_no, key, creditor, period, local, kind, pool, amount, due_date, limitation_until,
    court_order, paid, advance, holder, printed)
SELECT row_number() OVER (ORDER BY k.key, f.recipient, f.service, f.pool), k.key, f.creditor, $1, p.local, 0, f.pool, f.amount,
    coalesce((SELECT d.due_on FROM billing.document d WHERE d.account = f.account AND d.period = $1 AND d.nth = 1), $2),
    NULL, '', 0, 0, '', NULL
FROM folded f JOIN pg_temp.resolved_key k ON k.personal_account = f.account
    JOIN pg_temp.staged_payee p ON p.recipient = f.recipient AND p.service = f.service

-- name: list_documented
-- Accounts of the chunk that get a document: charged by a month's run, changed by any, or with a document of this run already.
SELECT f.account FROM folded f WHERE $3 = 'month'
UNION SELECT u.account FROM unnest($4::bigint[]) AS u(account)
UNION SELECT d.account FROM billing.document d WHERE d.run = $1 AND d.account = ANY($2::bigint[]) AND d.nth IS NOT NULL

-- name: leave_unchanged
-- Accounts that this run changes nothing of.
INSERT INTO billing.document (run, account, period, state, due_on, issued_on)
SELECT r.run, u.account, r.period, 'unchanged', r.due_on, $3 FROM billing.run r CROSS JOIN unnest($2::bigint[]) AS u(account)
WHERE r.run = $1
ON CONFLICT ON CONSTRAINT document_key DO UPDATE SET state = 'unchanged', reason = ''

-- name: park
-- Accounts that cannot be published, with the reason.
INSERT INTO billing.document AS d (run, account, period, state, reason, due_on, issued_on)
SELECT r.run, u.account, r.period, 'parked', u.reason, r.due_on, $4
FROM billing.run r CROSS JOIN unnest($2::bigint[], $3::text[]) AS u(account, reason) WHERE r.run = $1
ON CONFLICT ON CONSTRAINT document_key DO UPDATE SET state = 'parked', reason = excluded.reason

-- name: make_paid
-- What the journal credits to each line, as it was read; opening: lines up to this one have their opening balance in the journal.
CREATE TEMP TABLE paid_line (account bigint, line int, paid bigint, opening int) ON COMMIT DROP

-- name: analyze_paid
-- The planner must know how much was read.
ANALYZE paid_line

-- name: make_documents
-- What each account's document prints: principal of each pool that is credited without being named, less what was paid, and of the
-- main pool less advances (docs/crediting.md). A pool of capital repair that was never charged is not printed.
WITH limitation AS MATERIALIZED (SELECT l.since, l.before, l.term FROM law.limitation l),
opened AS (
    SELECT p.account, max(p.opening) AS until FROM paid_line p GROUP BY p.account),
line AS (
    SELECT c.personal_account AS account, c.kind, c.pool, c.period, c.amount, coalesce(p.paid, 0) AS paid,
        CASE WHEN c.line > coalesce(o.until, 0) THEN c.opening_paid ELSE 0 END AS pending,
        CASE WHEN c.line > coalesce(o.until, 0) THEN c.opening_advance ELSE 0 END AS pending_advance,
        c.court_order <> '' OR coalesce(c.limitation_until, (SELECT (c.due_date + t.term)::date FROM limitation t
            WHERE c.due_date >= t.since AND c.due_date < t.before)) < $3::date AS apart
    FROM unnest($2::bigint[]) AS w(account) JOIN reference.charge c ON c.personal_account = w.account
        LEFT JOIN paid_line p ON p.account = c.personal_account AND p.line = c.line
        LEFT JOIN opened o ON o.account = c.personal_account),
sums AS (
    SELECT l.account,
        coalesce(sum(l.amount) FILTER (WHERE l.kind = 0 AND l.pool = 0 AND l.period = r.period), 0)::bigint AS charged_main,
        coalesce(sum(l.amount) FILTER (WHERE l.kind = 0 AND l.pool = 1 AND l.period = r.period), 0)::bigint AS charged_repair,
        (coalesce(sum(l.amount - l.paid - l.pending) FILTER (WHERE l.kind = 0 AND l.pool = 0 AND NOT l.apart), 0)
            - coalesce(sum(l.paid) FILTER (WHERE l.kind = 3), 0) - sum(l.pending_advance))::bigint AS main,
        CASE WHEN count(*) FILTER (WHERE l.kind = 0 AND l.pool = 1) > 0 THEN
            coalesce(sum(l.amount - l.paid - l.pending) FILTER (WHERE l.kind = 0 AND l.pool = 1 AND NOT l.apart), 0)::bigint
        END AS capital_repair
    FROM line l CROSS JOIN (SELECT period FROM billing.run WHERE run = $1) r GROUP BY l.account)
INSERT INTO billing.document AS d (run, account, period, state, nth, number, charged_main, charged_repair, main, capital_repair,
    due_on, issued_on)
SELECT r.run, s.account, r.period, 'charged', n.nth, p.number || '-' || r.period || CASE WHEN n.nth > 1 THEN '/' || n.nth ELSE '' END,
    s.charged_main, s.charged_repair, s.main, s.capital_repair, coalesce(n.first_due_on, r.due_on), $3
FROM sums s JOIN billing.run r ON r.run = $1 JOIN reference.personal_account p ON p.personal_account = s.account
    CROSS JOIN LATERAL (SELECT coalesce(max(o.nth), 0) + 1 AS nth, min(o.due_on) FILTER (WHERE o.nth = 1) AS first_due_on
        FROM billing.document o
        WHERE o.account = s.account AND o.period = r.period AND o.run <> r.run) n
ON CONFLICT ON CONSTRAINT document_key DO UPDATE SET state = 'charged', reason = '', nth = coalesce(d.nth, excluded.nth),
    number = coalesce(d.number, excluded.number), charged_main = excluded.charged_main, charged_repair = excluded.charged_repair,
    main = excluded.main, capital_repair = excluded.capital_repair, issued_on = excluded.issued_on
    WHERE d.state <> 'published'
RETURNING d.account, d.main, d.capital_repair

-- name: list_printed
-- What documents of a run print at present.
SELECT d.account, d.main, d.capital_repair FROM billing.document d WHERE d.run = $1 AND d.account = ANY($2::bigint[])

-- name: list_bases
-- The newest table of each account that was published, by $3 or, where that is empty, by anybody.
SELECT w.account, b.version, b.content
FROM unnest($2::bigint[]) AS w(account)
    CROSS JOIN LATERAL (SELECT o.version, o.content FROM ledger.base_table o
        WHERE o.book = $1 AND o.personal_account = w.account AND $3::text IN ('', o.published_by) ORDER BY o.version DESC LIMIT 1) b

-- name: note_tables
-- What the published tables come to, by account.
UPDATE billing.document d SET book = u.book, version = u.version, table_main = u.main, table_repair = u.repair
FROM unnest($2::bigint[], $3::smallint[], $4::bigint[], $5::bigint[], $6::bigint[]) AS u(account, book, version, main, repair)
WHERE d.run = $1 AND d.account = u.account AND d.state = 'charged'

-- name: mark_published
-- Documents whose tables say what they print.
UPDATE billing.document d SET state = 'published' WHERE d.run = $1 AND d.account = ANY($2::bigint[]) AND d.state = 'charged'

-- name: count_states
-- How the accounts of a run ended.
SELECT d.state, count(*) AS accounts FROM billing.document d WHERE d.run = $1 GROUP BY d.state

-- name: list_parked
-- Accounts that could not be published, at most $2.
SELECT p.namespace, p.number, d.reason FROM billing.document d JOIN reference.personal_account p ON p.personal_account = d.account
WHERE d.run = $1 AND d.state = 'parked' ORDER BY d.account LIMIT $2
