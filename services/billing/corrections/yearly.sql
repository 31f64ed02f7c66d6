-- What a year's correction is made of besides volumes: months that were charged, and what premises were charged.

-- name: list_charged_months
-- Periods $3 … $4 in which a provider ($1) charged a house ($2).
SELECT DISTINCT h.period FROM billing.run_house h
WHERE h.provider = $1 AND h.house = $2 AND h.period BETWEEN $3 AND $4 AND h.standing = 'published' ORDER BY h.period

-- name: list_year
-- What accounts that ever stood in a house ($1) were charged by a provider ($2) for a service ($3) in the periods $4: own lines of newest
-- documents and every correction decided since, the yearly ones too. places: how many premises an account stood in.
SELECT w.account, w.premises, w.places, sum(s.amount)::bigint AS amount
FROM (SELECT b.personal_account AS account, min(p.number) AS premises,
        (SELECT count(DISTINCT o.premises) FROM housing.account o WHERE o.personal_account = b.personal_account) AS places
    FROM housing.account b JOIN housing.premises p USING (premises) JOIN housing.house h USING (house)
    WHERE h.code = $1 GROUP BY b.personal_account) w
    CROSS JOIN LATERAL (
        SELECT l.amount
        FROM unnest($4::int[]) AS m(period)
            CROSS JOIN LATERAL (SELECT d.run FROM billing.document d JOIN billing.run r USING (run)
                WHERE d.account = w.account AND d.period = m.period AND d.nth IS NOT NULL AND r.provider = $2
                ORDER BY d.nth DESC LIMIT 1) n
            JOIN billing.line l ON l.run = n.run AND l.account = w.account
        WHERE l.of_period = 0 AND l.service = $3
        UNION ALL SELECT j.amount FROM billing.adjustment j
        WHERE j.account = w.account AND j.of_period = ANY ($4::int[]) AND j.provider = $2 AND j.service = $3 AND j.kind = 6
            AND j.basis <> 'apart'
        UNION ALL SELECT p.amount FROM billing.waiting_proposal p
        WHERE p.account = w.account AND p.of_period = ANY ($4::int[]) AND p.provider = $2 AND p.service = $3 AND p.kind = 6
            AND p.basis <> 'apart') s
GROUP BY w.account, w.premises, w.places
