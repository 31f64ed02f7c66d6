-- What the demo asks of the ledger to prepare itself and to show itself.

-- name: count_accounts
-- How many accounts of a namespace are loaded, and how many of their tables are not yet published.
SELECT (SELECT count(*) FROM reference.personal_account WHERE namespace = $1) AS accounts,
    (SELECT count(*) FROM reference.table_due) AS due

-- name: list_loaded
-- Kinds of files that were ever loaded.
SELECT DISTINCT what FROM reference.loaded_file

-- name: list_open_accounts
-- Open accounts of a namespace in an order of no meaning, with the sum their current document prints in the main pool.
SELECT a.number, t.amount AS total FROM reference.personal_account a
JOIN reference.printed_total t ON t.personal_account = a.personal_account AND t.pool = 0 AND t.period = $2
WHERE a.namespace = $1 AND a.state = 0 AND t.amount > 0
ORDER BY hashint8(a.personal_account), a.personal_account LIMIT $3

-- name: list_closed_accounts
-- Closed accounts of a namespace, in the order of their numbers.
SELECT number FROM reference.personal_account WHERE namespace = $1 AND state = 2 ORDER BY number LIMIT $2

-- name: list_payable_accounts
-- Open accounts of a namespace with what their current document printed in the main pool, the longest unpaid first.
SELECT a.number, t.amount AS total FROM reference.personal_account a
JOIN reference.printed_total t ON t.personal_account = a.personal_account AND t.pool = 0 AND t.period = $2
LEFT JOIN ledger.account_head h ON h.personal_account = a.personal_account
WHERE a.namespace = $1 AND a.state = 0 AND t.amount > 0
ORDER BY coalesce(h.last_sequence, 0), hashint8(a.personal_account), a.personal_account LIMIT $3
