-- History that penalties are recalculated over: bills by the reference, credits by the journal. Accounts come by pages of their
-- numbers and are looked up by whole keys, so that a page costs the same in a large ledger.

-- name: list_accounts_after
-- Accounts after $1 that have principal of the periods $2 … $3, at most $4; books: how many the ledger was created with.
SELECT a.personal_account, a.namespace, a.number, (SELECT i.books FROM ledger.incarnation i) AS books
FROM reference.personal_account a
WHERE a.personal_account > $1
    AND EXISTS (SELECT FROM reference.charge c WHERE c.personal_account = a.personal_account AND c.kind = 0 AND c.period BETWEEN $2 AND $3)
ORDER BY a.personal_account LIMIT $4;

-- name: list_house_accounts_after
-- The same of the accounts that the house of code $5 has, or had.
SELECT a.personal_account, a.namespace, a.number, (SELECT i.books FROM ledger.incarnation i) AS books
FROM reference.personal_account a
WHERE a.personal_account > $1
    AND a.personal_account IN (SELECT l.personal_account FROM housing.house h JOIN housing.premises p USING (house)
        JOIN housing.live_account l USING (premises) WHERE h.code = $5 AND l.state = 0)
    AND EXISTS (SELECT FROM reference.charge c WHERE c.personal_account = a.personal_account AND c.kind = 0 AND c.period BETWEEN $2 AND $3)
ORDER BY a.personal_account LIMIT $4;

-- name: knows_house
-- Whether the housing stock has the house.
SELECT EXISTS (SELECT FROM housing.house h WHERE h.code = $1);

-- name: list_charges
-- Lines of principal of these accounts in the periods $2 … $3, by account and line.
SELECT c.personal_account, c.line, r.code AS creditor, c.period, c.pool, c.amount, c.due_date
FROM unnest($1::bigint[]) AS wanted(personal_account)
    CROSS JOIN LATERAL (SELECT * FROM reference.charge f WHERE f.personal_account = wanted.personal_account
        AND f.kind = 0 AND f.period BETWEEN $2 AND $3) c
    JOIN reference.recipient r ON r.recipient = c.creditor
ORDER BY c.personal_account, c.line;

-- name: list_entries
-- Every entry of these accounts ($1 books, $2 accounts), along their chains from the heads back, in the order recorded.
-- LIMIT 1 keeps each step a look-up by the whole key.
WITH RECURSIVE chain AS (
    SELECT h.book, h.personal_account, j.sequence, j.previous, j.kind, j.space, j.external_id, j.value_date, j.lines, j.amounts
    FROM unnest($1::smallint[], $2::bigint[]) AS wanted(book, personal_account)
        CROSS JOIN LATERAL (SELECT * FROM ledger.account_head k
            WHERE k.book = wanted.book AND k.personal_account = wanted.personal_account LIMIT 1) h
        CROSS JOIN LATERAL (SELECT * FROM ledger.journal e WHERE e.book = h.book AND e.sequence = h.last_sequence LIMIT 1) j
    UNION ALL
    SELECT c.book, c.personal_account, j.sequence, j.previous, j.kind, j.space, j.external_id, j.value_date, j.lines, j.amounts
    FROM chain c
        CROSS JOIN LATERAL (SELECT * FROM ledger.journal e WHERE e.book = c.book AND e.sequence = c.previous LIMIT 1) j)
SELECT c.personal_account, c.sequence, c.kind, c.space, c.external_id, c.value_date, c.lines, c.amounts
FROM chain c ORDER BY c.personal_account, c.sequence;
