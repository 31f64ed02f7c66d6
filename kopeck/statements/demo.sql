-- What the demo asks of the ledger to prepare itself and to show itself.

-- name: count_accounts
-- How many accounts of a namespace are loaded, and how many of their tables are not yet published.
SELECT (SELECT count(*) FROM reference.personal_account WHERE namespace = $1) AS accounts,
    (SELECT count(*) FROM reference.table_due) AS due

-- name: is_billed
-- Whether the period was printed and no run of it is under way: the town is settled, by this program or by an earlier one.
SELECT EXISTS (SELECT FROM reference.printed_total t WHERE t.period = $1)
    AND NOT EXISTS (SELECT FROM billing.run r WHERE r.period = $1 AND r.state IN ('draft', 'checked', 'approved', 'publishing'))

-- name: list_printed
-- What the accounts of a namespace were printed for a period, in both pools together.
SELECT a.number, sum(t.amount)::bigint AS total FROM reference.printed_total t JOIN reference.personal_account a USING (personal_account)
WHERE a.namespace = $1 AND t.period = $2 GROUP BY a.number

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

-- name: sum_of_transits
-- Debits less credits of all transit accounts (kind 1) in book 0, where statements and transfers are booked.
SELECT coalesce(sum(u.amount), 0)::bigint FROM ledger.journal j CROSS JOIN LATERAL unnest(j.accounts, j.amounts) AS u(account, amount)
WHERE j.book = 0 AND u.account >> 56 = 1

-- name: find_transit
-- The number of a transit account.
SELECT transit FROM reference.transit_account WHERE account = $1

-- name: count_contracts
-- How many contracts are known.
SELECT count(*) FROM settlement.contract

-- name: count_rule_sets
-- How many sets of rules of classification were ever loaded.
SELECT count(*) FROM bank.rule_set
