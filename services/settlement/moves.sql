-- What a cut reads beside the chains of promises: moves, claims, deductions, returns, money that came back. Nothing is locked.

-- name: list_moves
-- Moves of a transit account that are not done: with the clearing account and the cut of the entry at their root (NULL: none), how
-- their origin stands where it is a move itself, whether the other half of a reassignment is done, and their designation.
WITH RECURSIVE open AS MATERIALIZED (
    SELECT m.* FROM settlement.move m WHERE m.transit = $1 AND NOT m.done),
climb AS (
    SELECT o.book, o.sequence, o.origin_book AS at_book, o.origin AS at, 0 AS depth FROM open o
    UNION ALL
    SELECT c.book, c.sequence, n.origin_book, n.origin, c.depth + 1 FROM climb c
      JOIN settlement.move n ON n.transit = $1 AND n.book = c.at_book AND n.sequence = c.at WHERE c.depth < 16),
root AS (SELECT DISTINCT ON (c.book, c.sequence) c.book, c.sequence, c.at_book, c.at FROM climb c
    ORDER BY c.book, c.sequence, c.depth DESC)
SELECT o.book, o.sequence, o.kind, o.origin_book, o.origin, o.nth, o.departs OR o.debited > 0 OR o.refunded > 0 AS takes, o.refunded, r.at_book AS root_book, r.at AS root,
    s.space, g.cut AS root_cut, n.sequence IS NOT NULL AS origin_moves, coalesce(n.done, false) AS origin_done,
    (SELECT max(t.cut) FROM settlement.moved t WHERE t.transit = $1 AND t.book = o.origin_book AND t.sequence = o.origin) AS origin_cut,
    EXISTS (SELECT FROM settlement.move d WHERE d.origin_book = o.origin_book AND d.origin = o.origin AND d.nth = o.nth
        AND d.departs AND d.done) AS half_done,
    e.designation
FROM open o JOIN root r ON r.book = o.book AND r.sequence = o.sequence
  JOIN ledger.journal e ON e.book = o.book AND e.sequence = o.sequence
  LEFT JOIN ledger.journal j ON j.book = r.at_book AND j.sequence = r.at
  CROSS JOIN LATERAL (SELECT (SELECT (one & 1099511627775)::int FROM unnest(j.accounts) AS one
      WHERE one >> 40 = (2 << 16) + $1::int LIMIT 1) AS space) s
  LEFT JOIN LATERAL (SELECT q.cut FROM settlement.cut_range q WHERE q.transit = $1 AND q.space = s.space AND q.book = r.at_book
      AND q.upto >= r.at AND q.after < r.at ORDER BY q.upto LIMIT 1) g ON true
  LEFT JOIN settlement.move n ON n.transit = $1 AND n.book = o.origin_book AND n.sequence = o.origin
ORDER BY o.book, o.sequence;

-- name: list_legs
-- Payables that moves give (above nought) and take, with the charge line's creditor, pool and period, less what cuts took of them;
-- kept: what a recipient kept of the origin's on the account because it had been paid it before, less what was taken back of that.
SELECT w.book, w.sequence, u.place::int, u.account, coalesce(c.creditor, 0) AS creditor, coalesce(c.pool = 1, false) AS capital,
    coalesce(c.period, 0) AS period, (-u.amount - coalesce((SELECT sum(t.amount) FROM settlement.moved t WHERE t.transit = $1
        AND t.book = w.book AND t.sequence = w.sequence AND t.place = u.place), 0))::bigint AS amount,
    coalesce((SELECT sum(t.amount) FROM settlement.move m
          JOIN settlement.move o ON o.transit = $1 AND ((o.book, o.sequence) = (m.origin_book, m.origin)
            OR (o.origin_book, o.origin) = (m.origin_book, m.origin))
          JOIN settlement.moved t ON t.transit = $1 AND t.book = o.book AND t.sequence = o.sequence AND t.original_cut = -1
            AND (t.amount < 0 OR (o.book, o.sequence) = (m.origin_book, m.origin))
          JOIN ledger.journal e ON e.book = t.book AND e.sequence = t.sequence AND e.accounts[t.place] = u.account
      WHERE m.transit = $1 AND m.book = w.book AND m.sequence = w.sequence AND m.origin > 0), 0)::bigint AS kept
FROM unnest($2::smallint[], $3::bigint[]) AS w(book, sequence) JOIN ledger.journal j ON j.book = w.book AND j.sequence = w.sequence
  CROSS JOIN LATERAL unnest(j.accounts, j.amounts, j.lines) WITH ORDINALITY AS u(account, amount, line, place)
  LEFT JOIN reference.charge c ON c.personal_account = j.personal_account AND c.line = u.line
WHERE u.account >> 40 = (3 << 16) + $1::int ORDER BY 1, 2, 3;

-- name: list_claims
-- Open claims of a transit account, the oldest first, and whether somebody stopped keeping them back.
SELECT c.claim, c.recipient, c.why, c.space, c.account, c.creditor, c.capital, c.original_cut, c.book, c.sequence, c."left",
    coalesce((SELECT s.stopped FROM settlement.claim_stop s WHERE s.claim = c.claim ORDER BY s.stop DESC LIMIT 1), false) AS stopped
FROM settlement.claim c WHERE c.transit = $1 AND c."left" > 0 ORDER BY c.claim;

-- name: list_deposits
-- What parties paid beyond their claims.
SELECT recipient, amount FROM settlement.deposit WHERE transit = $1 AND amount > 0;

-- name: list_deductions
-- Refunds that counterparties keep and no cut counts yet; is_taken: cuts have taken the refund.
SELECT k.space, k.book, k.sequence, k.refund, k.amount,
    coalesce(m.done OR m.debited = 0 OR EXISTS (SELECT FROM settlement.moved t
        WHERE t.transit = k.transit AND t.book = k.book AND t.sequence = k.refund), false) AS is_taken
FROM settlement.deduction k
  LEFT JOIN settlement.move m ON m.transit = k.transit AND m.book = k.book AND m.sequence = k.refund
WHERE k.transit = $1 AND k.cut IS NULL ORDER BY k.book, k.sequence;

-- name: list_returns
-- Returns that have no order and were not withdrawn, with the newest version of their payee; how the entry that holds the money
-- stands: its cut where it has a clearing account, whether it is a move and done; and what the journal says is still in suspense.
SELECT q.request, q.account, q.book, q.sequence, q.amount, q.purpose, p.version, p.bank_account, p.bic, s.space, g.cut,
    m.sequence IS NOT NULL AS moves, coalesce(m.done, false) AS done
FROM settlement.return_request q
  JOIN LATERAL (SELECT y.version, y.bank_account, y.bic FROM settlement.return_payee y WHERE y.request = q.request
      ORDER BY y.version DESC LIMIT 1) p ON true
  JOIN ledger.journal j ON j.book = q.book AND j.sequence = q.sequence
  CROSS JOIN LATERAL (SELECT (SELECT (one & 1099511627775)::int FROM unnest(j.accounts) AS one
      WHERE one >> 40 = (2 << 16) + $1::int LIMIT 1) AS space) s
  LEFT JOIN LATERAL (SELECT r.cut FROM settlement.cut_range r WHERE r.transit = $1 AND r.space = s.space AND r.book = q.book
      AND r.upto >= q.sequence AND r.after < q.sequence ORDER BY r.upto LIMIT 1) g ON true
  LEFT JOIN settlement.move m ON m.transit = $1 AND m.book = q.book AND m.sequence = q.sequence
WHERE q.transit = $1 AND NOT EXISTS (SELECT FROM settlement.transfer_order o WHERE o.request = q.request)
  AND NOT EXISTS (SELECT FROM settlement.return_withdrawn w WHERE w.request = q.request)
ORDER BY q.request;

-- name: list_come_back
-- Parts of orders whose money came back and is not paid anew, less what was kept of them, with the cuts that their lines lie in.
WITH RECURSIVE chain AS (
    SELECT d.transfer, o.reissues, o.cut FROM settlement.reissue_due d JOIN settlement.transfer_order o USING (transfer)
    WHERE o.transit = $1
    UNION ALL
    SELECT c.transfer, o.reissues, o.cut FROM chain c JOIN settlement.transfer_order o ON o.transfer = c.reissues)
SELECT p.transfer, p.account, p.creditor, p.capital, p.since_cut, c.cut AS last_cut,
    (p.net - coalesce((SELECT sum(k.amount) FROM settlement.reissue_kept k WHERE k.transfer = p.transfer AND k.account = p.account
        AND k.creditor = p.creditor AND k.capital = p.capital), 0))::bigint AS "left"
FROM chain c JOIN settlement.order_part p ON p.transfer = c.transfer WHERE c.reissues IS NULL
ORDER BY p.transfer, p.account, p.creditor, p.capital;
