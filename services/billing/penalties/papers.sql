-- Documents of penalties, for print.

-- name: documents
-- Documents of a run that were charged, of one account ($2) or all, with the house where the account lives on the day of issue.
SELECT d.account, d.creditor, d.pool, d.period, d.state, d.number, d.charged, d.owed_before, d.due_on, d.issued_on, p.namespace,
    p.number AS name, p.payer_kind, p.masked_name, p.masked_address, p.provider, coalesce(h.house, '') AS house,
    coalesce(w.waived, 0)::bigint AS waived
FROM billing.penalty_document d JOIN reference.personal_account p ON p.personal_account = d.account
    LEFT JOIN LATERAL (SELECT s.code AS house FROM housing.live_account a JOIN housing.premises m USING (premises)
        JOIN housing.house s ON s.house = m.house
        WHERE a.personal_account = d.account AND a.valid_from <= d.issued_on ORDER BY a.valid_from DESC LIMIT 1) h ON true
    LEFT JOIN LATERAL (SELECT sum(t.amount) AS waived FROM billing.penalty_waived t JOIN billing.penalty_waiver v USING (waiver)
        WHERE t.run = d.run AND t.account = d.account AND v.creditor = d.creditor AND v.pool = d.pool) w ON true
WHERE d.run = $1 AND d.state <> 'parked' AND ($2 = '' OR p.namespace || ':' || p.number = $2)
ORDER BY h.house, d.account, d.creditor, d.pool

-- name: parts
-- The detail of accounts' bills, by creditor and pool.
SELECT b.account, b.creditor, b.pool, b.bill_period, q.debt, q.starts_on, q.ends_on, q.days, q.rate, q.divisor, q.amount
FROM unnest($2::bigint[]) AS w(account) JOIN billing.penalty_bill b ON b.run = $1 AND b.account = w.account
    JOIN billing.penalty_part q ON q.run = b.run AND q.account = b.account AND q.nth = b.nth
ORDER BY b.account, b.creditor, b.pool, b.nth, q.part
