-- Corrections of an entry, which are numbered from 1 without a gap.

-- name: list_corrections
-- Every correction of an entry in order, by the keys "<book>:<sequence>/<n>" of space 1.
WITH RECURSIVE found AS (
    SELECT 1 AS nth, k.book, k.sequence FROM ledger.payment_key k
    WHERE k.space = 1 AND k.external_id = $1::text || '/1' AND k.sequence IS NOT NULL
    UNION ALL
    SELECT f.nth + 1, k.book, k.sequence FROM found f JOIN ledger.payment_key k
      ON k.space = 1 AND k.external_id = $1::text || '/' || (f.nth + 1) AND k.sequence IS NOT NULL)
SELECT j.* FROM found f JOIN ledger.journal j ON j.book = f.book AND j.sequence = f.sequence ORDER BY f.nth;

-- name: take_transfer_number
-- The number of the next ledger account between two personal accounts.
SELECT nextval('ledger.transfer_number');
