-- What is looked up before a line is classified.

-- name: list_open_lines
-- Lines without a class, in order, from a place on.
SELECT l.line, l.transit, l.bank_id, l.day, l.is_credit, l.amount, l.number, l.document_day, l.operation, l.code,
    l.counterparty_account, l.counterparty_bic, l.counterparty_inn, l."references", l.is_reversal, l.sealed, l.why,
    coalesce(bank.believes(l.transit, l.day), '') AS believed
FROM bank.line l WHERE l.class IS NULL AND l.vanished_from IS NULL AND l.line > $1 ORDER BY l.line LIMIT $2;

-- name: list_heard
-- Payments that are booked under an id of a line, or an alias of it, with its very sum, about its day, and that are no other line's:
-- payers write some of the ids, and may write one again. place is the line's.
SELECT DISTINCT t.place, t.transit, t.space, p.external_id, j.value_date AS day
FROM unnest($1::int[], $2::int[], $3::int[], $4::text[], $5::bigint[], $6::date[], $7::bigint[])
    AS t(place, transit, space, id, amount, day, line)
  CROSS JOIN LATERAL (SELECT coalesce(intake.payment_of(t.space, t.id), t.id) AS external_id) p
  CROSS JOIN LATERAL (SELECT k.book, k.sequence FROM ledger.payment_key k
      WHERE k.space = t.space AND k.external_id = p.external_id AND k.sequence IS NOT NULL LIMIT 1) k
  CROSS JOIN LATERAL (SELECT o.kind, o.transit, o.amount, o.value_date FROM ledger.journal o
      WHERE o.book = k.book AND o.sequence = k.sequence LIMIT 1) j
WHERE j.kind IN (1, 2) AND j.transit = t.transit AND j.amount = t.amount AND j.value_date BETWEEN t.day - 35 AND t.day + 1
  AND (SELECT true FROM bank.line o WHERE o.transit = t.transit AND o.bank_id = p.external_id AND o.line <> t.line LIMIT 1) IS NULL
  AND (SELECT true FROM bank.cover_part b JOIN bank.cover v ON v.line = b.line AND v.turn = b.turn
      WHERE b.operation = p.external_id AND b.operation <> '' AND v.space = t.space AND v.line <> t.line LIMIT 1) IS NULL;

-- name: list_fed
-- Covers that a feed told of under an id of a line, of its very sum, and that no other line has; place is the line's.
SELECT DISTINCT t.place, (u.account & 1099511627775)::int AS space, t.id AS external_id, j.value_date AS day, j.sequence
FROM unnest($1::int[], $2::int[], $3::text[], $4::bigint[]) AS t(place, transit, id, amount)
  JOIN reference.channel c ON c.transit = t.transit
  CROSS JOIN LATERAL (SELECT k.sequence FROM ledger.payment_key k
      WHERE k.space = c.space AND k.external_id = t.id AND k.book = 0 AND k.sequence IS NOT NULL LIMIT 1) k
  CROSS JOIN LATERAL (SELECT o.sequence, o.kind, o.transit, o.space, o.amount, o.value_date, o.accounts FROM ledger.journal o
      WHERE o.book = 0 AND o.sequence = k.sequence LIMIT 1) j
  CROSS JOIN LATERAL (SELECT one AS account FROM unnest(j.accounts) AS one WHERE one >> 56 = 2 LIMIT 1) u
WHERE j.kind = 3 AND j.space <> 6 AND j.transit = t.transit AND j.amount = t.amount
  AND NOT EXISTS (SELECT FROM bank.line l WHERE l.sequence = j.sequence);

-- name: list_accounts
-- Personal accounts by name, as of a day; letters of a name in either case. OFFSET 0: for hundreds of names the planner would hash the
-- namespace and compare each name with every account of it.
SELECT DISTINCT t.place, a.personal_account
FROM unnest($1::int[], $2::text[], $3::text[], $4::date[]) AS t(place, namespace, number, day)
  CROSS JOIN LATERAL (SELECT o.personal_account FROM reference.alias o
      WHERE o.namespace = t.namespace AND o.number IN (t.number, upper(t.number))
        AND o.valid_from <= t.day AND (o.valid_to IS NULL OR o.valid_to >= t.day) OFFSET 0) a;

-- name: list_numbers
-- The number that a personal account has in a namespace today: its own before other names of it.
SELECT DISTINCT ON (w.personal_account) w.personal_account, a.number
FROM unnest($1::bigint[]) AS w(personal_account)
  JOIN reference.personal_account p USING (personal_account)
  CROSS JOIN LATERAL (SELECT o.number FROM reference.alias o WHERE o.personal_account = w.personal_account AND o.namespace = $2
      AND o.valid_from <= $3 AND (o.valid_to IS NULL OR o.valid_to >= $3)) a
ORDER BY w.personal_account, (p.namespace = $2 AND p.number = a.number) DESC, a.number;

-- name: classify
-- Give open lines their class; those that had none before.
UPDATE bank.line l SET class = t.class, why = t.why, decision = t.decision, screened = t.screened, classified_by = $1, classified_at = $2,
    held_back = '', sequence = t.sequence
FROM unnest($3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[])
  AS t(line, class, why, decision, screened, sequence)
WHERE l.line = t.line AND l.class IS NULL AND l.vanished_from IS NULL RETURNING l.line;

-- name: explain_open
-- Say why lines wait for a person.
UPDATE bank.line l SET why = t.why, screened = t.screened FROM unnest($1::bigint[], $2::text[], $3::text[]) AS t(line, why, screened)
WHERE l.line = t.line AND l.class IS NULL AND (l.why, l.screened) IS DISTINCT FROM (t.why, t.screened);

-- name: lock_open
-- Hold a line that has no class yet.
SELECT line FROM bank.line WHERE line = $1 AND class IS NULL AND vanished_from IS NULL FOR UPDATE;

-- name: add_fed_cover
-- What a feed's cover covered, as its line's cover.
INSERT INTO bank.cover (line, space, by, reference, promised, gross, fee, difference, reason)
SELECT l.line, $2, 'operation', $3, l.amount, l.amount, 0, 0, '' FROM bank.line l WHERE l.line = $1
ON CONFLICT (line) DO NOTHING;

-- name: list_rules
-- The newest set of rules, in order.
SELECT r.content FROM bank.rule r WHERE r.rule_set = (SELECT max(s.rule_set) FROM bank.rule_set s) ORDER BY r.place;

-- name: list_registers_of_numbers
-- Transit accounts, operation spaces and recipients by name.
SELECT 'transit' AS what, account AS name, transit AS number FROM reference.transit_account
UNION ALL SELECT 'space', name, space FROM reference.operation_space
UNION ALL SELECT 'recipient', code, recipient FROM reference.recipient;

-- name: list_transits
-- Transit accounts by number.
SELECT transit, account FROM reference.transit_account;
