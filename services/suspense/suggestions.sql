-- Who suspended money may belong to: every look-up by key, bounded.

-- name: prefer_indexes
-- Read by keys only in this transaction.
SELECT set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
    set_config('enable_mergejoin', 'off', true);

-- name: list_namespaces
-- The namespaces of account numbers, by skipping from one to the next.
WITH RECURSIVE one AS (
    (SELECT a.namespace FROM reference.alias a ORDER BY a.namespace LIMIT 1)
    UNION ALL
    SELECT (SELECT a.namespace FROM reference.alias a WHERE a.namespace > o.namespace ORDER BY a.namespace LIMIT 1)
    FROM one o WHERE o.namespace IS NOT NULL)
SELECT namespace FROM one WHERE namespace IS NOT NULL;

-- name: list_numbered
-- Accounts that have one of these numbers in one of these namespaces on a day; at most so many.
SELECT a.number, a.personal_account
FROM unnest($1::text[]) AS n(namespace) CROSS JOIN unnest($2::text[]) AS w(number)
  CROSS JOIN LATERAL (SELECT x.number, x.personal_account FROM reference.alias x
      WHERE x.namespace = n.namespace AND x.number = w.number AND x.valid_from <= $3 AND (x.valid_to IS NULL OR x.valid_to >= $3)
      LIMIT 5) a
LIMIT $4;

-- name: list_printed
-- Accounts on whose documents of these periods just this total is printed; at most so many.
SELECT p.personal_account, max(p.period) AS period FROM reference.printed_total p
WHERE p.amount = $1 AND p.period BETWEEN $2 AND $3 GROUP BY 1 ORDER BY 1 LIMIT $4;

-- name: list_addressed
-- Accounts whose masked address is one of these, as plain words; at most so many.
SELECT p.personal_account FROM unnest($1::text[]) AS k(key)
  CROSS JOIN LATERAL (SELECT a.personal_account FROM reference.personal_account a
      WHERE suspense.address_key(a.masked_address) = k.key AND a.masked_address <> '' LIMIT $2) p LIMIT $2;

-- name: list_named
-- Accounts whose masked name is one of these; one more than so many a name, to tell a crowd.
SELECT k.mask, p.personal_account FROM unnest($1::text[]) AS k(mask)
  CROSS JOIN LATERAL (SELECT a.personal_account FROM reference.personal_account a
      WHERE a.masked_name = k.mask AND a.masked_name <> '' LIMIT $2 + 1) p;

-- name: list_paid_before
-- Accounts that were paid from the same bank account: by lines that named them, and by people who assigned what did not.
WITH lines AS MATERIALIZED (
    SELECT l.transit, l.bank_id, l.day FROM bank.line l
    WHERE l.counterparty_account = $1 AND l.is_credit AND l.counterparty_account <> '' AND l.class IN ('payment', 'unknown')
      AND NOT (l.transit = $2 AND l.bank_id = $4)
    ORDER BY l.day DESC LIMIT $5),
booked AS (
    SELECT l.day, k.book, k.sequence FROM lines l JOIN ledger.payment_key k ON k.space = $3 AND k.external_id = l.bank_id
    WHERE k.sequence IS NOT NULL),
paid AS (
    SELECT b.day, j.personal_account FROM booked b JOIN ledger.journal j ON j.book = b.book AND j.sequence = b.sequence
    WHERE j.personal_account IS NOT NULL
    UNION ALL
    SELECT b.day, r.personal_account FROM booked b JOIN suspense.release r ON r.book = b.book AND r.item = b.sequence
    WHERE r.came_back IS NULL)
SELECT p.personal_account, count(*) AS times, max(p.day) AS last FROM paid p GROUP BY 1 ORDER BY 2 DESC, 3 DESC LIMIT $6;

-- name: list_accounts
-- Names of accounts and their masks.
SELECT a.personal_account, a.namespace || '/' || a.number AS name, a.masked_name, a.masked_address
FROM unnest($1::bigint[]) AS w(personal_account) JOIN reference.personal_account a USING (personal_account);

-- name: find_line
-- The statement's line that brought the money, with its payer's bank account and what it tells, sealed.
SELECT l.counterparty_account, l.sealed FROM bank.line l JOIN bank.cover c ON c.line = l.line AND c.space = $3
WHERE l.transit = $1 AND l.bank_id = $2 AND l.is_credit AND l.class IN ('payment', 'unknown');

-- name: find_register_line
-- The register's line that brought the money, with its payer, sealed.
SELECT l.register, l.row, l.sealed FROM intake.register_line l JOIN intake.register r ON r.register = l.register
WHERE l.key = $2 AND r.space = $1 AND l.sealed IS NOT NULL ORDER BY l.register DESC LIMIT 1;
