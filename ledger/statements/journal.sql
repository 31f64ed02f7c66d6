-- name: append
-- Offer one batch of one book to the ledger's door; answers come in any order, by ord.
SELECT ord, status, book, sequence, outcome, reason, recorded_at, fingerprint
FROM ledger.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20);

-- name: find_key
-- What is stored under one payment key, the entry's reason and moment included.
SELECT k.book, k.sequence, k.outcome, k.fingerprint, j.reason, j.recorded_at
FROM ledger.payment_key k LEFT JOIN ledger.journal j ON j.book = k.book AND j.sequence = k.sequence
WHERE k.space = $1 AND k.external_id = $2;

-- name: fetch_entry
-- One entry by its place.
SELECT * FROM ledger.journal WHERE book = $1 AND sequence = $2;

-- name: fetch_books
-- How many payers' books this ledger was created with.
SELECT books FROM ledger.incarnation;

-- name: create_incarnation
-- Create the ledger with its number of books; a second creation changes nothing.
INSERT INTO ledger.incarnation (books) VALUES ($1) ON CONFLICT DO NOTHING;

-- name: create_heads
-- Create the head rows of book 0 and of every payers' book.
INSERT INTO ledger.book_head (book) SELECT generate_series(0, (SELECT books FROM ledger.incarnation)) ON CONFLICT DO NOTHING;

-- name: park
-- Keep what must be looked at by a person; the same content is kept once.
INSERT INTO intake.parked (what, transit, channel, space, external_id, content, content_digest)
VALUES ($1, $2, $3, $4, $5, $6, sha256(convert_to($6, 'UTF8'))) ON CONFLICT ON CONSTRAINT parked_once DO NOTHING;

-- name: mark_due
-- Have an account's table built again: a reversal may bring back a tier that the table had dropped as paid.
INSERT INTO reference.table_due (personal_account) VALUES ($1)
ON CONFLICT (personal_account) DO UPDATE SET since = clock_timestamp();
