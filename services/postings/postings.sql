-- The postings consumer's and its readers' statements.

-- name: fold
-- Pack a passage of one book into a page a ledger account and bank day, and add it to the day's turnover; its entries.
WITH taken AS MATERIALIZED (
    SELECT j.sequence, j.bank_day, j.accounts, j.amounts, j.lines FROM ledger.journal j
    WHERE j.book = $1 AND j.sequence > $2 AND j.sequence <= $3),
page AS MATERIALIZED (
    SELECT u.account, p.bank_day, min(p.sequence) AS first_sequence, max(p.sequence) AS last_sequence,
        sum(greatest(u.amount, 0))::bigint AS debit, sum(greatest(-u.amount, 0))::bigint AS credit, count(*) AS postings,
        array_agg(p.sequence ORDER BY p.sequence, u.place) AS sequences,
        array_agg(u.amount ORDER BY p.sequence, u.place) AS amounts, array_agg(u.line ORDER BY p.sequence, u.place) AS lines
    FROM taken p
      CROSS JOIN LATERAL unnest(p.accounts, p.amounts, p.lines) WITH ORDINALITY AS u(account, amount, line, place)
    GROUP BY u.account, p.bank_day),
paged AS (
    INSERT INTO read_model.posting_page
        (account, bank_day, book, first_sequence, last_sequence, debit, credit, sequences, amounts, lines)
    SELECT account, bank_day, $1, first_sequence, last_sequence, debit, credit, sequences, amounts, lines FROM page),
turned AS (
    INSERT INTO read_model.day_turnover AS d (account, bank_day, book, debit, credit, postings)
    SELECT account, bank_day, $1, debit, credit, postings FROM page
    ON CONFLICT ON CONSTRAINT day_turnover_key DO UPDATE
    SET debit = d.debit + excluded.debit, credit = d.credit + excluded.credit, postings = d.postings + excluded.postings)
SELECT count(*) FROM taken;

-- name: fetch_opening
-- A ledger account's turnover before a bank day, over all books.
SELECT coalesce(sum(debit), 0)::bigint AS debit, coalesce(sum(credit), 0)::bigint AS credit
FROM read_model.day_turnover WHERE account = $1 AND bank_day < $2;

-- name: list_pages_after
-- Pages of a ledger account in a range of bank days, after a page, in the order of the statement.
SELECT bank_day, book, first_sequence, sequences, amounts, lines FROM read_model.posting_page
WHERE account = $1 AND bank_day <= $2 AND (bank_day, book, first_sequence) > ($3, $4, $5)
ORDER BY bank_day, book, first_sequence LIMIT $6;

-- name: list_day_turnovers
-- A ledger account's turnover of each bank day in a range, over all books.
SELECT bank_day, sum(debit)::bigint AS debit, sum(credit)::bigint AS credit, sum(postings)::bigint AS postings
FROM read_model.day_turnover WHERE account = $1 AND bank_day BETWEEN $2 AND $3 GROUP BY bank_day ORDER BY bank_day;
