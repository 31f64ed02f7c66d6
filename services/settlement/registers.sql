-- Registers of orders on their way to the bank, and registers of the payments that an order pays.

-- name: list_cuts_to_send
-- Cuts of a transit account since a day that have approved orders not sent yet, but for some recipients, and of returns to payers
-- those given ($4), the oldest first, and whether the register's place is free.
SELECT c.cut, c.day, c.ordinal,
    NOT EXISTS (SELECT FROM settlement.register r WHERE r.transit = c.transit AND r.day = c.day AND r.ordinal = c.ordinal) AS is_free
FROM settlement.cut c
WHERE c.transit = $1 AND c.day >= $2 AND EXISTS (SELECT FROM settlement.transfer_order o
    WHERE o.cut = c.cut AND o.state = 1 AND o.register IS NULL AND (o.request IS NULL AND o.recipient <> ALL ($3::int[]) OR o.transfer = ANY ($4::bigint[])))
ORDER BY c.cut;

-- name: list_orders_to_send
-- Approved orders of a cut, locked, with the requisites they were made with.
SELECT o.transfer, o.key, o.number, o.day, o.amount, o.purpose, o.class, o.priority, q.name, q.inn, q.kpp, q.bank_account, q.bic, q.kbk,
    q.oktmo
FROM settlement.transfer_order o JOIN settlement.order_payee q ON q.transfer = o.transfer
WHERE o.cut = $1 AND o.state = 1 AND o.register IS NULL AND (o.request IS NULL AND o.recipient <> ALL ($3::int[]) OR o.transfer = ANY ($4::bigint[]))
ORDER BY o.number LIMIT $2 FOR UPDATE OF o;

-- name: list_returns_to_send
-- Approved returns to payers since a day that have not left, with their payees' sealed names.
SELECT o.transfer, o.key, o.number, o.day, o.amount, o.purpose, o.class, o.priority, o.request, y.sealed_name, y.inn, y.kpp,
    y.bank_account, y.bic, '' AS kbk, '' AS oktmo FROM settlement.transfer_order o
  JOIN settlement.return_payee y ON y.request = o.request AND y.version = o.requisites
WHERE o.transit = $1 AND o.day >= $2 AND o.state = 1 AND o.register IS NULL ORDER BY o.transfer;

-- name: add_register
-- A register that leaves.
INSERT INTO settlement.register (transit, day, ordinal, orders, total, sent_at) VALUES ($1, $2, $3, $4, $5, $6) RETURNING register;

-- name: send_orders
-- Orders of a register; 2 is SENT.
UPDATE settlement.transfer_order SET register = $1, state = 2 WHERE transfer = ANY ($2::bigint[]);

-- name: add_outgoing
-- The register as an order of delivery.
INSERT INTO delivery.outgoing (what, subject, counterparty, key, content) VALUES ('transfer', $1, $2, $3, $4);

-- name: find_order
-- An order with the cuts that its lines lie in: from its parts' first to that of the first order of its chain.
WITH RECURSIVE chain AS (
    SELECT o.transfer, o.reissues, o.cut FROM settlement.transfer_order o WHERE o.key = $1
    UNION ALL
    SELECT o.transfer, o.reissues, o.cut FROM chain c JOIN settlement.transfer_order o ON o.transfer = c.reissues)
SELECT o.transfer, o.transit, o.amount, o.day, o.class,
    (SELECT c.cut FROM chain c WHERE c.reissues IS NULL) AS last_cut
FROM settlement.transfer_order o WHERE o.key = $1;

-- name: list_ranges
-- Ranges of the cuts of a transit account between two, with each cut's day.
SELECT g.cut, c.day, g.space, g.book, g.after, g.upto, g.promised FROM settlement.cut_range g JOIN settlement.cut c USING (cut)
WHERE g.transit = $1 AND g.cut BETWEEN $2 AND $3 ORDER BY g.cut, g.space, g.book;

-- name: list_lines
-- Payments of a passage within the ranges that touch some payable accounts: kopecks by account, creditor, pool and period, without
-- corrections of entries cut earlier.
WITH wanted AS MATERIALIZED (SELECT * FROM unnest($5::int[], $6::bigint[], $7::bigint[]) AS w(space, after, upto))
SELECT j.book, j.sequence, j.kind, j.personal_account, j.external_id, j.space, s.space AS chain, j.channel, j.event_at, j.value_date, a.number AS account_number, u.account,
    coalesce(c.creditor, 0) AS creditor, coalesce(c.pool = 1, false) AS capital, coalesce(c.period, 0) AS period, p.service, -u.amount AS amount
FROM ledger.journal j
  CROSS JOIN LATERAL (SELECT coalesce((SELECT (one & 1099511627775)::int FROM unnest(j.accounts) AS one
      WHERE one >> 40 = (2 << 16) + $1::int LIMIT 1), 0) AS space) s
  JOIN wanted w ON w.space = s.space AND j.sequence > w.after AND j.sequence <= w.upto
  CROSS JOIN LATERAL unnest(j.accounts, j.amounts, j.lines) WITH ORDINALITY AS u(account, amount, line, place)
  LEFT JOIN reference.charge c ON c.personal_account = j.personal_account AND c.line = u.line
  LEFT JOIN reference.personal_account a ON a.personal_account = j.personal_account
  LEFT JOIN reference.payee p ON p.payee = (u.account & 1099511627775)
WHERE j.book = $2 AND j.sequence > $3 AND j.sequence <= $4 AND u.account = ANY ($8::bigint[])
  AND NOT (j.space = 1 AND w.space > 0 AND EXISTS (SELECT FROM settlement.promise_correction k
      WHERE k.transit = $1 AND k.space = w.space AND k.book = j.book AND k.sequence = j.sequence AND k.corrects <= w.after))
ORDER BY j.sequence, u.place;

-- name: list_cuts
-- Cuts of a transit account between two, in order.
SELECT cut, day FROM settlement.cut WHERE transit = $1 AND cut BETWEEN $2 AND $3 ORDER BY cut;

-- name: list_undone
-- Entries of a cut in a book that corrections beyond its ranges, or moves that the same cut took, take back.
SELECT k.corrects FROM settlement.taken_back t JOIN settlement.promise_correction k USING (transit, space, book, sequence)
WHERE t.cut = $1 AND t.original_cut = $1 AND t.book = $2
UNION
SELECT m.origin FROM settlement.moved t JOIN settlement.move m USING (transit, book, sequence)
WHERE t.cut = $1 AND t.amount < 0 AND t.original_cut = 0 AND m.origin_book = $2 ORDER BY 1;

-- name: list_moved_lines
-- What a cut took of moves for some payable accounts, posting by posting; below nought what was taken back.
SELECT j.book, j.sequence, j.kind, j.personal_account, j.external_id, j.space, 0 AS chain, j.channel, j.event_at, j.value_date,
    a.number AS account_number, u.account, coalesce(c.creditor, 0) AS creditor, coalesce(c.pool = 1, false) AS capital,
    coalesce(c.period, 0) AS period, p.service, t.amount
FROM settlement.moved t JOIN ledger.journal j ON j.book = t.book AND j.sequence = t.sequence
  CROSS JOIN LATERAL (SELECT j.accounts[t.place] AS account, j.lines[t.place] AS line) u
  LEFT JOIN reference.charge c ON c.personal_account = j.personal_account AND c.line = u.line
  LEFT JOIN reference.personal_account a ON a.personal_account = j.personal_account
  LEFT JOIN reference.payee p ON p.payee = (u.account & 1099511627775)
WHERE t.cut = $1 AND u.account = ANY ($2::bigint[]) ORDER BY j.book, j.sequence, t.place, t.original_cut;

-- name: find_returned
-- The entry whose money an order gives back to its payer.
SELECT j.book, j.sequence, j.space, j.external_id, j.value_date, a.number AS account_number, o.amount
FROM settlement.transfer_order o JOIN settlement.return_request q ON q.request = o.request
  JOIN ledger.journal j ON j.book = q.book AND j.sequence = q.sequence
  LEFT JOIN reference.personal_account a ON a.personal_account = j.personal_account WHERE o.key = $1;

-- name: list_taken_lines
-- What a cut took back of some payable accounts, entry by entry.
SELECT j.book, j.sequence, j.kind, j.personal_account, j.external_id, j.space, t.space AS chain, j.channel, j.event_at, j.value_date,
    a.number AS account_number, u.account, coalesce(c.creditor, 0) AS creditor, coalesce(c.pool = 1, false) AS capital,
    coalesce(c.period, 0) AS period, p.service, -u.amount AS amount
FROM settlement.taken_back t JOIN ledger.journal j ON j.book = t.book AND j.sequence = t.sequence
  CROSS JOIN LATERAL unnest(j.accounts, j.amounts, j.lines) WITH ORDINALITY AS u(account, amount, line, place)
  LEFT JOIN reference.charge c ON c.personal_account = j.personal_account AND c.line = u.line
  LEFT JOIN reference.personal_account a ON a.personal_account = j.personal_account
  LEFT JOIN reference.payee p ON p.payee = (u.account & 1099511627775)
WHERE t.cut = $1 AND u.account = ANY ($2::bigint[]) ORDER BY j.book, j.sequence, u.place;
