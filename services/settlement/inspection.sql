-- Transfer orders as people look for them. Readers only.

-- name: list_transfers
-- Orders, the newest first, all or those of a day, a state, a recipient, a register (the one it left in or names in its purpose),
-- a number, some keys; with the last thing told of each and the bank's own number.
SELECT o.transfer, o.key, t.account AS transit_account, o.day, o.number, y.code AS recipient, y.name AS recipient_name,
    o.class AS purpose_class, o.amount AS amount_kopecks, o.purpose, o.state, o.approvals_needed,
    (SELECT count(*) FROM settlement.approval a WHERE a.transfer = o.transfer)::int AS approvals,
    coalesce(g.transit || '-' || to_char(g.day, 'YYMMDD') || '-' || g.ordinal, '') AS register,
    coalesce(h.at, o.made_at) AS since, coalesce(h.reason, '') AS reason,
    coalesce(b.bank_number, '') AS bank_number, b.bank_day,
    EXISTS (SELECT FROM settlement.reissue_due d WHERE d.transfer = o.transfer) AS awaits_reissue
FROM settlement.transfer_order o
  JOIN reference.transit_account t ON t.transit = o.transit
  JOIN settlement.order_payee y ON y.transfer = o.transfer
  JOIN settlement.cut c ON c.cut = o.cut
  LEFT JOIN settlement.register g ON g.register = o.register
  LEFT JOIN LATERAL (SELECT l.at, l.reason FROM settlement.order_history l WHERE l.transfer = o.transfer ORDER BY l.nth DESC LIMIT 1) h
    ON true
  LEFT JOIN LATERAL (SELECT l.bank_number, l.bank_day FROM settlement.order_history l
      WHERE l.transfer = o.transfer AND l.bank_number <> '' ORDER BY l.nth DESC LIMIT 1) b ON true
WHERE ($1::date IS NULL OR o.day = $1) AND ($2::smallint IS NULL OR o.state = $2) AND ($3::text IS NULL OR y.code = $3)
  AND ($4::int IS NULL OR (g.transit = $4 AND g.day = $5 AND g.ordinal = $6) OR (c.transit = $4 AND c.day = $5 AND c.ordinal = $6))
  AND ($7::int IS NULL OR o.number = $7) AND ($8::text[] IS NULL OR o.key = ANY ($8))
ORDER BY o.day DESC, o.transit, o.number DESC LIMIT $9;

-- name: fetch_particulars
-- What else an order was made with, the chain of reissues it stands in, and its register on its way to the bank.
SELECT o.requisites, q.bank_account, q.bic, q.name AS payee_name, q.inn, coalesce(k.code, '') AS contract,
    o.priority, o.made_at, o.cut, coalesce(e.key, '') AS reissues, coalesce(n.key, '') AS reissued_by,
    coalesce(d.reason, '') AS reissue_reason, coalesce(d.same_requisites, false) AS same_requisites,
    coalesce(s.signer, '') AS signer, s.signed_at, x.state AS delivery, coalesce(x.reason, '') AS delivery_reason
FROM settlement.transfer_order o
  JOIN settlement.order_payee q ON q.transfer = o.transfer
  LEFT JOIN settlement.contract k ON k.contract = o.contract
  LEFT JOIN settlement.transfer_order e ON e.transfer = o.reissues
  LEFT JOIN settlement.transfer_order n ON n.reissues = o.transfer
  LEFT JOIN settlement.reissue_due d ON d.transfer = o.transfer
  LEFT JOIN settlement.register_signature s ON s.register = o.register
  LEFT JOIN delivery.outgoing x ON x.what = 'transfer' AND x.subject = o.register
WHERE o.transfer = $1;

-- name: list_parts
-- The parts of an order.
SELECT p.account, coalesce(r.code, '') AS creditor, p.capital, p.gross AS gross_kopecks, p.claimed AS claimed_kopecks,
    p.commission AS commission_kopecks, p.recovered AS recovered_kopecks, p.net AS net_kopecks, p.since_cut
FROM settlement.order_part p LEFT JOIN reference.recipient r ON r.recipient = p.creditor
WHERE p.transfer = $1 ORDER BY p.account, p.creditor, p.capital;

-- name: list_ranges
-- The ranges that an order's lines lie in: of the cuts from its parts' first to that of the first order of its chain of reissues.
WITH RECURSIVE chain AS (
    SELECT o.transfer, o.reissues, o.cut, o.transit FROM settlement.transfer_order o WHERE o.transfer = $1
    UNION ALL
    SELECT o.transfer, o.reissues, o.cut, o.transit FROM chain c JOIN settlement.transfer_order o ON o.transfer = c.reissues)
SELECT g.cut, u.day, coalesce(s.name, '') AS space, g.book, g.after, g.upto
FROM chain c
  JOIN settlement.cut_range g ON g.transit = c.transit AND g.cut <= c.cut
    AND g.cut >= (SELECT min(p.since_cut) FROM settlement.order_part p WHERE p.transfer = $1)
  JOIN settlement.cut u ON u.cut = g.cut
  LEFT JOIN reference.operation_space s ON s.space = g.space
WHERE c.reissues IS NULL ORDER BY g.cut, g.space, g.book;

-- name: list_history
-- Every state an order came into.
SELECT state, at, told_by, reason, bank_number, bank_day, sequence FROM settlement.order_history WHERE transfer = $1 ORDER BY nth;

-- name: list_approvals
-- Who has approved an order.
SELECT person, at FROM settlement.approval WHERE transfer = $1 ORDER BY at, person;
