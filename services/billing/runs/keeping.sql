-- Runs and months: begun, moved on, dropped, closed.

-- name: find_provider
-- A recipient's number by its code.
SELECT recipient FROM reference.recipient WHERE code = $1

-- name: list_providers
-- Providers that have houses in a period, by its first day ($1).
SELECT DISTINCT r.code
FROM housing.house h
    CROSS JOIN LATERAL (SELECT t.provider, t.state FROM housing.live_house_terms t
        WHERE t.house = h.house AND t.valid_from <= $1 ORDER BY t.valid_from DESC LIMIT 1) t
    JOIN reference.recipient r ON r.recipient = t.provider
WHERE t.state = 0 ORDER BY r.code

-- name: begin_month
-- A provider's month, open until it is closed.
INSERT INTO billing.month (provider, period) VALUES ($1, $2) ON CONFLICT DO NOTHING

-- name: begin_run
-- A draft; its month must be open.
INSERT INTO billing.run (provider, period, kind, scope, asked, made_by, made_at) VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING run

-- name: add_houses
-- The houses of a run; one that another live run has is refused by run_house_live, a second month by run_house_month.
INSERT INTO billing.run_house (run, house, provider, period, kind)
SELECT r.run, h.house, r.provider, r.period, r.kind FROM billing.run r CROSS JOIN unnest($2::text[]) AS h(house) WHERE r.run = $1

-- name: houses_published
-- Which of the houses have a published month of the provider and period.
SELECT h.house FROM billing.run_house h
WHERE h.provider = $1 AND h.period = $2 AND h.kind = 'month' AND h.standing = 'published' AND h.house = ANY($3::text[])

-- name: fetch_run
-- A run with its provider's code and what its houses came to.
SELECT r.*, p.code, count(h.house) AS houses, count(*) FILTER (WHERE h.state = 'waiting') AS waiting,
    count(*) FILTER (WHERE h.state = 'parked') AS parked, coalesce(sum(h.accounts), 0)::bigint AS accounts,
    coalesce(sum(h.lines), 0)::bigint AS lines, coalesce(sum(h.amount), 0)::bigint AS amount
FROM billing.run r JOIN reference.recipient p ON p.recipient = r.provider LEFT JOIN billing.run_house h ON h.run = r.run
WHERE r.run = $1 GROUP BY r.run, p.code

-- name: list_runs
-- Runs of a period, of one provider or of all.
SELECT r.run FROM billing.run r JOIN reference.recipient p ON p.recipient = r.provider
WHERE r.period = $1 AND ($2::text IS NULL OR p.code = $2) ORDER BY r.run

-- name: list_months
-- Open months of a period that have been begun, of one provider or of all.
SELECT m.provider, p.code FROM billing.month m JOIN reference.recipient p ON p.recipient = m.provider
WHERE m.period = $1 AND ($2::text IS NULL OR p.code = $2) AND m.state = 'open' ORDER BY p.code

-- name: approve
-- A checked run becomes approved, unless its maker asks: run_second_person.
UPDATE billing.run SET state = 'approved', approved_by = $2, approved_at = $3 WHERE run = $1 AND state = 'checked'

-- name: count_errors
-- Errors that nobody has acknowledged.
SELECT count(*) FROM billing.finding WHERE run = $1 AND severity = 'error' AND acknowledged_by IS NULL

-- name: acknowledge
-- A person answers for a finding.
UPDATE billing.finding SET acknowledged_by = $3, acknowledged_at = $4, why = $5
WHERE run = $1 AND finding = $2 AND acknowledged_by IS NULL

-- name: drop_run
-- A run that was not published yet is given up; its houses are free again.
UPDATE billing.run SET state = 'dropped', dropped_by = $2, dropped_at = $3 WHERE run = $1 AND state IN ('draft', 'checked', 'approved')

-- name: delete_lines
-- Lines of some accounts of a dropped run; what is left of it says who dropped it and what it came to.
WITH gone AS (DELETE FROM billing.run_account a USING (
        SELECT x.run, x.account FROM billing.run_account x WHERE x.run = $1 ORDER BY x.account LIMIT $2) t
    WHERE a.run = t.run AND a.account = t.account RETURNING a.account)
SELECT count(*) FROM gone

-- name: delete_terms
-- Terms of a dropped run.
DELETE FROM billing.run_terms WHERE run = $1

-- name: close_runs
-- The published runs of a month become closed.
UPDATE billing.run SET state = 'closed' WHERE provider = $1 AND period = $2 AND state = 'published'

-- name: close_month
-- A month is closed for good; month_has_live_run refuses while a run is under way.
UPDATE billing.month SET state = 'closed', closed_by = $3, closed_at = $4 WHERE provider = $1 AND period = $2

-- name: count_parked
-- Accounts of a month that were not published, and why that is so must be settled first.
SELECT count(*) FROM billing.document d JOIN billing.run r USING (run)
WHERE r.provider = $1 AND r.period = $2 AND d.state IN ('parked', 'charged') AND NOT EXISTS (
    SELECT FROM billing.document n WHERE n.account = d.account AND n.period = d.period AND n.run > d.run AND n.state = 'published')

-- name: count_uncharged
-- Sums decided for a month that the newest documents of their accounts do not charge: decided after the draft.
SELECT count(*) FROM (
    SELECT a.account, a.service, a.kind, a.of_period, sum(a.amount) AS amount FROM billing.adjustment a
    WHERE a.provider = $1 AND a.in_period = $2 GROUP BY a.account, a.service, a.kind, a.of_period) decided
WHERE decided.amount <> coalesce((
    SELECT sum(l.amount)
    FROM (SELECT d.run FROM billing.document d WHERE d.account = decided.account AND d.period = $2 AND d.nth IS NOT NULL
        ORDER BY d.nth DESC LIMIT 1) newest
        JOIN billing.line l ON l.run = newest.run AND l.account = decided.account
    WHERE l.service = decided.service AND l.kind = decided.kind AND l.of_period = decided.of_period), 0)

-- name: add_adjustment
-- A sum of a closed month that an open one charges.
INSERT INTO billing.adjustment (account, service, kind, amount, cause, of_period, provider, in_period, decided_by, decided_at)
SELECT u.account, u.service, u.kind, u.amount, u.cause, u.of_period, $1, $2, $3, $4
FROM unnest($5::bigint[], $6::text[], $7::smallint[], $8::bigint[], $9::text[], $10::int[])
    AS u(account, service, kind, amount, cause, of_period)

-- name: lock_run
-- Nobody moves the run on while this transaction looks at it.
SELECT state FROM billing.run WHERE run = $1 FOR UPDATE
