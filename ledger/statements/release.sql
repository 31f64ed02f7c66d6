-- The door of releases: what an entry left in suspense and what has become of it, by the journal's own keys.

-- name: fetch_left
-- How many kopecks an entry has left in suspense after everything that its keys and their corrections took or gave back, and
-- that is to go back to its payer by an order of settlement.
WITH RECURSIVE touched AS (
    SELECT j.book, j.sequence, j.accounts, j.amounts FROM ledger.journal j WHERE j.book = $1::smallint AND j.sequence = $2::bigint
    UNION ALL
    SELECT f.* FROM touched t CROSS JOIN LATERAL (
        SELECT j.book, j.sequence, j.accounts, j.amounts
        FROM generate_series(1, $3::int) AS p(part) CROSS JOIN (VALUES (1, ''), (4, ''), (4, '/back')) AS k(space, suffix)
          JOIN ledger.payment_key y ON y.space = k.space
            AND y.external_id = t.book || ':' || t.sequence || '/' || p.part || k.suffix
          JOIN ledger.journal j ON j.book = y.book AND j.sequence = y.sequence
        WHERE j.book = t.book AND j.sequence > t.sequence) f)
SELECT (coalesce(-sum(u.amount), 0) - (
    SELECT coalesce(sum(r.amount), 0) FROM settlement.return_request r
    WHERE r.book = $1 AND r.sequence = $2 AND r.account >> 56 = 4
      AND NOT EXISTS (SELECT FROM settlement.return_withdrawn w WHERE w.request = r.request)))::bigint
FROM touched t CROSS JOIN LATERAL unnest(t.accounts, t.amounts) AS u(account, amount)
WHERE u.account >> 56 = 4;

-- name: lock_left
-- One at a time asks, after its own writing, what an entry has left: until the end of the transaction.
SELECT pg_advisory_xact_lock(hashtextextended('ledger.suspended/' || $1::text || ':' || $2::text, 0));

-- name: list_releases
-- Entries that released parts of an entry, and the arrivals of those that went to another book, in order of the parts.
SELECT k.external_id, k.book, k.sequence FROM generate_series(1, $3::int) AS p(part) CROSS JOIN (VALUES (''), ('/in'), ('/back')) AS s(suffix)
  JOIN ledger.payment_key k ON k.space = 4 AND k.external_id = $1::text || ':' || $2::text || '/' || p.part || s.suffix
WHERE k.sequence IS NOT NULL ORDER BY p.part, k.external_id;

-- name: take_transfer_number
-- The next number of a ledger account in_transfer.
SELECT nextval('ledger.transfer_number');
