-- The feed: the journal read by (book, sequence) in short statements (design W3).

-- name: list_books
-- Every book of the ledger, book 0 included.
SELECT book FROM ledger.book_head ORDER BY book;

-- name: list_entries_after
-- At most so many entries of one book after a place, in order.
SELECT * FROM ledger.journal WHERE book = $1 AND sequence > $2 ORDER BY sequence LIMIT $3;

-- name: find_account
-- The personal account with this principal name.
SELECT personal_account FROM reference.personal_account WHERE namespace = $1 AND number = $2;

-- name: list_account_entries
-- An account's newest entries, along the back chain from its head.
WITH RECURSIVE place AS (SELECT b.book, h.last_sequence
      FROM ledger.book_head b JOIN ledger.account_head h ON h.book = b.book AND h.personal_account = $1),
chain AS (
    SELECT j.*, 1 AS nth FROM place p JOIN ledger.journal j ON j.book = p.book AND j.sequence = p.last_sequence
    UNION ALL
    SELECT j.*, c.nth + 1 FROM chain c JOIN ledger.journal j ON j.book = c.book AND j.sequence = c.previous WHERE c.nth < $2)
SELECT * FROM chain ORDER BY nth;

-- name: list_heads
-- The last sequence of every book, 0 for an empty one.
SELECT h.book, coalesce((SELECT j.sequence FROM ledger.journal j WHERE j.book = h.book ORDER BY j.sequence DESC LIMIT 1), 0) AS head
FROM ledger.book_head h ORDER BY h.book;

-- name: fetch_head
-- The last sequence of one book.
SELECT coalesce((SELECT j.sequence FROM ledger.journal j WHERE j.book = $1 ORDER BY j.sequence DESC LIMIT 1), 0);

-- name: make_cursors
-- Give a consumer a cursor in every book, at the beginning; those it has stay where they are.
INSERT INTO read_model.cursor (consumer, book) SELECT $1, h.book FROM ledger.book_head h ON CONFLICT DO NOTHING;

-- name: lock_cursor
-- Lock a consumer's cursor of one book for this transaction; no row when another runner holds it.
SELECT sequence FROM read_model.cursor WHERE consumer = $1 AND book = $2 FOR UPDATE SKIP LOCKED;

-- name: move_cursor
-- Move a cursor by compare.
UPDATE read_model.cursor SET sequence = $4 WHERE consumer = $1 AND book = $2 AND sequence = $3 RETURNING sequence;

-- name: list_cursors
-- How far a consumer has come in every book.
SELECT book, sequence FROM read_model.cursor WHERE consumer = $1 ORDER BY book;

-- name: list_lags
-- How far a consumer is behind the head of every book: entries, and the age in milliseconds of the oldest it has not taken.
SELECT c.book, greatest(h.head - c.sequence, 0) AS entries,
    coalesce((SELECT greatest((extract(epoch FROM clock_timestamp() - j.recorded_at) * 1000)::bigint, 0) FROM ledger.journal j
              WHERE j.book = c.book AND j.sequence = c.sequence + 1), 0) AS age_ms
FROM read_model.cursor c
  CROSS JOIN LATERAL (SELECT coalesce(max(k.sequence), 0) AS head FROM ledger.journal k WHERE k.book = c.book) h
WHERE c.consumer = $1 ORDER BY c.book;
