-- What a house's accounts were ever charged for a closed period, and who bills the house.

-- name: lock_house
-- Whoever corrects a house waits for whoever does, until the transaction ends.
SELECT pg_advisory_xact_lock(hashtextextended('billing/corrections/' || $1, 0))

-- name: list_standing
-- Of houses ($1) and a period's month of a provider ($2, $3): whether it is closed, who bills each house on first days $4 and $5, and
-- whether somebody else took it over within the period by what was loaded after its newest run was begun.
SELECT h.code, coalesce(m.state = 'closed', false) AS is_closed,
    (SELECT CASE WHEN t.state = 0 THEN r.code END FROM housing.live_house_terms t JOIN reference.recipient r ON r.recipient = t.provider
        WHERE t.house = h.house AND t.valid_from <= $4 ORDER BY t.valid_from DESC LIMIT 1) AS billed_then,
    (SELECT CASE WHEN t.state = 0 THEN r.code END FROM housing.live_house_terms t JOIN reference.recipient r ON r.recipient = t.provider
        WHERE t.house = h.house AND t.valid_from <= $5 ORDER BY t.valid_from DESC LIMIT 1) AS billed_now,
    EXISTS (SELECT FROM housing.live_house_terms t JOIN housing.load l USING (load)
        WHERE t.house = h.house AND t.valid_from > $4 AND t.valid_from < $4::date + interval '1 month' AND t.state = 0
            AND t.provider <> $2 AND l.loaded_at > (
                SELECT max(r.made_at) FROM billing.run_house x JOIN billing.run r USING (run)
                WHERE x.provider = $2 AND x.house = h.code AND x.period = $3 AND x.standing = 'published' AND r.scope <> 'accounts'))
    AS is_parted_late
FROM housing.house h LEFT JOIN billing.month m ON m.provider = $2 AND m.period = $3 WHERE h.code = ANY ($1::text[])

-- name: number_accounts
-- The ledger's numbers of accounts, named namespace:number.
SELECT u.name, a.personal_account FROM unnest($1::text[]) AS u(name)
    JOIN reference.personal_account a ON a.namespace = split_part(u.name, ':', 1) AND a.number = substr(u.name, strpos(u.name, ':') + 1)

-- name: accounts_of_house
-- Accounts that were charged for a period ($2) by a provider ($3) in the house ($1), by their newest document. elsewhere: the other house
-- that an account stands in on the period's first day ($4) as it is known now, or empty; is_billed: that one is charged alike.
SELECT d.account, a.namespace || ':' || a.number AS name, coalesce(e.code, '') AS elsewhere,
    EXISTS (SELECT FROM billing.run_house r WHERE r.provider = $3 AND r.house = e.code AND r.period = $2 AND r.standing = 'published')
    AS is_billed
FROM (SELECT DISTINCT b.personal_account AS account FROM housing.account b JOIN housing.premises p USING (premises)
        JOIN housing.house h USING (house) WHERE h.code = $1) w
    CROSS JOIN LATERAL (SELECT o.run, o.account FROM billing.document o JOIN billing.run r USING (run)
        WHERE o.account = w.account AND o.period = $2 AND o.nth IS NOT NULL AND r.provider = $3 ORDER BY o.nth DESC LIMIT 1) d
    JOIN billing.run_account x ON x.run = d.run AND x.account = d.account AND x.house = $1
    JOIN reference.personal_account a ON a.personal_account = d.account
    LEFT JOIN LATERAL (SELECT c.premises, c.state FROM housing.live_account c
        WHERE c.personal_account = d.account AND c.valid_from <= $4 ORDER BY c.valid_from DESC LIMIT 1) c ON c.state = 0
    LEFT JOIN housing.premises p ON p.premises = c.premises LEFT JOIN housing.house e ON e.house = p.house AND e.code <> $1
ORDER BY d.account

-- name: list_charged
-- All that accounts ($1) were charged for a period ($2) by a provider ($3): own lines of the newest document, and every correction decided
-- since, charged already or not, by facts and by persons; sums that wait for a second person too.
SELECT w.account, s.service, sum(s.amount)::bigint AS amount
FROM unnest($1::bigint[]) AS w(account) CROSS JOIN LATERAL (
    SELECT l.service, l.amount
    FROM (SELECT d.run FROM billing.document d JOIN billing.run r USING (run)
        WHERE d.account = w.account AND d.period = $2 AND d.nth IS NOT NULL AND r.provider = $3 ORDER BY d.nth DESC LIMIT 1) n
        JOIN billing.line l ON l.run = n.run AND l.account = w.account
    WHERE l.of_period = 0
    UNION ALL SELECT j.service, j.amount FROM billing.adjustment j
    WHERE j.account = w.account AND j.of_period = $2 AND j.provider = $3 AND j.kind = 6 AND j.basis IN ('facts', 'person')
    UNION ALL SELECT p.service, p.amount FROM billing.waiting_proposal p
    WHERE p.account = w.account AND p.of_period = $2 AND p.provider = $3 AND p.kind = 6 AND p.basis IN ('facts', 'person')) s
GROUP BY w.account, s.service

-- name: list_declined
-- Corrections of a period ($2) by facts that a person declined or wrote off for accounts ($1): not decided again as long as they are the same.
SELECT p.account, p.service, p.amount FROM billing.proposal p JOIN billing.proposal_answer a USING (proposal)
WHERE p.account = ANY ($1::bigint[]) AND p.of_period = $2 AND p.provider = $3 AND NOT a.is_confirmed AND p.basis = $4
UNION SELECT j.account, j.service, j.amount FROM billing.adjustment j
WHERE j.account = ANY ($1::bigint[]) AND j.of_period = $2 AND j.provider = $3 AND j.basis = $4 AND EXISTS (
    SELECT FROM billing.adjustment u WHERE u.undoes = j.adjustment)

-- name: number_house
-- The number of a house.
SELECT house FROM housing.house WHERE code = $1
