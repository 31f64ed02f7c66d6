-- The suspense consumer's statements. A ledger account's kind stands in its top bits (ledger/chart.py): 4 suspense.

-- name: count_entries
-- How many entries the passage holds.
SELECT count(*) FROM ledger.journal WHERE book = $1::smallint AND sequence > $2 AND sequence <= $3;

-- name: list_entries
-- The passage's entries that touch a suspense account or belong to a release, in order.
SELECT j.* FROM ledger.journal j
WHERE j.book = $1::smallint AND j.sequence > $2 AND j.sequence <= $3
  AND (j.kind = 15 OR EXISTS (SELECT FROM unnest(j.accounts) AS u(account) WHERE u.account >> 56 = 4))
ORDER BY j.sequence;

-- name: open_item
-- Record a new item.
INSERT INTO suspense.item (book, sequence, transit, channel, space, external_id, amount, reason, account, candidates, named,
    personal_account, event_at, value_date, bank_day)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15);

-- name: add_release
-- Record a part that was given away, unless those who decided it have recorded it with its entry; true when it is new. Its arrival
-- in another book may have been read before it.
INSERT INTO suspense.release (book, item, part, sequence, amount, personal_account, transfer, arrived_book, arrived_sequence)
SELECT $1, $2, $3, $4, $5, $6, $7, k.book, k.sequence FROM (VALUES (true)) AS one(row)
  LEFT JOIN ledger.payment_key k ON $7::bigint IS NOT NULL AND k.space = 4
    AND k.external_id = $1::smallint || ':' || $2::bigint || '/' || $3::int || '/in' AND k.sequence IS NOT NULL
ON CONFLICT ON CONSTRAINT release_key DO NOTHING RETURNING true;

-- name: take_released
-- Take a released part from what remains of its item; what it had no longer is overdrawn.
UPDATE suspense.item SET released = released + $3::bigint, overdrawn = overdrawn + greatest($3 - remains, 0)
WHERE book = $1 AND sequence = $2;

-- name: take_reversed
-- Take what a correction took back from what remains of its item; what it had no longer is overdrawn. True when there is the item.
UPDATE suspense.item SET reversed = reversed + $3::bigint, overdrawn = overdrawn + greatest($3 - remains, 0)
WHERE book = $1 AND sequence = $2 RETURNING true;

-- name: mark_arrived
-- Record where a part arrived that had departed for another book.
UPDATE suspense.release SET arrived_book = $4, arrived_sequence = $5
WHERE book = $1 AND item = $2 AND part = $3 AND arrived_sequence IS NULL AND came_back IS NULL;

-- name: mark_come_back
-- Record that a part came back, and put it back to its item; nothing when that was recorded.
WITH back AS (
    UPDATE suspense.release SET came_back = $4, why = $5
    WHERE book = $1 AND item = $2 AND part = $3 AND came_back IS NULL AND arrived_sequence IS NULL RETURNING book, item, amount)
UPDATE suspense.item i SET released = i.released - b.amount FROM back b WHERE i.book = b.book AND i.sequence = b.item;

-- name: add_beside
-- Add to what stands on a suspense account and is no item's.
INSERT INTO suspense.beside AS s (transit, channel, book, kind, amount) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT ON CONSTRAINT beside_key DO UPDATE SET amount = s.amount + excluded.amount;
