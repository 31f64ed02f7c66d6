-- Which entries and charges a month, or a day, is made of.

-- name: find_provider
-- A recipient's number by its code.
SELECT recipient FROM reference.recipient WHERE code = $1

-- name: list_providers
-- Providers that have personal accounts.
SELECT r.recipient, r.code FROM reference.recipient r
WHERE EXISTS (SELECT FROM reference.personal_account p WHERE p.provider = r.recipient)
    OR EXISTS (SELECT FROM saldo.closing c WHERE c.provider = r.recipient) ORDER BY r.code

-- name: find_closing
-- The closing of a month, if it was closed with balances.
SELECT provider, period, last_day, books, sequences, settled FROM saldo.closing WHERE provider = $1 AND period = $2

-- name: find_closing_before
-- The newest closing of a month before $2 that ended by $3.
SELECT provider, period, last_day, books, sequences, settled FROM saldo.closing
WHERE provider = $1 AND period < $2 AND last_day <= $3 ORDER BY period DESC LIMIT 1

-- name: list_heads
-- The last entry of every book.
SELECT h.book, coalesce((SELECT j.sequence FROM ledger.journal j WHERE j.book = h.book ORDER BY j.sequence DESC LIMIT 1), 0) AS sequence
FROM ledger.book_head h ORDER BY h.book
