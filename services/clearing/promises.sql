-- What clearing accounts still promise.

-- name: list_new_registers
-- Registers whose lines have their outcomes and whose promise is not known yet.
SELECT r.register FROM intake.register r
WHERE r.booked_at IS NOT NULL AND NOT EXISTS (SELECT FROM bank.register_promise p WHERE p.register = r.register) ORDER BY r.register LIMIT 100;

-- name: sum_lines
-- Of some lines of a register: those refused by us, and those that stood in an earlier register of its space or twice in this one;
-- NULL for no lines after the place. Every look-up by key, also before anything was analyzed (hence the + 0): a register has hundreds of
-- thousands of lines.
SELECT max(l.row) AS last, coalesce(sum(l.amount) FILTER (WHERE l.is_refused), 0)::bigint AS refused,
    (count(*) FILTER (WHERE l.is_refused))::int AS refused_lines,
    coalesce(sum(l.amount) FILTER (WHERE l.is_repeated AND NOT l.is_refused), 0)::bigint AS repeated,
    (count(*) FILTER (WHERE l.is_repeated AND NOT l.is_refused))::int AS repeated_lines
FROM (SELECT n.row, n.amount, o.outcome IN ('refused', 'conflict') AS is_refused, n.repeats OR e.register IS NOT NULL AS is_repeated
      FROM (SELECT * FROM intake.register_line f WHERE f.register = $1 AND f.row > $2 ORDER BY f.row LIMIT $3) n
        CROSS JOIN LATERAL (SELECT c.outcome FROM intake.register_outcome c WHERE c.register = $1 AND c.row = n.row LIMIT 1) o
        LEFT JOIN LATERAL (SELECT b.register FROM intake.register_line b
            WHERE b.key = n.key AND b.register + 0 < $1
              AND (SELECT q.space FROM intake.register q WHERE q.register = b.register)
                = (SELECT q.space FROM intake.register q WHERE q.register = $1) LIMIT 1) e ON true) l;

-- name: add_register_promise
-- What one register promises: its total less the lines refused by us, and those that stood in an earlier register of its space or
-- twice in this one.
INSERT INTO bank.register_promise (register, promised, fee, refused, refused_lines, repeated, repeated_lines)
SELECT r.register, greatest(r.total - $2::bigint - $4::bigint, 0), r.fee, $2, $3, $4, $5
FROM intake.register r WHERE r.register = $1 AND r.booked_at IS NOT NULL
ON CONFLICT (register) DO NOTHING;

-- name: list_registers
-- Registers of a clearing account with what of each is not covered yet: those that are open, and those of the numbers named.
SELECT r.register, r.number, r.day, r.order_number, r.order_day, p.promised - c.covered AS rest, p.fee - c.fee AS fee_rest,
    p.refused, p.refused_lines, p.repeated, p.repeated_lines
FROM intake.register r JOIN bank.register_promise p USING (register)
  CROSS JOIN LATERAL (SELECT coalesce(sum(b.amount), 0)::bigint AS covered, coalesce(sum(b.fee), 0)::bigint AS fee
      FROM bank.cover_part b JOIN bank.cover v ON v.line = b.line AND v.turn = b.turn WHERE b.register = r.register) c
WHERE r.space = $2 AND r.transit = $1 AND (p.promised <> c.covered OR ltrim(r.number, '0') = ANY ($3::text[]))
ORDER BY r.day NULLS FIRST, r.register;

-- name: list_days
-- Days of a clearing account that promise something, less the covers that named them.
SELECT d.day, d.promised - coalesce(n.amount, 0) AS rest, d.payments
FROM bank.promised_day d LEFT JOIN bank.named_day n USING (transit, space, day)
WHERE d.transit = $1 AND d.space = $2 AND d.day >= $3 AND d.promised <> coalesce(n.amount, 0) ORDER BY d.day;

-- name: list_operations
-- Booked payments of a clearing account by id, with what of each no cover named yet, less what was reversed of it.
SELECT DISTINCT k.external_id, j.value_date AS day, greatest(j.amount - r.reversed - c.covered, 0) AS amount
FROM unnest($3::text[]) AS t(id)
  CROSS JOIN LATERAL (SELECT coalesce(intake.payment_of($2, t.id), t.id) AS external_id) p
  CROSS JOIN LATERAL (SELECT o.external_id, o.book, o.sequence FROM ledger.payment_key o
      WHERE o.space = $2 AND o.external_id = p.external_id AND o.sequence IS NOT NULL LIMIT 1) k
  CROSS JOIN LATERAL (SELECT o.book, o.sequence, o.kind, o.transit, o.amount, o.value_date FROM ledger.journal o
      WHERE o.book = k.book AND o.sequence = k.sequence LIMIT 1) j
  CROSS JOIN LATERAL (
      WITH RECURSIVE correction AS (
          SELECT 0 AS nth, 0::bigint AS reversed
          UNION ALL
          SELECT f.nth + 1, CASE WHEN e.kind = 5 THEN e.amount ELSE 0 END FROM correction f
            JOIN ledger.payment_key n ON n.space = 1 AND n.external_id = j.book || ':' || j.sequence || '/' || (f.nth + 1)
            JOIN ledger.journal e ON e.book = n.book AND e.sequence = n.sequence)
      SELECT sum(reversed)::bigint AS reversed FROM correction) r
  CROSS JOIN LATERAL (SELECT coalesce(sum(b.amount), 0)::bigint AS covered
      FROM bank.cover_part b JOIN bank.cover v ON v.line = b.line AND v.turn = b.turn
      WHERE b.operation = k.external_id AND b.operation <> '' AND v.space = $2) c
WHERE j.kind IN (1, 2) AND j.transit = $1;

-- name: list_clearing
-- Every clearing account with what is promised and what is covered.
SELECT t.account, s.name AS space_name, transit, space, coalesce(p.promised, 0)::bigint AS promised, coalesce(c.amount, 0) AS covered
FROM (SELECT d.transit, d.space, sum(d.promised)::bigint AS promised FROM bank.promised_day d GROUP BY 1, 2) p
  FULL JOIN bank.covered c USING (transit, space)
  JOIN reference.transit_account t USING (transit) JOIN reference.operation_space s USING (space)
ORDER BY t.account, s.name;
