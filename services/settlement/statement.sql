-- Recognition of statement lines.

-- name: find_transit
-- The number of a transit account.
SELECT transit FROM reference.transit_account WHERE account = $1;

-- name: lock_line
-- Let one taker of a line in at a time, to the end of the transaction.
SELECT pg_advisory_xact_lock(hashtextextended('settlement.movement/' || $1::text, 0));

-- name: is_taken
-- Whether a line was taken before.
SELECT EXISTS (SELECT FROM settlement.movement WHERE transit = $1 AND bank_id = $2);

-- name: find_known
-- Of lines of an account's statement: those taken before, and the counterparties that a recipient or a payer has or had as its account.
SELECT ARRAY (SELECT m.bank_id FROM settlement.movement m
              WHERE m.transit = (SELECT t.transit FROM reference.transit_account t WHERE t.account = $1) AND m.bank_id = ANY ($2::text[])) AS taken,
    ARRAY (SELECT q.bank_account FROM reference.requisites q WHERE q.bank_account = ANY ($3::text[])
           UNION SELECT y.bank_account FROM settlement.return_payee y WHERE y.bank_account = ANY ($3::text[])) AS paid;

-- name: list_candidates
-- Orders of a transit account by number, ours or the bank's own that it told, by sum and the payee's account, dated since a day;
-- whether a line of the same direction has told of them; is_told_of: the bank has told that it executed them on the line's day.
SELECT o.transfer, o.key, o.day, o.state, o.number = ANY ($2::int[]) AS is_ours,
    EXISTS (SELECT FROM settlement.movement m WHERE m.transfer = o.transfer AND m.is_credit = $6) AS is_lined,
    EXISTS (SELECT FROM settlement.order_history h WHERE h.transfer = o.transfer AND h.state = 4 AND h.bank_day = $8) AS is_told_of
FROM settlement.transfer_order o
  JOIN settlement.order_payee q ON q.transfer = o.transfer
WHERE o.transit = $1 AND (o.number = ANY ($2::int[]) OR EXISTS (SELECT FROM settlement.order_history h
      WHERE h.transfer = o.transfer AND h.bank_number <> '' AND h.bank_number = $7)) AND o.amount = $3 AND q.bank_account = $4
  AND o.day >= $5 ORDER BY o.transfer;

-- name: is_payers_account
-- Whether money was given back to this account: its owner is a payer.
SELECT EXISTS (SELECT FROM settlement.return_payee WHERE bank_account = $1);

-- name: add_movement
-- A line that was taken.
INSERT INTO settlement.movement (transit, bank_id, day, is_credit, amount, number, document_day, counterparty_account,
    counterparty_inn, purpose, seen_at, transfer, reason)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13);

-- name: list_unrecognised
-- Lines that are no order's, the newest first.
SELECT t.account, m.bank_id, m.day, m.is_credit, m.amount, m.number, m.document_day, m.counterparty_account, m.counterparty_inn,
    m.purpose, m.reason
FROM settlement.movement m JOIN reference.transit_account t USING (transit)
WHERE m.transfer IS NULL ORDER BY m.seen_at DESC, m.bank_id LIMIT $1;
