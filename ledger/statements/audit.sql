-- What verification reads, in short statements by (book, sequence).

-- name: list_entries
-- The entries of one part of the accounts in a passage of one book, each with the table published at its version, if one was.
SELECT j.*, b.content FROM ledger.journal j
  LEFT JOIN ledger.base_table b ON b.book = j.book AND b.personal_account = j.personal_account AND b.version = j.table_version
WHERE j.book = $1 AND j.sequence > $2 AND j.sequence <= $3 AND coalesce(j.personal_account, j.sequence) % $4 = $5
ORDER BY j.sequence;

-- name: list_places
-- Entries by their places.
SELECT j.* FROM unnest($1::smallint[], $2::bigint[]) AS w(book, sequence) JOIN ledger.journal j USING (book, sequence);

-- name: list_keyed
-- Entries of an operation space by their keys.
SELECT j.* FROM unnest($2::text[]) AS w(external_id)
  JOIN ledger.payment_key k ON k.space = $1 AND k.external_id = w.external_id AND k.sequence IS NOT NULL
  JOIN ledger.journal j ON j.book = k.book AND j.sequence = k.sequence;

-- name: find_place_fault
-- The first entry of a passage that leaves a gap, goes back in time, or whose payment key does not lead to it.
SELECT w.sequence, w.before, w.sequence <> w.before + 1 AS gap, w.recorded_at < w.moment_before AS backwards
FROM (SELECT j.sequence, j.recorded_at, k.sequence AS key_sequence, k.book AS key_book, k.outcome,
          lag(j.sequence, 1, $2) OVER place AS before, lag(j.recorded_at) OVER place AS moment_before
      FROM ledger.journal j LEFT JOIN ledger.payment_key k ON k.space = j.space AND k.external_id = j.external_id
      WHERE j.book = $1 AND j.sequence >= $2 AND j.sequence <= $3 WINDOW place AS (ORDER BY j.sequence)) w
WHERE w.sequence > $2 AND (w.sequence <> w.before + 1 OR w.recorded_at < w.moment_before
    OR w.key_sequence IS DISTINCT FROM w.sequence OR w.key_book IS DISTINCT FROM $1 OR w.outcome IS DISTINCT FROM 0)
ORDER BY w.sequence LIMIT 1;

-- name: count_entries
-- How many entries a passage of one book holds.
SELECT count(*) FROM ledger.journal WHERE book = $1 AND sequence > $2 AND sequence <= $3;

-- name: list_keys_after
-- Of a run of payment keys after a key: those that lead to an entry without that key, and the run's last.
WITH run AS MATERIALIZED (
    SELECT k.space, k.external_id, k.book, k.sequence FROM ledger.payment_key k
    WHERE (k.space, k.external_id) > ($1, $2) ORDER BY k.space, k.external_id LIMIT $3),
last AS (SELECT r.space, r.external_id FROM run r ORDER BY r.space DESC, r.external_id DESC LIMIT 1),
held AS (
    SELECT r.*, r.sequence IS NOT NULL AND (j.space, j.external_id) IS DISTINCT FROM (r.space, r.external_id) AS wrong
    FROM run r LEFT JOIN ledger.journal j ON j.book = r.book AND j.sequence = r.sequence)
SELECT h.space, h.external_id, h.book, h.sequence, h.wrong FROM held h
WHERE h.wrong OR (h.space, h.external_id) = (SELECT l.space, l.external_id FROM last l) ORDER BY h.space, h.external_id;

-- name: list_heads_after
-- Heads of one part of the accounts after an account, and whether a table published at the head's version has its digest.
SELECT h.personal_account, h.version, h.last_sequence, h.digest, sha256(b.content) = h.digest AS based
FROM ledger.account_head h
  LEFT JOIN ledger.base_table b ON b.book = h.book AND b.personal_account = h.personal_account AND b.version = h.version
WHERE h.book = $1 AND h.personal_account > $2 AND h.personal_account % $3 = $4
ORDER BY h.personal_account LIMIT $5;

-- name: count_accounts
-- How many accounts have a head.
SELECT count(*) FROM ledger.account_head;

-- name: fetch_balances
-- The balances read model and how far it has come, book by book.
SELECT c.book, c.sequence, b.account, b.debit, b.credit
FROM read_model.cursor c LEFT JOIN read_model.balance b ON b.book = c.book
WHERE c.consumer = 'balances';
