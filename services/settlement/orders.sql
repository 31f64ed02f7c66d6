-- Writing a cut: one short transaction under the aggregator's lock.

-- name: make_aggregator
-- Give a transit account its aggregator.
INSERT INTO settlement.aggregator (transit) VALUES ($1) ON CONFLICT DO NOTHING;

-- name: lock_aggregator
-- Lock the aggregator for this transaction.
SELECT last_cut, ordered FROM settlement.aggregator WHERE transit = $1 FOR UPDATE;

-- name: next_ordinal
-- The place of the next register in a day of the transit account.
SELECT 1 + greatest(
    (SELECT coalesce(max(c.ordinal), 0) FROM settlement.cut c WHERE c.transit = $1 AND c.day = $2),
    (SELECT coalesce(max(r.ordinal), 0) FROM settlement.register r WHERE r.transit = $1 AND r.day = $2));

-- name: fetch_ledger_words
-- The first letters of the ledger's incarnation, for keys.
SELECT left(id::text, 8) FROM ledger.incarnation;

-- name: last_number
-- The highest number of a transit account's orders of a day.
SELECT coalesce(max(number), 0) FROM settlement.transfer_order WHERE transit = $1 AND day = $2;

-- name: add_cut
-- A cut.
INSERT INTO settlement.cut (transit, day, ordinal, made_at) VALUES ($1, $2, $3, $4) RETURNING cut;

-- name: add_ranges
-- Its ranges.
INSERT INTO settlement.cut_range (cut, transit, space, book, after, upto, follows, promised)
SELECT $1, $2, r.space, r.book, r.after, r.upto, nullif(r.after, 0), r.promised
FROM unnest($3::int[], $4::smallint[], $5::bigint[], $6::bigint[], $7::bigint[]) AS r(space, book, after, upto, promised);

-- name: add_taken_back
-- Corrections that the cut takes.
INSERT INTO settlement.taken_back (transit, space, book, sequence, amount, original_cut, cut)
SELECT $2, t.space, t.book, t.sequence, t.amount, coalesce(nullif(t.original_cut, 0), $1), $1
FROM unnest($3::int[], $4::smallint[], $5::bigint[], $6::bigint[], $7::bigint[]) AS t(space, book, sequence, amount, original_cut);

-- name: add_orders
-- Its orders.
INSERT INTO settlement.transfer_order (key, transit, day, number, cut, reissues, recipient, requisites, class, contract, amount,
    purpose, priority, made_at, approvals_needed, state, request)
SELECT o.key, $1, $2, o.number, $3, o.reissues, o.recipient, o.requisites, o.class, o.contract, o.amount, o.purpose, o.priority, $4,
    o.approvals, CASE WHEN o.approvals > 0 THEN 0 ELSE 1 END, o.request
FROM unnest($5::text[], $6::int[], $7::bigint[], $8::int[], $9::int[], $10::text[], $11::int[], $12::bigint[], $13::text[],
    $14::smallint[], $15::smallint[], $16::bigint[]) AS o(key, number, reissues, recipient, requisites, class, contract, amount,
    purpose, priority, approvals, request)
RETURNING key, transfer;

-- name: add_parts
-- Their parts; a part without a first cut begins with this one.
INSERT INTO settlement.order_part (transfer, account, creditor, capital, gross, claimed, commission, recovered, net, since_cut)
SELECT p.transfer, p.account, p.creditor, p.capital, p.gross, p.claimed, p.commission, p.recovered, p.net, coalesce(nullif(p.since, 0), $1)
FROM unnest($2::bigint[], $3::bigint[], $4::int[], $5::boolean[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[],
    $11::bigint[]) AS p(transfer, account, creditor, capital, gross, claimed, commission, recovered, net, since);

-- name: add_history
-- A state that orders came into, after those they have; $8 are their entries in book 0, NULL for none.
INSERT INTO settlement.order_history (transfer, nth, state, at, told_by, reason, bank_number, bank_day, sequence)
SELECT t.transfer, 1 + coalesce((SELECT max(h.nth) FROM settlement.order_history h WHERE h.transfer = t.transfer), 0), $2, $3, $4, $5,
    $6, $7, t.sequence
FROM unnest($1::bigint[], $8::bigint[]) AS t(transfer, sequence);

-- name: clear_carried
-- Lots that waited: they are in this cut.
DELETE FROM settlement.carried WHERE transit = $1;

-- name: add_carried
-- A lot that waits on.
INSERT INTO settlement.carried (transit, account, creditor, capital, gross, claimed, commission, recovered, amount, periods, days,
    sums, reason, since_cut)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14);

-- name: list_reissue_due
-- Orders whose money came back and is not paid anew, with the account that they were paid to, and of returns their newest payee. One
-- of which the bank also said that it paid (4 EXECUTED, 7 RETURNED) waits until a person has resolved that: paid anew, its money could
-- leave twice.
SELECT d.transfer, d.same_requisites, o.recipient, o.requisites, o.class, o.contract, o.purpose, o.priority, q.bank_account, q.bic,
    o.request, r.book, r.sequence, y.version AS payee_version, y.bank_account AS payee_account, y.bic AS payee_bic
FROM settlement.reissue_due d JOIN settlement.transfer_order o USING (transfer)
  JOIN settlement.order_payee q ON q.transfer = o.transfer
  LEFT JOIN settlement.return_request r ON r.request = o.request
  LEFT JOIN LATERAL (SELECT p.version, p.bank_account, p.bic FROM settlement.return_payee p WHERE p.request = o.request
      ORDER BY p.version DESC LIMIT 1) y ON true
WHERE o.transit = $1 AND NOT EXISTS (SELECT FROM settlement.parked_result p
    WHERE p.key = o.key AND p.resolved_at IS NULL AND convert_from(p.content, 'UTF8')::jsonb ->> 'state' IN ('4', '7'))
ORDER BY d.transfer;

-- name: list_parts_left
-- The parts of an order whose money came back, and what cuts kept of each.
SELECT p.account, p.creditor, p.capital, p.gross, p.claimed, p.commission, p.recovered, p.since_cut,
    coalesce((SELECT sum(k.amount) FROM settlement.reissue_kept k WHERE k.transfer = p.transfer AND k.account = p.account
        AND k.creditor = p.creditor AND k.capital = p.capital), 0)::bigint AS kept
FROM settlement.order_part p WHERE p.transfer = $1 ORDER BY p.account, p.creditor, p.capital;

-- name: list_parts
-- The parts of an order.
SELECT account, creditor, capital, gross, claimed, commission, recovered, net, since_cut
FROM settlement.order_part WHERE transfer = $1 ORDER BY account, creditor, capital;

-- name: drop_reissue_due
-- An order whose money is paid anew by this cut; its number when it was still waiting.
DELETE FROM settlement.reissue_due WHERE transfer = $1 RETURNING transfer;

-- name: move_aggregator
-- Close the cut: the aggregator's last cut, and what is ordered.
UPDATE settlement.aggregator SET last_cut = $2, ordered = ordered + $3 WHERE transit = $1 RETURNING ordered;

-- name: fetch_confirmed_at_head
-- Money confirmed on a transit account at the head of book 0: as folded, and what the consumer has not come to yet. It is a believed
-- line's cash against a clearing account or a receivable: a cover, a debt paid, or their corrections.
SELECT (coalesce((SELECT sum(c.cash) FROM settlement.confirmed c WHERE c.transit = $1), 0) + coalesce((
    SELECT sum(u.amount) FROM ledger.journal j CROSS JOIN LATERAL unnest(j.accounts, j.amounts) AS u(account, amount)
    WHERE j.book = 0 AND j.sequence > coalesce((SELECT r.sequence FROM read_model.cursor r
          WHERE r.consumer = 'settlement' AND r.book = 0), 0)
      AND j.transit = $1 AND u.account = (1::bigint << 56) + ($1::bigint << 40)
      AND EXISTS (SELECT FROM unnest(j.accounts) AS one
          WHERE one >> 40 = (2 << 16) + $1::int OR one >> 40 = (9 << 16) + $1::int)), 0))::bigint;
