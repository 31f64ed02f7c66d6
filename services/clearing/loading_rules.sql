-- Rules loaded.

-- name: add_rule_set
-- A new set of rules.
INSERT INTO bank.rule_set (loaded_by, loaded_at) VALUES ($1, $2) RETURNING rule_set;

-- name: add_rules
-- The rules of a set, in order.
INSERT INTO bank.rule (rule_set, place, name, content)
SELECT $1, t.place, t.name, t.content FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS t(name, content, place);

-- name: lock_believed
-- Keep covers of a transit account out while it is decided whom to believe, to the end of the transaction.
SELECT pg_advisory_xact_lock(hashtextextended('bank.believed/' || $1::int::text, 0));

-- name: find_believed
-- Whom covers of a day are believed from.
SELECT bank.believes($1, $2);

-- name: find_cover_since
-- The last day of a cover that the other source told of on that day or later, NULL when there is none. A cover lies in book 0.
SELECT max(j.value_date) FROM ledger.journal j
WHERE j.book = 0 AND j.kind = 3 AND j.transit = $1 AND j.value_date >= $2 AND (j.space = 6) <> ($3 = 'statement');

-- name: add_believed
-- Whom covers of an account are believed from, from a day on.
INSERT INTO bank.believed (transit, since, source, set_by) VALUES ($1, $2, $3, $4) ON CONFLICT ON CONSTRAINT believed_key DO NOTHING
RETURNING transit;
