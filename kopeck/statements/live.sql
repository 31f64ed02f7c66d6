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
