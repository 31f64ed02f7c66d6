-- The journal beyond the last cuts.

-- name: sum_uncut
-- What a passage of a book owes by payable account, within the ranges of the clearing accounts. $1 transit, $2 book, $3 and $4 the
-- passage.
WITH wanted AS MATERIALIZED (SELECT * FROM unnest($5::int[], $6::bigint[], $7::bigint[]) AS w(space, after, upto))
SELECT u.account, -sum(u.amount)::bigint AS amount
FROM ledger.journal j
  CROSS JOIN LATERAL (SELECT coalesce((SELECT (one & 1099511627775)::int FROM unnest(j.accounts) AS one
      WHERE one >> 40 = (2 << 16) + $1::int LIMIT 1), 0) AS space) s
  JOIN wanted w ON w.space = s.space AND j.sequence > w.after AND j.sequence <= w.upto
  CROSS JOIN LATERAL unnest(j.accounts, j.amounts) AS u(account, amount)
WHERE j.book = $2 AND j.sequence > $3 AND j.sequence <= $4 AND u.account >> 40 = (3 << 16) + $1::int GROUP BY u.account;
