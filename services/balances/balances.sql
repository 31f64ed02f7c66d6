-- The balances consumer's own statement.

-- name: fold
-- Add a passage of one book to the turnover of every ledger account it touches; how many entries it held.
WITH taken AS MATERIALIZED (
    SELECT j.sequence, j.accounts, j.amounts FROM ledger.journal j WHERE j.book = $1 AND j.sequence > $2 AND j.sequence <= $3),
turnover AS (
    SELECT u.account, sum(greatest(u.amount, 0))::bigint AS debit, sum(greatest(-u.amount, 0))::bigint AS credit,
        count(*) FILTER (WHERE u.place = array_position(t.accounts, u.account)) AS entries
    FROM taken t CROSS JOIN LATERAL unnest(t.accounts, t.amounts) WITH ORDINALITY AS u(account, amount, place)
    GROUP BY u.account),
written AS (
    INSERT INTO read_model.balance AS b (account, book, debit, credit, entries)
    SELECT account, $1, debit, credit, entries FROM turnover
    ON CONFLICT ON CONSTRAINT balance_key DO UPDATE
    SET debit = b.debit + excluded.debit, credit = b.credit + excluded.credit, entries = b.entries + excluded.entries)
SELECT count(*) FROM taken;
