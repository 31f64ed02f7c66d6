-- Checks of a whole run, and its step from draft to checked.

-- name: lock_run
-- The run, for the one who moves it on; waits for the workers that still draft it.
SELECT r.state, r.provider, r.period FROM billing.run r WHERE r.run = $1 FOR UPDATE

-- name: list_unfinished
-- Houses that are not done.
SELECT h.house, h.state, h.reason FROM billing.run_house h WHERE h.run = $1 AND h.state <> 'done' ORDER BY h.house

-- name: control_totals
-- Control totals by service and recipient; of the same accounts, what the newest documents of the month before charged for it.
WITH now AS (
    SELECT t.service, t.recipient, sum(t.lines)::bigint AS lines, sum(t.accounts)::bigint AS accounts, sum(t.amount)::bigint AS amount
    FROM billing.run_terms t WHERE t.run = $1 AND t.lines > 0 GROUP BY t.service, t.recipient),
before AS (
    SELECT l.service, t.recipient, sum(l.amount)::bigint AS amount
    FROM billing.run_account w
        CROSS JOIN LATERAL (SELECT n.run FROM billing.document n
            WHERE n.account = w.account AND n.period = $2 AND n.nth IS NOT NULL ORDER BY n.nth DESC LIMIT 1) d
        CROSS JOIN LATERAL (SELECT x.house, x.services, x.amounts FROM billing.run_account x
            WHERE x.run = d.run AND x.account = w.account LIMIT 1) a
        CROSS JOIN LATERAL unnest(a.services, a.amounts) AS l(service, amount)
        CROSS JOIN LATERAL (SELECT x.recipient FROM billing.run_terms x
            WHERE x.run = d.run AND x.house = a.house AND x.service = l.service LIMIT 1) t
    WHERE w.run = $1 GROUP BY l.service, t.recipient)
SELECT coalesce(n.service, b.service) AS service, p.code AS recipient, coalesce(n.lines, 0) AS lines,
    coalesce(n.accounts, 0) AS accounts, coalesce(n.amount, 0) AS amount, coalesce(b.amount, 0) AS previous
FROM now n FULL JOIN before b ON b.service = n.service AND b.recipient = n.recipient
    JOIN reference.recipient p ON p.recipient = coalesce(n.recipient, b.recipient)
ORDER BY p.code, 1

-- name: sums_of_houses
-- What the houses, their services and the accounts' lines say they came to: the same, or something was lost on the way.
SELECT (SELECT coalesce(sum(h.amount), 0)::bigint FROM billing.run_house h WHERE h.run = $1) AS houses,
    (SELECT coalesce(sum(t.amount), 0)::bigint FROM billing.run_terms t WHERE t.run = $1) AS services,
    (SELECT coalesce(sum(u.amount), 0)::bigint FROM billing.run_account a CROSS JOIN LATERAL unnest(a.amounts) AS u(amount)
        WHERE a.run = $1) AS lines

-- name: house_totals
-- Control totals by house.
SELECT h.house, h.state, h.reason, h.accounts, h.lines, h.amount FROM billing.run_house h WHERE h.run = $1 ORDER BY h.house

-- name: foreign_charges
-- Accounts of the run that have a charge of the period by the same key from elsewhere: it would be replaced.
SELECT a.account, a.house, count(*) AS charges
FROM billing.run_account a
    CROSS JOIN LATERAL (SELECT x.payee, x.creditor, x.pool FROM reference.charge x
        WHERE x.personal_account = a.account AND x.period = $2 AND x.kind = 0 AND x.court_order = '' OFFSET 0) c
    CROSS JOIN LATERAL (SELECT x.recipient, x.service FROM reference.payee x WHERE x.payee = c.payee LIMIT 1) p
    CROSS JOIN LATERAL (SELECT x.recipient, x.creditor, x.pool FROM billing.run_terms x
        WHERE x.run = a.run AND x.house = a.house AND x.service = p.service LIMIT 1) t
    LEFT JOIN LATERAL (SELECT d.run FROM billing.document d
        WHERE d.account = a.account AND d.period = $2 AND d.nth IS NOT NULL LIMIT 1) d ON true
WHERE a.run = $1 AND t.recipient = p.recipient AND t.creditor = c.creditor AND t.pool = c.pool AND d.run IS NULL
GROUP BY a.account, a.house ORDER BY a.account

-- name: add_finding
-- What a check of the whole run found.
INSERT INTO billing.finding (run, house, account, service, name, severity, message) VALUES ($1, $2, $3, $4, $5, $6, $7)

-- name: mark_checked
-- The run is checked; digest: of the digests of its houses in order, that is of all that it was calculated from.
UPDATE billing.run r SET state = 'checked', checked_at = $2, digest = (
    SELECT sha256(string_agg(convert_to(h.house, 'UTF8') || '\x00'::bytea || h.digest, ''::bytea ORDER BY h.house COLLATE "C"))
    FROM billing.run_house h WHERE h.run = r.run)
WHERE r.run = $1 AND r.state = 'draft'

-- name: list_findings
-- What the checks found, gravest first, at most $2.
SELECT f.finding, f.house, p.namespace, p.number, f.service, f.name, f.severity, f.message, f.acknowledged_by, f.why
FROM billing.finding f LEFT JOIN reference.personal_account p ON p.personal_account = f.account
WHERE f.run = $1
ORDER BY array_position(ARRAY['error', 'warning', 'note'], f.severity), f.name, f.house, f.finding LIMIT $2

-- name: count_findings
-- How many of each there are.
SELECT f.severity, f.name, count(*) AS found, count(f.acknowledged_by) AS acknowledged
FROM billing.finding f WHERE f.run = $1 GROUP BY f.severity, f.name
ORDER BY array_position(ARRAY['error', 'warning', 'note'], f.severity), f.name
