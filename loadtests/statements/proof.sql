-- What must hold after a load (loadtests/proof.py). claimed: 0 booked | 1 suspense | 2 refused | 3 no final answer came.
-- Every check answers with one text a difference, at most $1 of them; no rows: it holds.

-- name: create_claims
-- What the generator was answered, one row a key.
CREATE TEMP TABLE claim (space int NOT NULL, external_id text NOT NULL, amount bigint NOT NULL, claimed smallint NOT NULL,
    PRIMARY KEY (space, external_id));

-- name: analyze_claims
-- Statistics for the comparisons.
ANALYZE claim;

-- name: analyze_ledger
-- Let the planner know what the load has made of the ledger: by the sizes of before, a check of chains takes minutes.
ANALYZE ledger.journal, ledger.payment_key, ledger.account_head;

-- name: prefer_hashes
-- Every check compares whole sets: a nested loop, chosen for a guess of one row, takes minutes at 100 000 accounts.
SET enable_nestloop = off;

-- name: drop_claims
-- Leave nothing on the connection.
DROP TABLE claim;

-- name: totals
-- Entries, debits and credits of the whole journal, in kopecks.
SELECT (SELECT count(*) FROM ledger.journal) AS entries,
    coalesce(sum(p.amount) FILTER (WHERE p.amount > 0), 0)::bigint AS debits,
    coalesce(-sum(p.amount) FILTER (WHERE p.amount < 0), 0)::bigint AS credits
FROM ledger.journal j CROSS JOIN LATERAL unnest(j.amounts) AS p(amount);

-- name: acknowledged
-- Sum of what was answered as booked, and of the journal's amounts under those keys, in kopecks.
SELECT coalesce(sum(c.amount), 0)::bigint AS answered, coalesce(sum(j.amount), 0)::bigint AS recorded
FROM claim c
    LEFT JOIN ledger.payment_key k USING (space, external_id)
    LEFT JOIN ledger.journal j ON j.book = k.book AND j.sequence = k.sequence
WHERE c.claimed IN (0, 1);

-- name: check_unbalanced
-- An entry whose postings do not sum to nought, or whose debits are not its amount.
SELECT format('entry %s:%s is not balanced', j.book, j.sequence)
FROM ledger.journal j
    CROSS JOIN LATERAL (SELECT sum(p) AS total, sum(p) FILTER (WHERE p > 0) AS debits FROM unnest(j.amounts) AS p) s
WHERE s.total <> 0 OR s.debits IS DISTINCT FROM j.amount LIMIT $1;

-- name: check_gaps
-- A book whose sequences are not 1, 2, 3 … without a gap.
SELECT format('book %s has %s entries and its sequences run %s … %s', book, count(*), min(sequence), max(sequence))
FROM ledger.journal GROUP BY book HAVING min(sequence) <> 1 OR max(sequence) <> count(*) LIMIT $1;

-- name: check_time
-- An entry recorded before the one that precedes it in its book.
SELECT format('entry %s:%s was recorded before the one it follows', book, sequence)
FROM (SELECT book, sequence, recorded_at, lag(recorded_at) OVER (PARTITION BY book ORDER BY sequence) AS earlier
      FROM ledger.journal) s
WHERE recorded_at < earlier LIMIT $1;

-- name: check_doubled
-- A payment key that stands in the journal more than once.
SELECT format('key %s/%s stands in the journal %s times', space, external_id, count(*))
FROM ledger.journal GROUP BY space, external_id HAVING count(*) > 1 LIMIT $1;

-- name: check_keys
-- A journal entry and its payment key that do not name each other.
SELECT format('key %s/%s: the journal has it at %s:%s, the keys at %s:%s', coalesce(j.space, k.space),
    coalesce(j.external_id, k.external_id), j.book, j.sequence, k.book, k.sequence)
FROM ledger.journal j
    FULL JOIN (SELECT * FROM ledger.payment_key WHERE sequence IS NOT NULL) k
        ON k.space = j.space AND k.external_id = j.external_id AND k.book = j.book AND k.sequence = j.sequence
WHERE j.book IS NULL OR k.book IS NULL LIMIT $1;

-- name: check_missing
-- A payment answered as booked that is not in the journal.
SELECT format('key %s/%s was answered as booked and is not in the journal', space, external_id)
FROM (SELECT space, external_id FROM claim WHERE claimed IN (0, 1)
      EXCEPT SELECT space, external_id FROM ledger.journal) s LIMIT $1;

-- name: check_content
-- A payment booked with another amount than was sent, or booked as a payment where suspense was due, or the other way.
SELECT format('key %s/%s: %s kopecks sent, %s recorded, kind %s', c.space, c.external_id, c.amount, j.amount, j.kind)
FROM claim c JOIN ledger.journal j USING (space, external_id)
WHERE c.amount <> j.amount OR (c.claimed = 0 AND j.kind <> 1) OR (c.claimed = 1 AND j.kind <> 2) LIMIT $1;

-- name: check_refused
-- A payment answered as refused that was booked, or whose refusal was not remembered.
SELECT format('key %s/%s was answered as refused; stored outcome %s, sequence %s', c.space, c.external_id, k.outcome, k.sequence)
FROM claim c LEFT JOIN ledger.payment_key k USING (space, external_id)
WHERE c.claimed = 2 AND (k.outcome IS NULL OR k.outcome = 0) LIMIT $1;

-- name: check_unasked
-- An entry or a remembered refusal in the claimed operation spaces under a key that was never sent.
SELECT format('key %s/%s is in the ledger and was never sent', k.space, k.external_id)
FROM ledger.payment_key k
WHERE k.space IN (SELECT space FROM claim)
    AND NOT EXISTS (SELECT FROM claim c WHERE c.space = k.space AND c.external_id = k.external_id) LIMIT $1;

-- name: check_chains
-- An entry of a personal account whose link to the entry before is wrong.
SELECT format('entry %s:%s follows %s and says %s', book, sequence, coalesce(before, 0), previous)
FROM (SELECT book, sequence, previous, lag(sequence) OVER (PARTITION BY book, personal_account ORDER BY sequence) AS before
      FROM ledger.journal WHERE personal_account IS NOT NULL) s
WHERE previous <> coalesce(before, 0) LIMIT $1;

-- name: check_heads
-- A personal account whose head is not where its entries and publications put it.
SELECT format('account %s stands at version %s, sequence %s', h.personal_account, h.version, h.last_sequence)
FROM ledger.account_head h
    LEFT JOIN (SELECT book, personal_account, count(*) AS entries, max(sequence) AS sequence FROM ledger.journal
        WHERE personal_account IS NOT NULL GROUP BY 1, 2) j USING (book, personal_account)
    LEFT JOIN (SELECT book, personal_account, count(*) AS tables FROM ledger.base_table GROUP BY 1, 2) b
        USING (book, personal_account)
WHERE h.version <> coalesce(j.entries, 0) + coalesce(b.tables, 0) OR h.last_sequence <> coalesce(j.sequence, 0) LIMIT $1;

-- name: count_behind
-- Entries that a consumer of read models has not taken yet; all of them when no consumer ever ran.
SELECT coalesce(max(h.head - coalesce(c.sequence, 0)), 0)::bigint
FROM (SELECT book, max(sequence) AS head FROM ledger.journal GROUP BY book) h
    CROSS JOIN unnest($1::text[]) AS w(consumer)
    LEFT JOIN read_model.cursor c ON c.consumer = w.consumer AND c.book = h.book;

-- name: check_balances
-- A ledger account whose balance, folded by the consumer, is not the sum of its postings.
SELECT format('ledger account %s: postings %s, balance %s', account, j.total, b.total)
FROM (SELECT p.account, sum(p.amount) AS total FROM ledger.journal e
        CROSS JOIN LATERAL unnest(e.accounts, e.amounts) AS p(account, amount) GROUP BY p.account) j
    FULL JOIN (SELECT account, sum(debit - credit) AS total FROM read_model.balance GROUP BY account) b USING (account)
WHERE j.total IS DISTINCT FROM b.total LIMIT $1;
