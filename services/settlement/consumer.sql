-- The settlement consumer's statements. A ledger account's kind stands in its top bits (ledger/chart.py): 1 transit, 2 clearing,
-- 3 payable; 16 bits of transit account and 40 bits of subject follow.

-- name: fold_promised
-- Pack a passage of a payers' book into a page a clearing account; its entries. Whatever is credited to payables past any clearing
-- counts as promised by space 0, which nothing confirms; a correction's key names what it corrects in the same book.
WITH taken AS MATERIALIZED (
    SELECT j.sequence, j.recorded_at, j.accounts, j.amounts,
        CASE WHEN j.space = 1 AND j.external_id ~ '^[0-9]{1,5}:[0-9]{1,18}/[0-9]+$' AND split_part(j.external_id, ':', 1)::int = $1::smallint
             THEN split_part(split_part(j.external_id, ':', 2), '/', 1)::bigint ELSE 0 END AS corrects
    FROM ledger.journal j WHERE j.book = $1::smallint AND j.sequence > $2 AND j.sequence <= $3),
posted AS MATERIALIZED (
    SELECT t.sequence, (u.account >> 56)::int AS kind, ((u.account >> 40) & 65535)::int AS transit,
        CASE WHEN u.account >> 56 = 2 THEN (u.account & 1099511627775)::int ELSE 0 END AS space, sum(u.amount)::bigint AS amount,
        sum(greatest(-u.amount, 0))::bigint AS credited
    FROM taken t CROSS JOIN LATERAL unnest(t.accounts, t.amounts) AS u(account, amount)
    WHERE u.account >> 56 IN (2, 3) GROUP BY 1, 2, 3, 4),
promised AS MATERIALIZED (
    SELECT p.sequence, p.transit, p.space, p.amount FROM posted p WHERE p.kind = 2
    UNION ALL
    SELECT p.sequence, p.transit, 0, p.credited FROM posted p
    WHERE p.kind = 3 AND NOT EXISTS (SELECT FROM posted c WHERE c.sequence = p.sequence AND c.transit = p.transit AND c.kind = 2)),
page AS MATERIALIZED (
    SELECT p.transit, p.space, min(p.sequence) AS first_sequence, max(p.sequence) AS last_sequence, sum(p.amount)::bigint AS total,
        array_agg(p.sequence ORDER BY p.sequence) AS sequences, array_agg(p.amount ORDER BY p.sequence) AS amounts,
        array_agg(t.corrects ORDER BY p.sequence) AS corrects, array_agg(t.recorded_at ORDER BY p.sequence) AS moments
    FROM promised p JOIN taken t USING (sequence) GROUP BY p.transit, p.space),
moved AS (
    INSERT INTO settlement.promise AS p (transit, space, book, total, last_sequence)
    SELECT g.transit, g.space, $1, g.total, g.last_sequence FROM page g
    ON CONFLICT ON CONSTRAINT promise_key DO UPDATE SET total = p.total + excluded.total, last_sequence = excluded.last_sequence
    RETURNING p.transit, p.space, p.total),
paged AS (
    INSERT INTO settlement.promise_page
        (transit, space, book, first_sequence, last_sequence, before, total, sequences, amounts, corrects, moments)
    SELECT g.transit, g.space, $1, g.first_sequence, g.last_sequence, m.total - g.total, g.total, g.sequences, g.amounts, g.corrects,
        g.moments
    FROM page g JOIN moved m USING (transit, space)),
corrected AS (
    INSERT INTO settlement.promise_correction (transit, space, book, sequence, corrects, amount)
    SELECT p.transit, p.space, $1, p.sequence, t.corrects, p.amount
    FROM promised p JOIN taken t USING (sequence) WHERE t.corrects > 0)
SELECT count(*) FROM taken;

-- name: fold_confirmed
-- Add book 0's debits of a transit account against a clearing account, covers and their corrections, to the money confirmed.
WITH taken AS MATERIALIZED (
    SELECT j.sequence, j.accounts, j.amounts FROM ledger.journal j
    WHERE j.book = $1::smallint AND j.sequence > $2 AND j.sequence <= $3),
covered AS (
    SELECT t.sequence, ((u.account >> 40) & 65535)::int AS transit,
        min(u.account & 1099511627775) FILTER (WHERE u.account >> 56 = 2) AS space,
        coalesce(sum(u.amount) FILTER (WHERE u.account >> 56 = 1), 0)::bigint AS amount
    FROM taken t CROSS JOIN LATERAL unnest(t.accounts, t.amounts) AS u(account, amount)
    WHERE u.account >> 56 IN (1, 2) GROUP BY 1, 2),
added AS (
    INSERT INTO settlement.confirmed AS c (transit, space, amount)
    SELECT transit, space::int, sum(amount)::bigint FROM covered WHERE space IS NOT NULL AND amount <> 0 GROUP BY 1, 2
    ON CONFLICT ON CONSTRAINT confirmed_key DO UPDATE SET amount = c.amount + excluded.amount)
SELECT count(*) FROM taken;
