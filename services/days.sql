-- Bank days of transit accounts.

-- name: list_open_days
-- Every transit account with its open day.
SELECT d.transit, coalesce(t.account, '#' || d.transit) AS account, d.open_day
FROM ledger.bank_day d LEFT JOIN reference.transit_account t USING (transit) ORDER BY d.transit;

-- name: list_closed_days
-- The newest days of a transit account that were cut; whether two people have signed their reconciliation.
SELECT c.day, c.cut, c.moment, c.day <= coalesce(reconciliation.closed_until($1), '-infinity') AS reconciled
FROM ledger.cut c WHERE c.transit = $1 ORDER BY c.day DESC LIMIT $2;

-- name: close
-- The day's door.
SELECT ledger.close_bank_day($1, $2, $3);
