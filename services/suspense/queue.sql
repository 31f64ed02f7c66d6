-- The queue of suspense as people see it.

-- name: list_waiting
-- Items with money that nobody has decided about, the oldest first: all, or those of a bank day and before; at most so many.
SELECT i.*, t.account AS transit_account, coalesce(c.name, '') AS channel_name
FROM suspense.item i JOIN reference.transit_account t ON t.transit = i.transit
  LEFT JOIN reference.channel c ON c.channel = i.channel
WHERE i.remains > 0 AND i.bank_day <= coalesce($1::date, 'infinity') ORDER BY i.bank_day, i.book, i.sequence LIMIT $2;

-- name: find_item
-- One item.
SELECT i.*, t.account AS transit_account, coalesce(c.name, '') AS channel_name
FROM suspense.item i JOIN reference.transit_account t ON t.transit = i.transit
  LEFT JOIN reference.channel c ON c.channel = i.channel
WHERE i.book = $1 AND i.sequence = $2;

-- name: find_place
-- The place of an item by the counterparty's id of its operation.
SELECT i.book, i.sequence FROM ledger.payment_key k JOIN suspense.item i ON i.book = k.book AND i.sequence = k.sequence
WHERE k.external_id = $1 AND k.space = i.space ORDER BY i.book, i.sequence LIMIT 2;

-- name: list_decisions
-- What people decided about an item, in order.
SELECT d.what, d.amount, d.decided_by, coalesce(d.approved_by, '') AS approved_by, d.decided_at, coalesce(a.namespace || '/' || a.number, '') AS account
FROM suspense.decision d LEFT JOIN reference.personal_account a ON a.personal_account = d.personal_account
WHERE d.book = $1 AND d.sequence = $2 ORDER BY d.decision;

-- name: list_releases
-- Parts of an item that were given away.
SELECT r.part, r.sequence, r.amount, r.transfer, r.arrived_book, r.arrived_sequence, r.came_back, r.why,
    coalesce(a.namespace || '/' || a.number, '#' || r.personal_account) AS account
FROM suspense.release r LEFT JOIN reference.personal_account a ON a.personal_account = r.personal_account
WHERE r.book = $1 AND r.item = $2 ORDER BY r.part;

-- name: list_returns
-- Requests to send an item's money back to its payer.
SELECT r.request, r.amount, p.bank_account AS payee_account, p.bic AS payee_bic, r.asked_by, r.asked_at,
    coalesce(w.withdrawn_by, '') AS withdrawn_by
FROM settlement.return_request r
  JOIN LATERAL (SELECT y.bank_account, y.bic FROM settlement.return_payee y WHERE y.request = r.request
                ORDER BY y.version DESC LIMIT 1) p ON true
  LEFT JOIN settlement.return_withdrawn w ON w.request = r.request
WHERE r.book = $1 AND r.sequence = $2 AND r.account >> 56 = 4 ORDER BY r.request;

-- name: list_sums
-- What waits, summed by transit account and bank day; what the bank holds on 47416 apart.
SELECT t.account AS transit_account, i.bank_day, i.held_at IS NOT NULL AS held, count(*) AS items, sum(i.remains)::bigint AS amount
FROM suspense.item i JOIN reference.transit_account t ON t.transit = i.transit
WHERE i.remains > 0 GROUP BY 1, 2, 3 ORDER BY 2, 1, 3;

-- name: fetch_figures
-- Figures for the metrics: what waits and since when, what is on its way to another book, what was overdrawn.
SELECT count(*) AS items, coalesce(sum(i.remains), 0)::bigint AS amount, min(i.bank_day) AS oldest_day, min(i.event_at) AS oldest_at,
    (SELECT count(*) FROM suspense.release r WHERE r.transfer IS NOT NULL AND r.arrived_sequence IS NULL AND r.came_back IS NULL)
        AS on_their_way,
    (SELECT coalesce(sum(o.overdrawn), 0)::bigint FROM suspense.item o WHERE o.overdrawn > 0) AS overdrawn
FROM suspense.item i WHERE i.remains > 0;

-- name: list_differences
-- Suspense accounts whose items and what stands beside them do not add up to the balances read model, where both consumers have
-- come equally far in a book.
WITH even AS MATERIALIZED (
    SELECT s.book FROM read_model.cursor s JOIN read_model.cursor b ON b.book = s.book AND b.sequence = s.sequence
    WHERE s.consumer = 'suspense' AND b.consumer = 'balances'),
folded AS (
    SELECT i.transit, i.channel, i.book, i.amount + i.overdrawn - i.released - i.reversed AS amount FROM suspense.item i
    UNION ALL
    SELECT b.transit, b.channel, b.book, b.amount FROM suspense.beside b),
summed AS (
    SELECT (4::bigint << 56) | (f.transit::bigint << 40) | f.channel::bigint AS account, f.book, sum(f.amount)::bigint AS amount
    FROM folded f JOIN even e ON e.book = f.book GROUP BY 1, 2),
held AS (
    SELECT b.account, b.book, b.credit - b.debit AS amount FROM read_model.balance b JOIN even e ON e.book = b.book
    WHERE b.account >> 56 = 4)
SELECT account, book, coalesce(h.amount, 0)::bigint AS owed, coalesce(s.amount, 0)::bigint AS folded
FROM summed s FULL JOIN held h USING (account, book) WHERE coalesce(h.amount, 0) <> coalesce(s.amount, 0) ORDER BY book, account;
