-- What settlement must be able to show at any time.

-- name: find_overdrawn
-- The first entry of book 0 at which a transit account has more ordered, less what came back, than confirmed. A cover, and its
-- correction, is a debit of the transit account against a clearing account; kinds 8, 10, 11 create, undo and return orders.
WITH moved AS (
    SELECT j.sequence, ((u.account >> 40) & 65535)::int AS transit,
        sum(CASE WHEN u.account >> 56 = 1 AND EXISTS (SELECT FROM unnest(j.accounts) AS one WHERE one >> 56 = 2) THEN u.amount
                 ELSE 0 END) AS confirmed,
        sum(CASE WHEN u.account >> 56 = 6 AND j.kind IN (8, 10) THEN -u.amount WHEN u.account >> 56 = 1 AND j.kind = 11 THEN -u.amount
                 ELSE 0 END) AS ordered
    FROM ledger.journal j CROSS JOIN LATERAL unnest(j.accounts, j.amounts) AS u(account, amount)
    WHERE j.book = 0 AND u.account >> 56 IN (1, 6) GROUP BY 1, 2)
SELECT r.sequence, r.transit, r.ordered::bigint, r.confirmed::bigint
FROM (SELECT m.sequence, m.transit, sum(m.confirmed) OVER w AS confirmed, sum(m.ordered) OVER w AS ordered
      FROM moved m WINDOW w AS (PARTITION BY m.transit ORDER BY m.sequence)) r
WHERE r.ordered > r.confirmed ORDER BY r.sequence LIMIT 1;

-- name: find_untiled
-- The first range that does not start where the one before it ends, and the first page that does not add up.
SELECT 'range' AS what, r.transit, r.space, r.book, r.after AS place
FROM (SELECT g.*, lag(g.upto, 1, 0::bigint) OVER (PARTITION BY g.transit, g.space, g.book ORDER BY g.upto) AS ended
      FROM settlement.cut_range g) r WHERE r.after <> r.ended
UNION ALL
SELECT 'page', p.transit, p.space, p.book, p.first_sequence
FROM (SELECT q.transit, q.space, q.book, q.first_sequence, q.before, q.total,
          lag(q.before + q.total, 1, 0::bigint) OVER (PARTITION BY q.transit, q.space, q.book ORDER BY q.last_sequence) AS carried,
          (SELECT sum(one) FROM unnest(q.amounts) AS one) AS found
      FROM settlement.promise_page q) p WHERE p.before <> p.carried OR p.total <> p.found
ORDER BY 1, 2, 3, 4, 5 LIMIT 1;

-- name: find_unequal_order
-- The first order whose parts, entry and history do not say the same: what it pays by account, and that its entry is there.
SELECT o.key, o.amount, p.net, j.sequence
FROM settlement.transfer_order o
  LEFT JOIN LATERAL (SELECT sum(q.net)::bigint AS net FROM settlement.order_part q WHERE q.transfer = o.transfer) p ON true
  LEFT JOIN ledger.payment_key k ON k.space = 3 AND k.external_id = 'order/' || o.key || '/created'
  LEFT JOIN ledger.journal j ON j.book = k.book AND j.sequence = k.sequence
WHERE p.net IS DISTINCT FROM o.amount OR j.amount IS DISTINCT FROM o.amount
   OR EXISTS (SELECT FROM (SELECT q.account, sum(q.net) AS net FROM settlement.order_part q WHERE q.transfer = o.transfer GROUP BY 1) a
        FULL JOIN (SELECT u.account, u.amount FROM unnest(j.accounts, j.amounts) AS u(account, amount) WHERE u.amount > 0) e
          USING (account) WHERE a.net IS DISTINCT FROM e.amount)
ORDER BY o.transfer LIMIT 1;

-- name: find_untold_state
-- The first order whose state is not the last of its history, or whose end has no entry in book 0.
SELECT o.key, o.state, h.state AS told
FROM settlement.transfer_order o
  LEFT JOIN LATERAL (SELECT g.state, g.sequence FROM settlement.order_history g WHERE g.transfer = o.transfer ORDER BY g.nth DESC LIMIT 1) h
    ON true
  LEFT JOIN ledger.payment_key k ON k.space = 3 AND k.external_id = 'order/' || o.key || CASE o.state
      WHEN 4 THEN '/executed' WHEN 5 THEN '/rejected' WHEN 6 THEN '/cancelled' WHEN 7 THEN '/returned' ELSE '/created' END
WHERE h.state IS DISTINCT FROM o.state OR k.sequence IS NULL ORDER BY o.transfer LIMIT 1;

-- name: list_under_way
-- Kopecks of orders under way, and of orders that did not come back, by transit account, with what the aggregator holds.
SELECT a.transit, a.ordered,
    coalesce(sum(o.amount) FILTER (WHERE o.state IN (0, 1, 2, 3, 8)), 0)::bigint AS under_way,
    coalesce(sum(o.amount) FILTER (WHERE o.state NOT IN (5, 6, 7)), 0)::bigint AS outstanding
FROM settlement.aggregator a LEFT JOIN settlement.transfer_order o USING (transit) GROUP BY a.transit, a.ordered ORDER BY a.transit;

-- name: find_misfunded
-- The first clearing account more of whose promises are cut than its money bears.
SELECT p.transit, p.space, sum(p.promised)::bigint AS promised, c.confirmed - d.debt + t.taken AS money
FROM (SELECT DISTINCT ON (g.transit, g.space, g.book) g.transit, g.space, g.book, g.promised FROM settlement.cut_range g
      ORDER BY g.transit, g.space, g.book, g.upto DESC) p
  CROSS JOIN LATERAL (SELECT coalesce(sum(f.amount), 0)::bigint AS confirmed FROM settlement.confirmed f
      WHERE f.transit = p.transit AND f.space = p.space) c
  CROSS JOIN LATERAL (SELECT coalesce(sum(e.amount), 0)::bigint AS debt FROM settlement.debt e
      WHERE e.transit = p.transit AND e.space = p.space) d
  CROSS JOIN LATERAL (SELECT coalesce(sum(b.amount), 0)::bigint AS taken FROM settlement.taken_back b
      WHERE b.transit = p.transit AND b.space = p.space) t
GROUP BY p.transit, p.space, c.confirmed, d.debt, t.taken HAVING sum(p.promised) > c.confirmed - d.debt + t.taken
ORDER BY p.transit, p.space LIMIT 1;

-- name: list_held_back
-- Kopecks of each payable and fee account that are cut and not ordered: carried, or come back and not paid anew.
SELECT account, sum(amount)::bigint AS amount FROM (
    SELECT c.account, c.amount FROM settlement.carried c
    UNION ALL
    SELECT p.account, p.net FROM settlement.reissue_due d JOIN settlement.order_part p USING (transfer)) one
GROUP BY account;

-- name: list_debt_totals
-- What recipients owe for money taken back after it was ordered, by transit account and recipient.
SELECT transit, recipient, sum(amount)::bigint AS amount FROM settlement.debt GROUP BY transit, recipient HAVING sum(amount) <> 0;

-- name: list_uncut
-- The end of the last range of every chain, and how far the consumer has come in its book.
SELECT p.transit, p.space, p.book, coalesce(max(g.upto), 0) AS after, coalesce(min(c.sequence), 0) AS upto
FROM settlement.promise p LEFT JOIN settlement.cut_range g USING (transit, space, book)
  LEFT JOIN read_model.cursor c ON c.consumer = 'settlement' AND c.book = p.book GROUP BY p.transit, p.space, p.book;

-- name: list_taken_ahead
-- What cuts have taken back beyond the end of the last range of its chain, by payable account.
SELECT u.account, sum(u.amount)::bigint AS amount
FROM settlement.taken_back t JOIN ledger.journal j ON j.book = t.book AND j.sequence = t.sequence
  CROSS JOIN LATERAL unnest(j.accounts, j.amounts) AS u(account, amount)
WHERE u.account >> 40 = (3 << 16) + t.transit AND t.sequence > coalesce((SELECT max(g.upto) FROM settlement.cut_range g
    WHERE g.transit = t.transit AND g.space = t.space AND g.book = t.book), 0) GROUP BY u.account;

-- name: list_payable_accounts
-- Payable accounts that the books hold, as far as the balances consumer has come.
SELECT DISTINCT account FROM read_model.balance WHERE account >> 56 IN (3, 6) ORDER BY account;

-- name: list_waiting
-- Money that waits on the transit account: carried lots, orders that came back, orders under way, with the day it is of.
SELECT c.transit, c.days[1] AS since, c.amount, c.reason, c.account::text AS what FROM settlement.carried c WHERE c.amount > 0
UNION ALL
SELECT o.transit, o.day, o.amount, d.reason, o.key FROM settlement.reissue_due d JOIN settlement.transfer_order o USING (transfer)
UNION ALL
SELECT o.transit, o.day, o.amount, 'поручение в пути', o.key FROM settlement.transfer_order o WHERE o.state IN (0, 1, 2, 3, 8)
ORDER BY 2, 5;
