-- Sums of closed months decided for an open one: at once, or after a second person's answer; written off.

-- name: find_provider
-- A recipient's number by its code.
SELECT recipient FROM reference.recipient WHERE code = $1

-- name: begin_month
-- A provider's month, open until it is closed.
INSERT INTO billing.month (provider, period) VALUES ($1, $2) ON CONFLICT DO NOTHING

-- name: lock_sums
-- Sums of a month are added one transaction after another.
SELECT billing.lock_month_sums($1, $2)

-- name: fetch_limit
-- From how many kopecks on a second person is asked.
SELECT amount FROM billing.adjustment_limit ORDER BY nth DESC LIMIT 1

-- name: set_limit
-- Another limit from now on; the old ones stay to be seen.
INSERT INTO billing.adjustment_limit (amount, set_by, set_at) VALUES ($1, $2, $3)

-- name: list_unconfirmed
-- What accounts are adjusted by in a month without a second person, in kopecks.
SELECT j.account, sum(abs(j.amount))::bigint AS amount FROM billing.adjustment j
WHERE j.account = ANY ($1::bigint[]) AND j.provider = $2 AND j.in_period = $3 AND j.proposal IS NULL AND j.undoes IS NULL
    AND NOT EXISTS (SELECT FROM billing.adjustment u WHERE u.undoes = j.adjustment)
GROUP BY j.account

-- name: add_adjustments
-- Sums that the open month charges.
INSERT INTO billing.adjustment (account, service, kind, amount, cause, of_period, provider, in_period, basis, decided_by, decided_at)
SELECT u.account, u.service, u.kind, u.amount, u.cause, u.of_period, $1, $2, $3, $4, $5
FROM unnest($6::bigint[], $7::text[], $8::smallint[], $9::bigint[], $10::text[], $11::int[])
    AS u(account, service, kind, amount, cause, of_period)

-- name: add_proposals
-- Large sums, which wait for a second person.
INSERT INTO billing.proposal (account, service, kind, amount, cause, of_period, provider, in_period, basis, decided_by, decided_at)
SELECT u.account, u.service, u.kind, u.amount, u.cause, u.of_period, $1, $2, $3, $4, $5
FROM unnest($6::bigint[], $7::text[], $8::smallint[], $9::bigint[], $10::text[], $11::int[])
    AS u(account, service, kind, amount, cause, of_period)

-- name: list_waiting
-- Proposals of a month that wait: those of $3, or all where it is empty.
SELECT w.proposal FROM billing.waiting_proposal w
WHERE w.provider = $1 AND w.in_period = $2 AND (cardinality($3::bigint[]) = 0 OR w.proposal = ANY ($3::bigint[]))
ORDER BY w.proposal

-- name: answer
-- A person's answer to proposals.
INSERT INTO billing.proposal_answer (proposal, is_confirmed, answered_by, answered_at, why)
SELECT u.proposal, $2, $3, $4, $5 FROM unnest($1::bigint[]) AS u(proposal)

-- name: charge_confirmed
-- Confirmed proposals become sums that the month charges, as they were decided.
INSERT INTO billing.adjustment (account, service, kind, amount, cause, of_period, provider, in_period, basis, decided_by, decided_at,
    proposal)
SELECT p.account, p.service, p.kind, p.amount, p.cause, p.of_period, p.provider, p.in_period, p.basis, p.decided_by, p.decided_at,
    p.proposal
FROM billing.proposal p WHERE p.proposal = ANY ($1::bigint[]) ORDER BY p.proposal

-- name: write_off
-- The same sum with the other sign: the two come to nought, nothing is changed and nothing is waited for.
INSERT INTO billing.adjustment (account, service, kind, amount, cause, of_period, provider, in_period, basis, decided_by, decided_at,
    undoes)
SELECT j.account, j.service, j.kind, -j.amount, $2, j.of_period, j.provider, j.in_period, j.basis, $3, $4, j.adjustment
FROM billing.adjustment j WHERE j.adjustment = $1 RETURNING adjustment

-- name: list_decided
-- Sums decided for a month, of one account ($3) or all, at most $4; charged: what the newest document of the account has of its key.
SELECT j.adjustment, w.namespace || ':' || w.number AS account, j.service, j.kind, j.amount, j.cause, j.of_period, j.basis, j.decided_by,
    j.decided_at, n.answered_by AS confirmed_by, j.undoes, (SELECT u.adjustment FROM billing.adjustment u WHERE u.undoes = j.adjustment)
    AS undone_by, (sum(j.amount) OVER k)::bigint AS decided_of_key,
    coalesce((SELECT sum(l.amount) FROM (SELECT d.run FROM billing.document d
            WHERE d.account = j.account AND d.period = j.in_period AND d.nth IS NOT NULL ORDER BY d.nth DESC LIMIT 1) d
        JOIN billing.line l ON l.run = d.run AND l.account = j.account
        WHERE l.service = j.service AND l.kind = j.kind AND l.of_period = j.of_period), 0)::bigint AS charged_of_key
FROM billing.adjustment j JOIN reference.personal_account w ON w.personal_account = j.account
    LEFT JOIN billing.proposal_answer n ON n.proposal = j.proposal
WHERE j.provider = $1 AND j.in_period = $2 AND ($3 = '' OR w.namespace || ':' || w.number = $3)
WINDOW k AS (PARTITION BY j.account, j.service, j.kind, j.of_period)
ORDER BY j.adjustment LIMIT $4

-- name: list_proposals
-- Sums that wait for a second person, of one account ($3) or all, at most $4.
SELECT p.proposal, w.namespace || ':' || w.number AS account, p.service, p.kind, p.amount, p.cause, p.of_period, p.basis, p.decided_by,
    p.decided_at
FROM billing.waiting_proposal p JOIN reference.personal_account w ON w.personal_account = p.account
WHERE p.provider = $1 AND p.in_period = $2 AND ($3 = '' OR w.namespace || ':' || w.number = $3)
ORDER BY p.proposal LIMIT $4
