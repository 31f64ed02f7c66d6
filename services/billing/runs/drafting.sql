-- Drafting: houses taken by one worker each, and what they came to.

-- name: share_draft
-- The run, kept a draft until this transaction ends.
SELECT r.state, r.provider, p.code, r.period, r.asked FROM billing.run r JOIN reference.recipient p ON p.recipient = r.provider
WHERE r.run = $1 FOR SHARE OF r

-- name: take_houses
-- Houses nobody has taken, at most $2.
SELECT h.house FROM billing.run_house h WHERE h.run = $1 AND h.state = 'waiting' ORDER BY h.house LIMIT $2 FOR UPDATE SKIP LOCKED

-- name: list_adjustments
-- Sums of earlier months that these accounts are charged in this one.
SELECT a.account, a.service, a.kind, a.amount, a.cause, a.of_period FROM billing.adjustment a
WHERE a.account = ANY($1::bigint[]) AND a.in_period = $2 AND a.provider = $3 ORDER BY a.adjustment

-- name: list_previous
-- What these accounts were charged for each service in a period, by the newest document.
SELECT d.account, l.service, sum(l.amount)::bigint AS amount
FROM unnest($1::bigint[]) AS w(account)
    CROSS JOIN LATERAL (SELECT n.run, n.account FROM billing.document n
        WHERE n.account = w.account AND n.period = $2 AND n.nth IS NOT NULL ORDER BY n.nth DESC LIMIT 1) d
    CROSS JOIN LATERAL (SELECT a.services, a.amounts FROM billing.run_account a
        WHERE a.run = d.run AND a.account = d.account LIMIT 1) a
    CROSS JOIN LATERAL unnest(a.services, a.amounts) AS l(service, amount)
GROUP BY d.account, l.service

-- name: list_taken
-- Accounts that another house of the run has already.
SELECT a.account FROM billing.run_account a WHERE a.run = $1 AND a.account = ANY($2::bigint[])

-- name: list_known_terms
-- Who was last paid for services of a house that its month does not name any more.
SELECT DISTINCT ON (t.service) t.service, t.recipient, t.creditor, t.pool, t.title, t.unit
FROM billing.run_terms t JOIN billing.run r USING (run)
WHERE t.house = $1 AND r.provider = $2 AND t.service = ANY($3::text[]) AND r.state IN ('published', 'closed')
ORDER BY t.service, t.run DESC

-- name: list_recipients
-- Numbers of recipients by code.
SELECT code, recipient FROM reference.recipient

-- name: finish_houses
-- The work of houses is done.
UPDATE billing.run_house h SET state = 'done', digest = u.digest, accounts = u.accounts, lines = u.lines, amount = u.amount
FROM unnest($2::text[], $3::bytea[], $4::int[], $5::int[], $6::bigint[]) AS u(house, digest, accounts, lines, amount)
WHERE h.run = $1 AND h.house = u.house AND h.state = 'waiting'

-- name: park_houses
-- Houses that cannot be calculated, with the reason.
UPDATE billing.run_house h SET state = 'parked', reason = u.reason FROM unnest($2::text[], $3::text[]) AS u(house, reason)
WHERE h.run = $1 AND h.house = u.house AND h.state = 'waiting'

-- name: retry_parked
-- Parked houses of a draft wait again.
UPDATE billing.run_house h SET state = 'waiting', reason = '' FROM billing.run r
WHERE h.run = $1 AND r.run = h.run AND r.state = 'draft' AND h.state = 'parked'

-- name: count_waiting
-- Houses still to do.
SELECT count(*) FROM billing.run_house WHERE run = $1 AND state = 'waiting'
