-- Advances of personal accounts and what was made of them.

-- name: list_advance_entries
-- Entries of accounts of one book that touch their advance lines (charges of kind 3), along each account's chain from its head back.
-- LIMIT 1 keeps each step a look-up by the whole key, as in list_paid.
WITH RECURSIVE chain AS (
    SELECT h.personal_account, j.sequence, j.previous
    FROM unnest($2::bigint[]) AS wanted(personal_account)
        CROSS JOIN LATERAL (SELECT * FROM ledger.account_head k
            WHERE k.book = $1 AND k.personal_account = wanted.personal_account LIMIT 1) h
        CROSS JOIN LATERAL (SELECT * FROM ledger.journal e WHERE e.book = $1 AND e.sequence = h.last_sequence LIMIT 1) j
    UNION ALL
    SELECT c.personal_account, j.sequence, j.previous
    FROM chain c
        CROSS JOIN LATERAL (SELECT * FROM ledger.journal e WHERE e.book = $1 AND e.sequence = c.previous LIMIT 1) j)
SELECT j.personal_account, j.book, j.sequence, j.kind, j.space, j.external_id, j.transit, j.value_date, j.accounts, j.amounts, j.lines
FROM chain c
    CROSS JOIN LATERAL (SELECT * FROM ledger.journal e WHERE e.book = $1 AND e.sequence = c.sequence LIMIT 1) j
WHERE j.lines && ARRAY(SELECT f.line FROM reference.charge f WHERE f.personal_account = c.personal_account AND f.kind = 3)
ORDER BY j.personal_account, j.sequence;

-- name: list_seasonal
-- Services that are charged in their season alone.
SELECT service FROM reference.seasonal_service;

-- name: list_offsets_of
-- Offsets made from an entry that nobody has reversed, the newest first; keys are "<book>:<sequence>/<n>" of space 7.
WITH RECURSIVE found AS (
    SELECT 1 AS nth, k.book, k.sequence FROM ledger.payment_key k
    WHERE k.space = 7 AND k.external_id = $1::text || '/1' AND k.sequence IS NOT NULL
    UNION ALL
    SELECT f.nth + 1, k.book, k.sequence FROM found f JOIN ledger.payment_key k
      ON k.space = 7 AND k.external_id = $1::text || '/' || (f.nth + 1) AND k.sequence IS NOT NULL)
SELECT f.book, f.sequence FROM found f
WHERE NOT EXISTS (SELECT FROM ledger.payment_key r WHERE r.space = 1
    AND r.external_id = f.book::text || ':' || f.sequence::text || '/1' AND r.sequence IS NOT NULL)
ORDER BY f.nth DESC;

-- name: list_holders
-- Accounts after $2 with charges of a period and an advance line, in ascending order, at most $3.
SELECT DISTINCT c.personal_account FROM reference.charge c
WHERE c.kind = 3 AND c.personal_account > $2 AND EXISTS (SELECT FROM reference.charge p
    WHERE p.personal_account = c.personal_account AND p.period = $1 AND p.kind = 0)
ORDER BY c.personal_account LIMIT $3;
