-- What only the rows of a file of charges together, or the register, can tell. Each lists the first hundred.

-- name: unknown_accounts
-- Keys that no account has.
SELECT k.line_no, k.name, count(*) OVER () AS found
FROM resolved_key k WHERE k.personal_account IS NULL AND k.matches = 0 ORDER BY k.line_no LIMIT 100

-- name: ambiguous_accounts
-- Keys that several accounts have: two matches are no match (design §4).
SELECT k.line_no, k.name, k.matches, count(*) OVER () AS found
FROM resolved_key k WHERE k.personal_account IS NULL AND k.matches > 1 ORDER BY k.line_no LIMIT 100

-- name: repeats
-- The same line twice in the file.
SELECT r.line_no, r.first_line, count(*) OVER () AS found
FROM (
    SELECT unnest((array_agg(i.line_no ORDER BY i.line_no))[2:]) AS line_no, min(i.line_no) AS first_line
    FROM incoming i
    GROUP BY i.personal_account, i.period, i.local, i.kind, i.pool, i.creditor, i.court_order HAVING count(*) > 1) r
ORDER BY r.line_no LIMIT 100

-- name: published
-- Other amounts or due dates of lines whose creditor has charged a later period already (design §3).
SELECT i.line_no, count(*) OVER () AS found
FROM incoming i
WHERE i.charge_differs AND EXISTS (
    SELECT FROM reference.charge c
    WHERE c.personal_account = i.personal_account AND c.period > i.period AND c.creditor = i.creditor AND c.kind < 3)
ORDER BY i.line_no LIMIT 100

-- name: late_lines
-- New principal in a period of a published account whose creditor has charged a later one: it would move published shares.
SELECT i.line_no, count(*) OVER () AS found
FROM incoming i JOIN balance_of b USING (personal_account)
WHERE i.fate = 0 AND b.published AND i.kind = 0 AND i.court_order = '' AND EXISTS (
    SELECT FROM reference.charge c
    WHERE c.personal_account = i.personal_account AND c.period > i.period AND c.creditor = i.creditor AND c.kind < 3)
ORDER BY i.line_no LIMIT 100

-- name: late_openings
-- Other opening balances of accounts whose table was published: they are entries of the journal by then.
SELECT i.line_no, count(*) OVER () AS found
FROM incoming i JOIN balance_of b USING (personal_account)
WHERE i.opening_differs AND b.published ORDER BY i.line_no LIMIT 100

-- name: uneven_totals
-- Rows of one document that print different totals.
SELECT u.line_no, u.amount, u.first_line, u.first_amount, count(*) OVER () AS found
FROM (
    SELECT i.line_no, i.printed AS amount,
        first_value(i.line_no) OVER document AS first_line, first_value(i.printed) OVER document AS first_amount
    FROM incoming i
        JOIN (SELECT j.personal_account, j.period, j.pool FROM incoming j WHERE j.printed IS NOT NULL
              GROUP BY j.personal_account, j.period, j.pool HAVING min(j.printed) <> max(j.printed)) d
            USING (personal_account, period, pool)
    WHERE i.printed IS NOT NULL
    WINDOW document AS (PARTITION BY i.personal_account, i.period, i.pool ORDER BY i.line_no)) u
WHERE u.amount <> u.first_amount ORDER BY u.line_no LIMIT 100

-- name: published_totals
-- Another printed total for a document after which a later one was loaded.
SELECT f.line_no, f.amount, f.known, count(*) OVER () AS found
FROM (
    SELECT min(i.line_no) AS line_no, min(i.printed) AS amount, t.amount AS known
    FROM incoming i JOIN reference.printed_total t USING (personal_account, period, pool)
    WHERE i.printed <> t.amount AND EXISTS (
        SELECT FROM reference.printed_total n
        WHERE n.personal_account = t.personal_account AND n.pool = t.pool AND n.period > t.period)
    GROUP BY i.personal_account, i.period, i.pool, t.amount) f
ORDER BY f.line_no LIMIT 100

-- name: wrong_totals
-- Documents that print another sum than is unpaid, of accounts without journal entries (with them the builder compares).
-- Principal up to the document's period, less what was paid and advanced; as the builder has it, a document may leave out
-- what is time-barred (ГК 196) or under a court order, and print one sum of the main and the capital repair pool.
WITH limitation AS MATERIALIZED (SELECT l.since, l.before, l.term FROM law.limitation l),
printed AS (
    SELECT i.personal_account, i.period, i.pool, min(i.line_no) AS line_no, min(i.printed) AS amount
    FROM incoming i WHERE i.printed IS NOT NULL AND i.pool < 2 GROUP BY i.personal_account, i.period, i.pool),
unpaid AS (
    SELECT i.personal_account, i.period, i.pool, i.amount - i.paid - i.advance AS open,
        i.court_order <> '' OR coalesce(i.limitation_until, (SELECT (i.due_date + t.term)::date FROM limitation t
            WHERE i.due_date >= t.since AND i.due_date < t.before)) < $1 AS apart
    FROM incoming i WHERE i.kind = 0 AND i.pool < 2
    UNION ALL
    SELECT c.personal_account, c.period, c.pool, c.amount - c.opening_paid - c.opening_advance,
        c.court_order <> '' OR coalesce(c.limitation_until, (SELECT (c.due_date + t.term)::date FROM limitation t
            WHERE c.due_date >= t.since AND c.due_date < t.before)) < $1
    FROM balance_of b JOIN reference.charge c USING (personal_account)
    WHERE c.kind = 0 AND c.pool < 2 AND NOT EXISTS (
        SELECT FROM incoming i WHERE i.fate > 0 AND i.personal_account = c.personal_account AND i.line = c.line)),
months AS (
    SELECT u.personal_account, u.period, u.pool, sum(u.open) AS open, coalesce(sum(u.open) FILTER (WHERE NOT u.apart), 0) AS ordinary
    FROM unpaid u GROUP BY u.personal_account, u.period, u.pool),
sums AS (
    SELECT p.personal_account, p.period, p.pool, p.line_no, p.amount,
        coalesce(sum(m.open) FILTER (WHERE m.pool = p.pool), 0) AS open,
        coalesce(sum(m.ordinary) FILTER (WHERE m.pool = p.pool), 0) AS ordinary,
        coalesce(sum(m.open), 0) AS open_of_both, coalesce(sum(m.ordinary), 0) AS ordinary_of_both
    FROM printed p LEFT JOIN months m ON m.personal_account = p.personal_account AND m.period <= p.period
    GROUP BY p.personal_account, p.period, p.pool, p.line_no, p.amount)
SELECT s.line_no, s.amount, b.name, CASE s.pool WHEN 0 THEN 'main' ELSE 'capital_repair' END AS pool, s.open,
    count(*) OVER () AS found
FROM sums s JOIN balance_of b USING (personal_account)
WHERE NOT b.has_entries AND s.amount NOT IN (s.open, s.ordinary)
    AND NOT (s.pool = 0 AND s.amount IN (s.open_of_both, s.ordinary_of_both) AND NOT EXISTS (
        SELECT FROM printed r WHERE r.personal_account = s.personal_account AND r.period = s.period AND r.pool = 1))
ORDER BY s.line_no LIMIT 100

-- name: overlaps
-- One service of one account, period and pool charged by several recipients, in the file or beside a line of the register.
SELECT o.line_no, b.name, o.service, o.recipients, count(*) OVER () AS found
FROM (
    SELECT i.personal_account, t.service, min(i.line_no) AS line_no, count(DISTINCT t.recipient) AS recipients
    FROM incoming i JOIN staged_payee t USING (local)
    WHERE i.kind = 0 AND t.service IN (SELECT v.service FROM staged_payee v GROUP BY v.service HAVING count(*) > 1)
    GROUP BY i.personal_account, i.period, i.pool, t.service HAVING min(i.local) <> max(i.local)
    UNION ALL
    SELECT i.personal_account, t.service, i.line_no, 2
    FROM incoming i JOIN staged_payee t USING (local)
        JOIN reference.charge c ON c.personal_account = i.personal_account AND c.period = i.period AND c.pool = i.pool AND c.kind = 0
        JOIN reference.payee p ON p.payee = c.payee AND p.service = t.service AND p.recipient <> t.recipient
    WHERE i.fate = 0 AND i.kind = 0) o
    JOIN balance_of b USING (personal_account)
ORDER BY o.line_no LIMIT 100

-- name: due_dates
-- The due dates of the file, each with its first line.
SELECT s.due_date, min(s.line_no) AS line_no, count(*) AS rows FROM staged_charge s GROUP BY s.due_date ORDER BY line_no
