-- What scenarios in plain text ask of the journal.

-- name: count_entries
-- Entries, of one kind or of all (0).
SELECT count(*) FROM ledger.journal WHERE $1::int = 0 OR kind = $1;

-- name: fetch_entry
-- What an entry keeps of what was named.
SELECT personal_account, designation FROM ledger.journal WHERE book = $1 AND sequence = $2;

-- name: count_parked
-- What waits for a person, by kind.
SELECT what, count(*) AS count FROM intake.parked WHERE resolved_at IS NULL GROUP BY what ORDER BY what;

-- name: newest_order
-- A recipient's newest order as a statement line tells of it, in texts.
SELECT o.number::text AS n, q.bank_account AS account, q.inn, o.day::text AS dated, 'Возврат по п/п ' || o.number || ': счёт закрыт' AS purpose,
    (o.amount / 100)::text || '.' || lpad((o.amount % 100)::text, 2, '0') AS amount
FROM settlement.transfer_order o JOIN settlement.order_payee q USING (transfer)
WHERE q.code = $1 ORDER BY o.transfer DESC LIMIT 1;
