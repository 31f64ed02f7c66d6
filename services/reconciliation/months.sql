-- Months: registers of their days.

-- name: list_registers
-- Registers of a transit account whose last payment is of a range of days and that are not acknowledged line by line.
SELECT coalesce(nullif(r.number, ''), '#' || r.register) AS name, r.booked_at IS NOT NULL AS is_booked,
    r.lines - (SELECT count(*) FROM intake.register_outcome o WHERE o.register = r.register) AS without_outcome
FROM intake.register r WHERE r.transit = $1 AND r.until BETWEEN $2 AND $3
  AND (r.booked_at IS NULL OR r.lines <> (SELECT count(*) FROM intake.register_outcome o WHERE o.register = r.register))
ORDER BY r.register;

-- name: count_registers
-- Registers of a transit account whose last payment is of a range of days.
SELECT count(*) FROM intake.register r WHERE r.transit = $1 AND r.until BETWEEN $2 AND $3;

-- name: find_open_day
-- The open day of a transit account.
SELECT open_day FROM ledger.bank_day WHERE transit = $1;
