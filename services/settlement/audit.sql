-- What settlement must be able to show at any time.

-- name: find_overdrawn
-- The first entry of book 0 at which a transit account has more ordered, less what came back, than confirmed. Money is confirmed by a
-- debit of the transit account against a clearing account (a cover) or a receivable (a debt paid), and by their corrections; kinds 8,
-- 10, 11 create, undo and return orders.
WITH moved AS (
    SELECT j.sequence, ((u.account >> 40) & 65535)::int AS transit,
        sum(CASE WHEN u.account >> 56 = 1 AND EXISTS (SELECT FROM unnest(j.accounts) AS one WHERE one >> 56 IN (2, 9)) THEN u.amount
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
SELECT p.transit, p.space, sum(p.promised)::bigint AS promised, c.confirmed - d.debt + t.taken + k.kept AS money
FROM (SELECT DISTINCT ON (g.transit, g.space, g.book) g.transit, g.space, g.book, g.promised FROM settlement.cut_range g
      ORDER BY g.transit, g.space, g.book, g.upto DESC) p
  CROSS JOIN LATERAL (SELECT coalesce(sum(f.amount), 0)::bigint AS confirmed FROM settlement.confirmed f
      WHERE f.transit = p.transit AND f.space = p.space) c
  CROSS JOIN LATERAL (SELECT coalesce(sum(e.amount), 0)::bigint AS debt FROM settlement.debt e
      WHERE e.transit = p.transit AND e.space = p.space) d
  CROSS JOIN LATERAL (SELECT coalesce(sum(b.amount), 0)::bigint AS taken FROM settlement.taken_back b
      WHERE b.transit = p.transit AND b.space = p.space) t
  CROSS JOIN LATERAL (SELECT coalesce(sum(f.amount), 0)::bigint AS kept FROM settlement.deduction f
      WHERE f.transit = p.transit AND f.space = p.space AND f.cut IS NOT NULL) k
WHERE p.space > 0
GROUP BY p.transit, p.space, c.confirmed, d.debt, t.taken, k.kept HAVING sum(p.promised) > c.confirmed - d.debt + t.taken + k.kept
ORDER BY p.transit, p.space LIMIT 1;

-- name: list_held_back
-- Kopecks of each payable and fee account that are cut and not ordered: carried, or come back and not paid anew.
SELECT account, sum(amount)::bigint AS amount FROM (
    SELECT c.account, c.amount FROM settlement.carried c
    UNION ALL
    SELECT p.account, p.net - coalesce((SELECT sum(k.amount) FROM settlement.reissue_kept k WHERE k.transfer = p.transfer
        AND k.account = p.account AND k.creditor = p.creditor AND k.capital = p.capital), 0)
    FROM settlement.reissue_due d JOIN settlement.order_part p USING (transfer)
    UNION ALL
    -- What cuts have not taken of moves: given, and (below nought) taken back.
    SELECT u.account, -u.amount - coalesce((SELECT sum(t.amount) FROM settlement.moved t WHERE t.transit = m.transit
        AND t.book = m.book AND t.sequence = m.sequence AND t.place = u.place), 0)
    FROM settlement.move m JOIN ledger.journal j ON j.book = m.book AND j.sequence = m.sequence
      CROSS JOIN LATERAL unnest(j.accounts, j.amounts) WITH ORDINALITY AS u(account, amount, place)
    WHERE NOT m.done AND u.account >> 40 = (3 << 16) + m.transit) one
GROUP BY account;

-- name: list_owed
-- What parties owe by claims, less their deposits, by transit account and party.
SELECT transit, recipient, sum(amount)::bigint AS amount FROM (
    SELECT c.transit, c.recipient, c."left" AS amount FROM settlement.claim c
    UNION ALL
    SELECT d.transit, d.recipient, -d.amount FROM settlement.deposit d) one
GROUP BY transit, recipient;

-- name: find_uncovered_return
-- The first order that gives a payer back what is not covered: its refund is not done with, or its request is of another sum.
SELECT o.key FROM settlement.transfer_order o JOIN settlement.return_request q ON q.request = o.request
WHERE o.reissues IS NULL AND (o.amount <> q.amount OR EXISTS (SELECT FROM settlement.move m
    WHERE m.transit = q.transit AND m.book = q.book AND m.sequence = q.sequence AND NOT m.done)) ORDER BY o.transfer LIMIT 1;

-- name: find_unpaid_claim
-- The first claim whose payments do not make up what it has become less by.
SELECT c.claim FROM settlement.claim c
  LEFT JOIN LATERAL (SELECT sum(p.amount) AS paid FROM settlement.claim_payment p WHERE p.claim = c.claim) p ON true
WHERE c.amount - c."left" <> coalesce(p.paid, 0) ORDER BY c.claim LIMIT 1;

-- name: find_overmoved
-- The first posting of a move of which cuts have taken more than there is, and the first move done with that they have not taken all of.
SELECT m.book, m.sequence FROM settlement.move m JOIN ledger.journal j ON j.book = m.book AND j.sequence = m.sequence
  CROSS JOIN LATERAL unnest(j.accounts, j.amounts) WITH ORDINALITY AS u(account, amount, place)
  LEFT JOIN LATERAL (SELECT sum(t.amount)::bigint AS amount FROM settlement.moved t WHERE t.transit = m.transit AND t.book = m.book
      AND t.sequence = m.sequence AND t.place = u.place) t ON true
WHERE u.account >> 40 = (3 << 16) + m.transit
  AND (abs(coalesce(t.amount, 0)) > abs(u.amount) OR coalesce(t.amount, 0) * u.amount > 0 OR m.done AND coalesce(t.amount, 0) <> -u.amount)
ORDER BY m.book, m.sequence LIMIT 1;

-- name: list_uncut
-- The end of the last range of every chain, and how far the consumer has come in its book.
SELECT p.transit, p.space, p.book, coalesce(max(g.upto), 0) AS after, coalesce(min(c.sequence), 0) AS upto
FROM settlement.promise p LEFT JOIN settlement.cut_range g USING (transit, space, book)
  LEFT JOIN read_model.cursor c ON c.consumer = 'settlement' AND c.book = p.book WHERE p.space > 0 GROUP BY p.transit, p.space, p.book;

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

-- name: list_receivables
-- What parties owe by the balances of book 0, as far as their consumer has come, when settlement's has come as far.
SELECT ((b.account >> 40) & 65535)::int AS transit, (b.account & 1099511627775)::int AS recipient, (b.debit - b.credit)::bigint AS amount
FROM read_model.balance b WHERE b.account >> 56 = 9 AND b.book = 0
  AND (SELECT r.sequence FROM read_model.cursor r WHERE r.consumer = 'balances' AND r.book = 0)
    = (SELECT r.sequence FROM read_model.cursor r WHERE r.consumer = 'settlement' AND r.book = 0);

-- name: list_waiting
-- Money that waits on the transit account: carried lots, orders that came back, orders under way, with the day it is of.
SELECT c.transit, c.days[1] AS since, c.amount, c.reason, c.account::text AS what FROM settlement.carried c WHERE c.amount > 0
UNION ALL
SELECT o.transit, o.day, o.amount, d.reason, o.key FROM settlement.reissue_due d JOIN settlement.transfer_order o USING (transfer)
UNION ALL
SELECT o.transit, o.day, o.amount, 'поручение в пути', o.key FROM settlement.transfer_order o WHERE o.state IN (0, 1, 2, 3, 8)
ORDER BY 2, 5;
