-- Charges that come from memory or from other tables, with their accounts already known; the rest is charges.sql.

-- name: wait_for_loads
-- Keeps loads of files out until this transaction ends, and waits for a running one no longer than this.
SELECT pg_advisory_xact_lock($2) FROM (SELECT set_config('lock_timeout', $1, true) AS told OFFSET 0) s WHERE s.told <> ''

-- name: share_loads
-- Keeps loads of files out until this transaction ends, beside others who share that, and waits for a running one no longer than this.
SELECT pg_advisory_xact_lock_shared($2) FROM (SELECT set_config('lock_timeout', $1, true) AS told OFFSET 0) s WHERE s.told <> ''

-- name: make_resolved
-- The accounts of the rows, by the key under which the rows are staged.
CREATE TEMP TABLE resolved_key (key int, line_no int, name text, personal_account bigint, matches int)

-- name: keep_known
-- A known line keeps its limitation period and opening balance: whoever calculates charges says nothing of them.
UPDATE incoming i SET limitation_until = c.limitation_until, paid = c.opening_paid, advance = c.opening_advance,
    holder = c.opening_holder, opening_differs = false, fate = CASE WHEN i.charge_differs THEN 2 ELSE 1 END
FROM reference.charge c WHERE i.fate > 0 AND c.personal_account = i.personal_account AND c.line = i.line

-- name: leave_out_nothing_new
-- A line that is not there yet and charges nothing is not made.
DELETE FROM incoming i WHERE i.fate = 0 AND i.amount = 0

-- name: accounts_of_rows
-- The accounts that these rows belong to.
SELECT DISTINCT i.personal_account FROM incoming i WHERE i.line_no = ANY($1::int[])

-- name: leave_out
-- Takes accounts out of what is to be written.
DELETE FROM incoming i WHERE i.personal_account = ANY($1::bigint[])

-- name: list_touched
-- Accounts whose lines are new or differ.
SELECT DISTINCT i.personal_account FROM incoming i WHERE i.fate <> 1 ORDER BY 1

-- name: print_totals
-- What documents print, where it is new or differs; the tables of those accounts are to be built again.
WITH told AS (
    SELECT * FROM unnest($1::bigint[], $2::smallint[], $3::bigint[]) AS w(personal_account, pool, amount)),
printed AS (
    INSERT INTO reference.printed_total AS t (personal_account, period, pool, amount)
    SELECT w.personal_account, $4, w.pool, w.amount FROM told w
    ON CONFLICT ON CONSTRAINT printed_total_key DO UPDATE SET amount = excluded.amount WHERE t.amount <> excluded.amount
    RETURNING t.personal_account)
INSERT INTO reference.table_due (personal_account) SELECT DISTINCT p.personal_account FROM printed p
ON CONFLICT (personal_account) DO UPDATE SET since = excluded.since
