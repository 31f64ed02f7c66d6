-- The clearing consumer's statements. A ledger account's kind stands in its top bits (ledger/chart.py): 2 is clearing; 16 bits of
-- transit account and 40 bits of operation space follow.

-- name: fold_promised
-- Add a passage of a payers' book to what is promised by clearing account and payers' day; its entries. A correction counts on the
-- day of what it corrects, which its key names.
WITH taken AS MATERIALIZED (
    SELECT j.sequence, j.accounts, j.amounts, coalesce(c.value_date, j.value_date) AS day
    FROM ledger.journal j
      LEFT JOIN LATERAL (SELECT o.value_date FROM ledger.journal o
          WHERE j.space = 1 AND j.external_id ~ '^[0-9]{1,5}:[0-9]{1,18}/[0-9]+$' AND o.book = split_part(j.external_id, ':', 1)::int::smallint
            AND o.sequence = split_part(split_part(j.external_id, ':', 2), '/', 1)::bigint LIMIT 1) c ON true
    WHERE j.book = $1::smallint AND j.sequence > $2 AND j.sequence <= $3),
promised AS (
    SELECT ((u.account >> 40) & 65535)::int AS transit, (u.account & 1099511627775)::int AS space, t.day,
        sum(u.amount)::bigint AS amount, (count(*) FILTER (WHERE u.amount > 0) - count(*) FILTER (WHERE u.amount < 0))::bigint AS payments
    FROM taken t CROSS JOIN LATERAL unnest(t.accounts, t.amounts) AS u(account, amount)
    WHERE u.account >> 56 = 2 GROUP BY 1, 2, 3),
added AS (
    INSERT INTO bank.promised_day AS p (transit, space, day, promised, payments)
    SELECT transit, space, day, amount, payments FROM promised
    ON CONFLICT ON CONSTRAINT promised_day_key DO UPDATE
      SET promised = p.promised + excluded.promised, payments = p.payments + excluded.payments)
SELECT count(*) FROM taken;

-- name: fold_covered
-- Add what book 0 credits to clearing accounts to what is covered; its entries.
WITH taken AS MATERIALIZED (
    SELECT j.accounts, j.amounts FROM ledger.journal j WHERE j.book = $1::smallint AND j.sequence > $2 AND j.sequence <= $3),
covered AS (
    SELECT ((u.account >> 40) & 65535)::int AS transit, (u.account & 1099511627775)::int AS space, -sum(u.amount)::bigint AS amount
    FROM taken t CROSS JOIN LATERAL unnest(t.accounts, t.amounts) AS u(account, amount)
    WHERE u.account >> 56 = 2 GROUP BY 1, 2),
added AS (
    INSERT INTO bank.covered AS c (transit, space, amount) SELECT transit, space, amount FROM covered
    ON CONFLICT ON CONSTRAINT covered_key DO UPDATE SET amount = c.amount + excluded.amount)
SELECT count(*) FROM taken;
