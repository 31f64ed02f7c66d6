-- The snapshot of a month that is closed.

-- name: hold_charges
-- Nobody changes charges until this transaction ends: what comes later is seen as coming later.
LOCK TABLE reference.charge IN SHARE MODE

-- name: has_later
-- Whether a later month of the provider was closed already.
SELECT EXISTS (SELECT FROM saldo.closing c WHERE c.provider = $1 AND c.period >= $2)

-- name: add_cells
-- Cells that no snapshot has named yet.
INSERT INTO saldo.cell (creditor, payee, period, kind, pool)
SELECT DISTINCT p.creditor, p.payee, p.period, p.kind, p.pool FROM saldo_part p
WHERE NOT EXISTS (SELECT FROM saldo.cell c WHERE c.creditor = p.creditor AND c.payee = p.payee AND c.period = p.period
    AND c.kind = p.kind AND c.pool = p.pool)
ON CONFLICT DO NOTHING

-- name: add_snapshot
-- What every account owes by cell.
INSERT INTO saldo.snapshot (provider, period, account, house, cells, sums)
SELECT $1, $2, s.account, s.house, coalesce(o.cells, '{}'), coalesce(o.sums, '{}')
FROM saldo_place s LEFT JOIN (
    SELECT g.account, array_agg(g.cell ORDER BY g.cell) AS cells, array_agg(g.amount ORDER BY g.cell) AS sums
    FROM (SELECT p.account, c.cell, sum(p.amount)::bigint AS amount FROM saldo_part p
        JOIN saldo.cell c USING (creditor, payee, period, kind, pool) GROUP BY p.account, c.cell HAVING sum(p.amount) <> 0) g
    GROUP BY g.account) o ON o.account = s.account
WHERE s.is_here

-- name: add_turnover
-- The sheet by house.
INSERT INTO saldo.turnover
SELECT $1, $2, r.house, r.creditor, r.payee, r.kind, r.pool, sum(r.opening_debt), sum(r.opening_advance), sum(r.charged),
    sum(r.recalculated), sum(r.late), sum(r.opened), sum(r.paid), sum(r.elsewhere), sum(r.reversed), sum(r.refunded), sum(r.reassigned),
    sum(r.offsets), sum(r.other), sum(r.moved), sum(r.closing_debt), sum(r.closing_advance)
FROM saldo_row r GROUP BY r.house, r.creditor, r.payee, r.kind, r.pool

-- name: add_closing
-- The closing with its cut ($4 books, $5 read up to): entries are settled up to the first one of a later day.
INSERT INTO saldo.closing (provider, period, last_day, books, sequences, settled, closed_at)
SELECT $1, $2, $3, array_agg(w.book ORDER BY w.book), array_agg(w.upto ORDER BY w.book),
    array_agg(coalesce(l.sequence - 1, w.upto) ORDER BY w.book), $7
FROM unnest($4::smallint[], $5::bigint[], $6::bigint[]) AS w(book, upto, after)
    LEFT JOIN LATERAL (SELECT min(j.sequence) AS sequence FROM ledger.journal j
        WHERE j.book = w.book AND j.sequence > w.after AND j.sequence <= w.upto AND j.bank_day > $3) l ON true
