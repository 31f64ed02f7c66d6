-- Sums that persons decide, one by one or from a file: their rows stand in staged_adjustment until they are decided.

-- name: find_account
-- The ledger's number of an account.
SELECT personal_account FROM reference.personal_account WHERE namespace = $1 AND number = $2

-- name: is_service_known
-- Whether a service is loaded.
SELECT EXISTS (SELECT FROM housing.service s WHERE s.service = $1)

-- name: find_same
-- A sum decided for a month, or waiting for a second person, that is the same in everything and not written off.
SELECT j.adjustment FROM billing.adjustment j
WHERE j.provider = $1 AND j.in_period = $2 AND (j.account, j.service, j.kind, j.amount, j.cause, j.of_period) = ($3, $4, $5, $6, $7, $8)
    AND j.undoes IS NULL AND NOT EXISTS (SELECT FROM billing.adjustment u WHERE u.undoes = j.adjustment)
UNION ALL SELECT p.proposal FROM billing.waiting_proposal p
WHERE p.provider = $1 AND p.in_period = $2 AND (p.account, p.service, p.kind, p.amount, p.cause, p.of_period) = ($3, $4, $5, $6, $7, $8)
LIMIT 1

-- name: make_staging
-- Rows of the file by line number.
DROP TABLE IF EXISTS pg_temp.staged_adjustment;
CREATE TEMP TABLE staged_adjustment (
    line_no int, account text, service text, of_period int, amount bigint, kind smallint, basis text, cause text)

-- name: unknown_accounts
-- Rows whose account is not loaded.
SELECT s.line_no, s.account, count(*) OVER () AS found FROM staged_adjustment s
WHERE NOT EXISTS (SELECT FROM reference.personal_account a
    WHERE a.namespace = split_part(s.account, ':', 1) AND a.number = substr(s.account, strpos(s.account, ':') + 1))
ORDER BY s.line_no LIMIT 100

-- name: unknown_services
-- Rows whose service is not loaded.
SELECT s.line_no, s.service, count(*) OVER () AS found FROM staged_adjustment s
WHERE NOT EXISTS (SELECT FROM housing.service k WHERE k.service = s.service) ORDER BY s.line_no LIMIT 100

-- name: repeats
-- Rows that are the same in everything as an earlier line.
SELECT r.line_no, r.first_line, count(*) OVER () AS found
FROM (SELECT s.line_no, min(s.line_no) OVER (
        PARTITION BY s.account, s.service, s.of_period, s.amount, s.kind, s.cause) AS first_line FROM staged_adjustment s) r
WHERE r.line_no > r.first_line ORDER BY r.line_no LIMIT 100

-- name: decided_before
-- Rows that were decided for the month ($1, $2) before, the same in everything.
SELECT s.line_no, j.adjustment, count(*) OVER () AS found
FROM staged_adjustment s
    JOIN reference.personal_account a
        ON a.namespace = split_part(s.account, ':', 1) AND a.number = substr(s.account, strpos(s.account, ':') + 1)
    JOIN LATERAL (
        SELECT j.adjustment FROM billing.adjustment j
        WHERE j.account = a.personal_account AND j.provider = $1 AND j.in_period = $2
            AND (j.service, j.kind, j.amount, j.cause, j.of_period) = (s.service, s.kind, s.amount, s.cause, s.of_period)
            AND j.undoes IS NULL AND NOT EXISTS (SELECT FROM billing.adjustment u WHERE u.undoes = j.adjustment) LIMIT 1) j ON true
ORDER BY s.line_no LIMIT 100

-- name: list_staged
-- Rows with the ledger's numbers of their accounts.
SELECT s.line_no, a.personal_account AS account, s.service, s.of_period, s.amount, s.kind, s.basis, s.cause
FROM staged_adjustment s JOIN reference.personal_account a
    ON a.namespace = split_part(s.account, ':', 1) AND a.number = substr(s.account, strpos(s.account, ':') + 1)
ORDER BY s.line_no
