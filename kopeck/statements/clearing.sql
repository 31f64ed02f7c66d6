-- What clearing asks of settlement's tables: it may, services may not.

-- name: is_orders_line
-- Whether a line that settlement has seen was recognised as an order's.
SELECT m.transfer IS NOT NULL FROM settlement.movement m
WHERE m.transit = (SELECT t.transit FROM reference.transit_account t WHERE t.account = $1) AND m.bank_id = $2;

-- name: list_stopped
-- Everybody on a stop list.
SELECT s.list, s.reference, s.name, s.inn, s.since, s.until FROM settlement.stop_listed s;
