-- What orders need in the synthetic town (loadtests/orders_town.py), and how soon they followed payments (loadtests/orders.py).

-- name: fetch_moment
-- The server's clock.
SELECT clock_timestamp();

-- name: add_service
-- How a service is called on receipts; one that every ledger knows stays as it is.
INSERT INTO fiscal.service (service, valid_from, title) VALUES ($1, $2, $3) ON CONFLICT ON CONSTRAINT service_key DO NOTHING;

-- name: add_vat
-- Nobody of the town pays VAT.
INSERT INTO fiscal.vat (recipient, service, kind, period_from, rate, source) VALUES (NULL, '', 0, 0, 'none', 'bench')
ON CONFLICT ON CONSTRAINT vat_once DO NOTHING;

-- name: add_terms
-- The bank as the payer.
INSERT INTO settlement.transit_terms (transit, payer_name, payer_inn, payer_kpp, payer_bank_name)
SELECT t.transit, t.title, '7707083893', '770701001', t.title FROM reference.transit_account t;

-- name: settle
-- Statistics and visibility as they are in a ledger that has stood for a day.
VACUUM (ANALYZE);

-- name: checkpoint
-- What was loaded is written out before the clock starts.
CHECKPOINT;

-- name: fetch_head
-- The last sequence of the payers' only book.
SELECT coalesce(max(sequence), 0) FROM ledger.journal WHERE book = 1;

-- name: list_promises
-- What entries after a place promise, by operation space: debits of clearing accounts (kind 2); and the last place read.
SELECT (u.account & 1099511627775)::int AS space, sum(u.amount)::bigint AS amount, max(j.sequence) AS upto
FROM ledger.journal j CROSS JOIN LATERAL unnest(j.accounts, j.amounts) AS u(account, amount)
WHERE j.book = 1 AND j.sequence > $1 AND u.account >> 56 = 2 GROUP BY 1;

-- name: fetch_backlog
-- What is left to do: entries that receipts and settlement are behind, receipts not accepted, not registered or parked, spaces
-- with payments after their last cut.
SELECT (SELECT max(sequence) FROM ledger.journal WHERE book = 1)
      - coalesce((SELECT sequence FROM read_model.cursor WHERE consumer = 'fiscal' AND book = 1), 0) AS fiscal,
    (SELECT max(sequence) FROM ledger.journal WHERE book = 1)
      - coalesce((SELECT sequence FROM read_model.cursor WHERE consumer = 'settlement' AND book = 1), 0) AS settlement,
    (SELECT count(*) FROM delivery.outgoing WHERE what = 'receipt' AND state = 0) AS unaccepted,
    (SELECT count(*) FROM delivery.outgoing WHERE what = 'receipt' AND state IN (0, 1)) AS unregistered,
    (SELECT count(*) FROM delivery.outgoing WHERE what = 'receipt' AND state = 4) AS parked,
    (SELECT count(*) FROM settlement.promise p WHERE p.space > 0 AND p.last_sequence > coalesce((
        SELECT max(g.upto) FROM settlement.cut_range g WHERE g.transit = p.transit AND g.space = p.space AND g.book = p.book), 0))
      AS uncut;

-- name: list_receipt_times
-- Microseconds from a payment's commit to its receipt's order, and to the operator's acceptance, of entries after a place.
SELECT (extract(epoch FROM o.created_at - j.recorded_at) * 1000000)::bigint AS created,
    (extract(epoch FROM o.accepted_at - j.recorded_at) * 1000000)::bigint AS accepted
FROM ledger.journal j
  JOIN fiscal.receipt r ON r.book = j.book AND r.sequence = j.sequence
  JOIN delivery.outgoing o ON o.what = 'receipt' AND o.subject = r.number
WHERE j.book = 1 AND j.sequence > $1 AND j.sequence <= $2;

-- name: list_transfer_times
-- Microseconds from a payment's commit to the entry of the last transfer order of the cut that it is in.
WITH ordered AS MATERIALIZED (
    SELECT o.cut, max(b.recorded_at) AS at FROM settlement.transfer_order o
      JOIN settlement.order_history h ON h.transfer = o.transfer AND h.state = 0
      JOIN ledger.journal b ON b.book = 0 AND b.sequence = h.sequence GROUP BY o.cut)
SELECT (extract(epoch FROM d.at - j.recorded_at) * 1000000)::bigint AS created
FROM settlement.cut_range g JOIN ordered d USING (cut)
  JOIN ledger.journal j ON j.book = g.book AND j.space = g.space AND j.sequence > g.after AND j.sequence <= g.upto
WHERE g.book = 1 AND j.kind = 1 AND j.sequence > $1 AND j.sequence <= $2;

-- name: fetch_counts
-- Payments that need a receipt (their channel is a bank's), receipts of them, receipts registered, and their orders' keys.
SELECT (SELECT count(*) FROM ledger.journal j JOIN reference.channel c USING (channel)
        WHERE j.book = 1 AND j.kind = 1 AND c.legal_kind = 'bank') AS owed,
    (SELECT count(*) FROM fiscal.receipt) AS receipts,
    (SELECT count(DISTINCT (book, sequence)) FROM fiscal.receipt) AS payments,
    (SELECT count(*) FROM fiscal.sign) AS registered,
    (SELECT count(DISTINCT key) FROM delivery.outgoing WHERE what = 'receipt') AS orders;
