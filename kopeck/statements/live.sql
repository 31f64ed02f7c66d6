-- Cheap reads for the live view: the tail of each book by primary key, and the folded balances.

-- name: list_latest
-- The newest entries of every payers' book.
SELECT j.book, j.sequence, j.recorded_at, j.kind, j.amount, j.reason, j.external_id, j.accounts, j.amounts, c.name AS channel,
    a.number
FROM ledger.book_head h
CROSS JOIN LATERAL (SELECT * FROM ledger.journal x WHERE x.book = h.book ORDER BY x.sequence DESC LIMIT $1) j
LEFT JOIN reference.channel c ON c.channel = j.channel
LEFT JOIN reference.personal_account a ON a.personal_account = j.personal_account
ORDER BY j.recorded_at DESC, j.book, j.sequence DESC LIMIT $1

-- name: list_balances
-- Turnover of every ledger account as the consumer has folded it.
SELECT account, sum(debit)::bigint AS debit, sum(credit)::bigint AS credit FROM read_model.balance GROUP BY account

-- name: list_payees
-- Names of recipients by payee number.
SELECT p.payee, r.name, p.service FROM reference.payee p JOIN reference.recipient r USING (recipient)

-- name: list_transfers
-- The newest transfer orders.
SELECT t.number, t.day, t.state, t.amount, t.class, r.name FROM settlement.transfer_order t
JOIN reference.recipient r USING (recipient) ORDER BY t.transfer DESC LIMIT $1

-- name: list_receipts
-- The newest registered receipts.
SELECT s.fd, s.fpd, s.total, s.registered_at, r.name FROM (SELECT * FROM fiscal.receipt ORDER BY number DESC LIMIT 4 * $1) f
JOIN fiscal.sign s ON s.receipt = f.number JOIN reference.recipient r ON r.recipient = f.issuer ORDER BY f.number DESC LIMIT $1

-- name: list_spaces
-- What was promised in each operation space and what the statement or a feed has covered, as the consumer has folded it: a row a day
-- of payers and space.
SELECT s.name AS space, coalesce(p.payments, 0)::bigint AS payments, coalesce(p.promised, 0)::bigint AS promised,
    coalesce(c.amount, 0)::bigint AS covered
FROM (SELECT d.space, sum(d.payments) AS payments, sum(d.promised) AS promised FROM bank.promised_day d GROUP BY d.space) p
FULL JOIN (SELECT b.space, sum(b.amount) AS amount FROM bank.covered b GROUP BY b.space) c USING (space)
JOIN reference.operation_space s USING (space) ORDER BY s.name

-- name: count_waiting
-- What waits for a person or for booking: items of suspense and lines of statements, both by the indexes of what is open.
SELECT (SELECT count(*) FROM suspense.item i WHERE i.remains > 0) AS items,
    (SELECT coalesce(sum(i.remains), 0)::bigint FROM suspense.item i WHERE i.remains > 0) AS amount,
    (SELECT count(*) FROM bank.line l WHERE l.class IS NULL OR l.sequence IS NULL AND l.class NOT IN ('own_order', 'returned_order'))
        AS lines
