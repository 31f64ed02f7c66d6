-- What penalties of some accounts follow from: charges, earlier penalties, who is spared. Entries are read by law/history.sql.

-- name: list_accounts
-- Accounts of a provider ($1) after $2 that owe or owed principal due before a day ($3), or were charged penalties by a run; at most $4.
SELECT a.personal_account, a.namespace, a.number, (SELECT i.books FROM ledger.incarnation i) AS books
FROM reference.personal_account a
WHERE a.provider = $1 AND a.personal_account > $2
    AND (EXISTS (SELECT FROM reference.charge c WHERE c.personal_account = a.personal_account AND c.kind = 0 AND c.pool < 2
            AND c.due_date < $3)
        OR EXISTS (SELECT FROM billing.penalty_charged b WHERE b.account = a.personal_account))
ORDER BY a.personal_account LIMIT $4

-- name: name_accounts
-- Accounts by number.
SELECT a.personal_account, a.namespace, a.number, (SELECT i.books FROM ledger.incarnation i) AS books
FROM reference.personal_account a WHERE a.personal_account = ANY($1::bigint[]) ORDER BY a.personal_account

-- name: count_accounts
-- How many accounts a run has to look at, about.
SELECT count(*) FROM reference.personal_account a WHERE a.provider = $1 AND a.personal_account > $2

-- name: list_charges
-- Principal of the main and the capital repair pool, and penalties, by account and line.
SELECT c.personal_account, c.line, c.creditor, c.period, c.pool, c.kind, c.amount, c.due_date, c.court_order, c.limitation_until
FROM unnest($1::bigint[]) AS w(personal_account)
    CROSS JOIN LATERAL (SELECT * FROM reference.charge f WHERE f.personal_account = w.personal_account
        AND f.kind IN (0, 1) AND f.pool < 2) c
ORDER BY c.personal_account, c.line

-- name: list_before
-- What earlier runs charged of the bills of accounts.
SELECT b.account, b.creditor, b.pool, b.bill_period, b.due_on, sum(b.change)::bigint AS charged
FROM unnest($1::bigint[]) AS w(account) JOIN billing.penalty_charged b ON b.account = w.account
GROUP BY b.account, b.creditor, b.pool, b.bill_period, b.due_on ORDER BY b.account

-- name: list_waived
-- What earlier runs took of waivers, by account, creditor and pool.
SELECT t.account, v.creditor, v.pool, sum(t.amount)::bigint AS waived
FROM unnest($1::bigint[]) AS w(account) JOIN billing.penalty_waived t ON t.account = w.account
    JOIN billing.penalty_waiver v USING (waiver)
    JOIN billing.penalty_document d ON d.run = t.run AND d.account = t.account AND d.creditor = v.creditor AND d.pool = v.pool
WHERE d.state <> 'parked' GROUP BY t.account, v.creditor, v.pool ORDER BY t.account

-- name: list_waivers
-- Approved waivers of accounts with what runs have not taken of them.
SELECT v.account, v.waiver, v.creditor, v.pool, (v.amount - coalesce(t.taken, 0))::bigint AS left_kopecks
FROM unnest($1::bigint[]) AS w(account) JOIN billing.penalty_waiver v ON v.account = w.account
    LEFT JOIN LATERAL (SELECT sum(o.amount) AS taken FROM billing.penalty_waived o
        JOIN billing.penalty_document d ON d.run = o.run AND d.account = o.account AND d.creditor = v.creditor AND d.pool = v.pool
        WHERE o.waiver = v.waiver AND d.state <> 'parked') t ON true
WHERE v.approved_by IS NOT NULL AND v.amount > coalesce(t.taken, 0) ORDER BY v.account, v.waiver

-- name: list_spared
-- Standing exclusions of accounts.
SELECT e.account, e.creditor, e.reason FROM billing.penalty_exclusion e
WHERE e.account = ANY($1::bigint[]) AND e.ended_by IS NULL ORDER BY e.account, e.exclusion

-- name: list_regions
-- Regions of the houses that accounts live in on a day ($2): moratoriums differ by region.
SELECT DISTINCT ON (a.personal_account) a.personal_account, t.region
FROM housing.account a JOIN housing.premises p USING (premises) JOIN housing.house_terms t USING (house)
WHERE a.personal_account = ANY($1::bigint[]) AND a.state <> 2 AND t.state = 0 AND a.valid_from <= $2 AND t.valid_from <= $2
ORDER BY a.personal_account, a.valid_from DESC, a.load DESC, t.valid_from DESC, t.load DESC
