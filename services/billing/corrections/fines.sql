-- Overcharges of an account that an open month corrects, and fines decided for them.

-- name: list_overcharges
-- Corrections of an account ($3) in a provider's month ($1, $2): by service and period, with the day of the last decision; and what is
-- fined already.
SELECT j.service, j.of_period, (coalesce(sum(j.amount) FILTER (WHERE j.kind = 6), 0))::bigint AS amount,
    (max(j.decided_at) FILTER (WHERE j.kind = 6) AT TIME ZONE 'Europe/Moscow')::date AS mended_on,
    (coalesce(sum(j.amount) FILTER (WHERE j.kind = 7), 0))::bigint AS fined
FROM (
    SELECT a.service, a.of_period, a.kind, a.amount, a.decided_at FROM billing.adjustment a
    WHERE a.provider = $1 AND a.in_period = $2 AND a.account = $3
    UNION ALL SELECT p.service, p.of_period, p.kind, p.amount, p.decided_at FROM billing.waiting_proposal p
    WHERE p.provider = $1 AND p.in_period = $2 AND p.account = $3) j
GROUP BY j.service, j.of_period ORDER BY j.service, j.of_period
