-- Where the money of one entry is. Readers only.

-- name: list_legs
-- What an entry owes by payable account, creditor and pool, with its clearing account (0: none), in the order of its postings.
SELECT u.account, coalesce(c.creditor, 0) AS creditor, coalesce(c.pool = 1, false) AS capital, -sum(u.amount)::bigint AS amount, s.space
FROM ledger.journal j
  CROSS JOIN LATERAL (SELECT coalesce((SELECT (one & 1099511627775)::int FROM unnest(j.accounts) AS one
      WHERE one >> 40 = (2 << 16) + j.transit LIMIT 1), 0) AS space) s
  CROSS JOIN LATERAL unnest(j.accounts, j.amounts, j.lines) WITH ORDINALITY AS u(account, amount, line, place)
  LEFT JOIN reference.charge c ON c.personal_account = j.personal_account AND c.line = u.line
WHERE j.book = $1 AND j.sequence = $2 AND u.account >> 40 = (3 << 16) + j.transit
GROUP BY 1, 2, 3, 5 ORDER BY min(u.place);

-- name: find_cut
-- The cut whose range of a clearing account holds an entry.
SELECT g.cut, c.day, g.after, g.upto FROM settlement.cut_range g JOIN settlement.cut c ON c.cut = g.cut
WHERE g.transit = $1 AND g.space = $2 AND g.book = $3 AND g.upto >= $4 AND g.after < $4 ORDER BY g.upto LIMIT 1;

-- name: find_moving_cut
-- The last cut that took what a move gives.
SELECT t.cut, c.day, 0::bigint AS after, 0::bigint AS upto FROM settlement.moved t JOIN settlement.cut c ON c.cut = t.cut
WHERE t.transit = $1 AND t.book = $2 AND t.sequence = $3 AND t.amount > 0 ORDER BY t.cut DESC LIMIT 1;

-- name: list_orders
-- The order that pays a lot's money of a cut, and those that pay it anew, in order.
WITH RECURSIVE first AS (
    SELECT o.transfer FROM settlement.transfer_order o JOIN settlement.order_part p ON p.transfer = o.transfer
    WHERE p.account = $1 AND p.creditor = $2 AND p.capital = $3 AND p.since_cut <= $4 AND o.cut >= $4 AND o.reissues IS NULL
    ORDER BY o.cut LIMIT 1),
chain AS (
    SELECT f.transfer, 0 AS turn FROM first f
    UNION ALL
    SELECT o.transfer, c.turn + 1 FROM chain c JOIN settlement.transfer_order o ON o.reissues = c.transfer)
SELECT o.key FROM chain c JOIN settlement.transfer_order o ON o.transfer = c.transfer ORDER BY c.turn;

-- name: find_carried
-- Why a lot's money of a cut waits.
SELECT reason FROM settlement.carried
WHERE transit = $1 AND account = $2 AND creditor = $3 AND capital = $4 AND since_cut <= $5 AND amount > 0;
