-- What stands still and for whom it waits.

-- name: list_carried
-- Lots that cuts have carried on, with what pays them.
SELECT c.transit, t.account AS transit_account, c.account, c.creditor, c.capital, c.amount, c.reason, c.days, c.sums
FROM settlement.carried c JOIN reference.transit_account t ON t.transit = c.transit
WHERE c.amount > 0 ORDER BY c.transit, c.account, c.creditor, c.capital;

-- name: list_open_days
-- Transit accounts with their open days.
SELECT t.transit, t.account, d.open_day FROM reference.transit_account t JOIN ledger.bank_day d ON d.transit = t.transit
ORDER BY t.transit;

-- name: list_parked_results
-- What the bank said that does not follow from where the order stands, and nobody has seen to.
SELECT parked AS number, told_by, key, content, reason, seen_at FROM settlement.parked_result WHERE resolved_at IS NULL
ORDER BY parked LIMIT $1;

-- name: list_parked_registers
-- Registers whose delivery waits for a person.
SELECT number, counterparty, key, reason, created_at FROM delivery.outgoing WHERE what = 'transfer' AND state = 4
ORDER BY number LIMIT $1;

-- name: resolve_result
-- Mark a parked result as seen to.
UPDATE settlement.parked_result SET resolved_at = $2, resolved_by = $3 WHERE parked = $1 AND resolved_at IS NULL RETURNING parked;

-- name: find_transit_terms
-- How a transit account pays, as it was set; the columns are null where nothing was.
SELECT t.transit, t.bic, s.counterparty, s.payer_name, s.payer_inn, s.payer_kpp, s.payer_bank_name, s.payer_correspondent,
    s.contracts_required, s.cut_times, s.time_zone
FROM reference.transit_account t LEFT JOIN settlement.transit_terms s ON s.transit = t.transit WHERE t.account = $1;

-- name: list_last_cuts
-- What the chains of a transit account promise up to their last cuts.
SELECT DISTINCT ON (space, book) space, book, promised FROM settlement.cut_range WHERE transit = $1 ORDER BY space, book, upto DESC;
