-- Bank days as reconciliation reads them: cuts, protocols, postings, lines.

-- name: list_transits
-- Every transit account with its open bank day, NULL without one.
SELECT t.transit, t.account, d.open_day FROM reference.transit_account t LEFT JOIN ledger.bank_day d USING (transit) ORDER BY t.transit;

-- name: find_day_before
-- The last day before a day that was cut.
SELECT c.day FROM ledger.cut c WHERE c.transit = $1 AND c.day < $2 ORDER BY c.day DESC LIMIT 1;

-- name: list_cut_days
-- Days of a transit account that were cut, first to last.
SELECT c.day FROM ledger.cut c WHERE c.transit = $1 AND c.day BETWEEN $2 AND $3 ORDER BY c.day;

-- name: find_closed_before
-- The newest protocol before a day that two people have signed.
SELECT p.protocol, p.period, p.cut, p.accounts, p.balances, p.open_lines, p.closing, p.difference
FROM reconciliation.signature s JOIN reconciliation.protocol p USING (protocol)
WHERE s.transit = $1 AND s.what = 'day' AND s.place = 2 AND s.period < $2 ORDER BY s.period DESC LIMIT 1;

-- name: list_open_items
-- What was open at a protocol's cut, one row a posting, with its entry.
SELECT j.book, j.sequence, j.kind, j.space, j.external_id, j.value_date, o.account, u.amount
FROM reconciliation.open_item o CROSS JOIN LATERAL unnest(o.books, o.sequences, o.amounts) AS u(book, sequence, amount)
  CROSS JOIN LATERAL (SELECT e.* FROM ledger.journal e WHERE e.book = u.book AND e.sequence = u.sequence LIMIT 1) j
WHERE o.protocol = $1;

-- name: list_postings
-- What the entries of a passage of one book move on a transit account's own accounts: transit 1, clearing 2, outgoing 6, held 8.
SELECT j.book, j.sequence, j.kind, j.space, j.external_id, j.value_date, u.account, sum(u.amount)::bigint AS amount
FROM ledger.journal j CROSS JOIN LATERAL unnest(j.accounts, j.amounts) AS u(account, amount)
WHERE j.book = $1 AND j.sequence > $2 AND j.sequence <= $3 AND ((u.account >> 40) & 65535) = $4 AND (u.account >> 56) IN (1, 2, 6, 8)
GROUP BY j.book, j.sequence, u.account HAVING sum(u.amount) <> 0 ORDER BY j.sequence, u.account;

-- name: lines_of_entries
-- Lines of a transit account that entries of book 0 belong to: by the entry or its reversal, in this turn or an earlier one.
SELECT l.sequence, l.line FROM bank.line l WHERE l.transit = $1 AND l.sequence = ANY ($2::bigint[])
UNION ALL
SELECT l.reversed_by, l.line FROM bank.line l WHERE l.transit = $1 AND l.reversed_by = ANY ($2::bigint[])
UNION ALL
SELECT b.sequence, b.line FROM bank.reversed_booking b JOIN bank.line l USING (line) WHERE l.transit = $1 AND b.sequence = ANY ($2::bigint[])
UNION ALL
SELECT b.reversed_by, b.line FROM bank.reversed_booking b JOIN bank.line l USING (line)
WHERE l.transit = $1 AND b.reversed_by = ANY ($2::bigint[]);

-- name: lines_of_orders
-- Lines that tell of orders: executed by a debit, returned by a credit. The arrays are parallel: entry, order's key, direction.
SELECT w.sequence, l.line
FROM unnest($2::bigint[], $3::text[], $4::boolean[]) AS w(sequence, key, is_credit)
  CROSS JOIN LATERAL (SELECT o.transfer FROM settlement.transfer_order o WHERE o.key = w.key LIMIT 1) o
  CROSS JOIN LATERAL (SELECT m.bank_id FROM settlement.movement m
      WHERE m.transfer = o.transfer AND m.is_credit = w.is_credit AND m.transit = $1 LIMIT 1) m
  CROSS JOIN LATERAL (SELECT l.line FROM bank.line l WHERE l.transit = $1 AND l.bank_id = m.bank_id LIMIT 1) l;

-- name: list_lines
-- Lines of days after $2 to $3, lines by number, and lines told of late since the open day after $2; with the entries they are in.
-- States of settlement: 4 executed, 7 returned.
WITH wanted AS (
    SELECT l.line FROM bank.line l WHERE l.transit = $1 AND l.day > $2 AND l.day <= $3
    UNION SELECT n.line FROM unnest($4::bigint[]) AS n(line)
    UNION SELECT i.line FROM reconciliation.late_item i WHERE i.transit = $1 AND i.open_day > $2 AND i.line IS NOT NULL)
SELECT l.line, l.bank_id, l.day, l.is_credit, l.amount, l.vanished_from IS NOT NULL AS vanished, l.class AS line_class, l.why, l.held_back,
    array_remove(array_append(ARRAY (SELECT b.sequence FROM bank.reversed_booking b WHERE b.line = l.line ORDER BY b.turn),
        coalesce(l.sequence, o.sequence)), NULL) AS booked,
    array_remove(array_append(ARRAY (SELECT b.reversed_by FROM bank.reversed_booking b WHERE b.line = l.line ORDER BY b.turn),
        l.reversed_by), NULL) AS reversals,
    coalesce(i.what, '') AS late, i.open_day AS late_day
FROM wanted w JOIN bank.line l ON l.line = w.line
  LEFT JOIN LATERAL (SELECT m.transfer FROM settlement.movement m
      WHERE l.class IN ('own_order', 'returned_order') AND m.transit = l.transit AND m.bank_id = l.bank_id LIMIT 1) m ON true
  LEFT JOIN LATERAL (SELECT h.sequence FROM settlement.order_history h
      WHERE h.transfer = m.transfer AND h.state = CASE WHEN l.is_credit THEN 7 ELSE 4 END AND h.sequence IS NOT NULL
      ORDER BY h.nth LIMIT 1) o ON true
  LEFT JOIN LATERAL (SELECT i.what, i.open_day FROM reconciliation.late_item i
      WHERE i.transit = $1 AND i.open_day > $2 AND i.line = l.line ORDER BY i.item DESC LIMIT 1) i ON true
WHERE l.transit = $1 ORDER BY l.day, l.line;

-- name: list_covers
-- What cover entries cover, one row a part of the newest turn; entries of a fee that was learnt later are the cover's as well.
SELECT w.sequence, c.difference, c.reason, c.by, l.classified_by, l.classified_at, p.amount, p.register, p.day, p.operation
FROM unnest($2::bigint[], $3::bigint[]) AS w(sequence, line)
  JOIN bank.line l ON l.line = w.line AND l.transit = $1 JOIN bank.cover c ON c.line = l.line
  LEFT JOIN bank.cover_part p ON p.line = c.line AND p.turn = c.turn
ORDER BY w.sequence, p.part;

-- name: list_members
-- The entries that registers hold, by the outcomes of their lines.
SELECT o.book, o.sequence, o.register FROM intake.register_outcome o WHERE o.register = ANY ($1::bigint[]) AND o.sequence IS NOT NULL;

-- name: list_register_names
-- Which register holds a payment of an operation space, by its key: the first one, and how it is called.
SELECT w.space, w.key, r.name FROM unnest($1::int[], $2::text[]) AS w(space, key)
  CROSS JOIN LATERAL (SELECT coalesce(nullif(r.number, ''), '#' || r.register) AS name
      FROM intake.register_line l JOIN intake.register r USING (register)
      WHERE l.key = w.key AND r.space = w.space AND r.purpose = 'payments' ORDER BY r.register LIMIT 1) r;

-- name: list_explanations
-- The newest explanation of each place, of a day or of days before it.
SELECT DISTINCT ON (e.place) e.place, e.text, e.person, e.at FROM reconciliation.explanation e
WHERE e.transit = $1 AND e.day <= $2 AND (e.day = $2 OR e.place NOT IN ('difference', 'technical'))
ORDER BY e.place, e.explanation DESC;

-- name: requires_statement
-- Whether a final statement is needed to close a day: as set, else as covers are believed, else if there is any statement.
SELECT coalesce((SELECT t.required FROM reconciliation.statement_terms t WHERE t.transit = $1 ORDER BY t.nth DESC LIMIT 1),
    bank.believes($1, $2) = 'statement', EXISTS (SELECT FROM bank.statement s WHERE s.transit = $1));

-- name: find_final
-- The final statement by which a day is closed: what the bank said last of it.
SELECT s.statement, s.since, s.until, s.opening, s.closing, s.credited, s.debited, s.filtered FROM bank.statement s
WHERE s.transit = $1 AND s.kind = 'final' AND s.since <= $2 AND s.until >= $2
ORDER BY s.filtered, s.statement DESC LIMIT 1;

-- name: sum_lines
-- Turnovers of the lines of some days that did not vanish.
SELECT coalesce(sum(l.amount) FILTER (WHERE l.is_credit), 0)::bigint AS credited,
    coalesce(sum(l.amount) FILTER (WHERE NOT l.is_credit), 0)::bigint AS debited
FROM bank.line l WHERE l.transit = $1 AND l.day BETWEEN $2 AND $3 AND l.vanished_from IS NULL;

-- name: list_late
-- What was told late and falls to a range of open days.
SELECT i.what, i.line, i.statement, i.day, i.open_day, i.seen_at FROM reconciliation.late_item i
WHERE i.transit = $1 AND i.open_day > $2 AND i.open_day <= $3 ORDER BY i.item;
