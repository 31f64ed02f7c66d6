-- Receipts as people look for them, and what does not add up.

-- name: list_by_payment
-- Receipts of a payment, by the key of its operation space; its corrections' too.
SELECT v.* FROM reference.operation_space p JOIN fiscal.receipt_view v ON v.space = p.space
WHERE p.name = $1 AND v.external_id = $2 ORDER BY v.number;

-- name: list_by_account
-- The newest receipts of an account, by its own number.
SELECT v.* FROM reference.personal_account a JOIN fiscal.receipt_view v ON v.personal_account = a.personal_account
WHERE a.namespace = $1 AND a.number = $2 ORDER BY v.number DESC LIMIT $3;

-- name: list_by_sign
-- Receipts with a fiscal sign; an empty ФН or ФД is any.
SELECT v.* FROM fiscal.sign s JOIN fiscal.receipt_view v ON v.number = s.receipt
WHERE s.fpd = $1 AND ($2 = '' OR s.fn = $2) AND ($3 = '' OR s.fd = $3) ORDER BY v.number LIMIT 100;

-- name: list_by_number
-- One receipt.
SELECT v.* FROM fiscal.receipt_view v WHERE v.number = $1;

-- name: list_newest
-- The newest receipts of all.
SELECT v.* FROM fiscal.receipt_view v ORDER BY v.number DESC LIMIT $1;

-- name: list_newest_stopped
-- The newest receipts that are stopped in a state.
SELECT v.* FROM (SELECT t.receipt FROM fiscal.stopped t WHERE t.state = $1 ORDER BY t.receipt DESC LIMIT $2) n
  JOIN fiscal.receipt_view v ON v.number = n.receipt ORDER BY v.number DESC;

-- name: list_newest_ordered
-- The newest receipts that are on their way: those with an order that has not ended.
SELECT v.* FROM (
    SELECT o.subject FROM (
        SELECT w.subject FROM delivery.outgoing w WHERE w.what = 'receipt' AND w.state IN (0, 1)
        UNION ALL SELECT p.subject FROM delivery.outgoing p WHERE p.what = 'receipt' AND p.state = 4) o
    WHERE NOT EXISTS (SELECT FROM fiscal.stopped t WHERE t.receipt = o.subject)
      AND NOT EXISTS (SELECT FROM fiscal.sign s WHERE s.receipt = o.subject)
    ORDER BY o.subject DESC LIMIT $1) n
  JOIN fiscal.receipt_view v ON v.number = n.subject ORDER BY v.number DESC;

-- name: list_newest_registered
-- The newest receipts that are registered and not disputed.
SELECT v.* FROM (
    SELECT s.receipt FROM fiscal.sign s WHERE NOT EXISTS (SELECT FROM fiscal.stopped t WHERE t.receipt = s.receipt)
    ORDER BY s.receipt DESC LIMIT $1) n
  JOIN fiscal.receipt_view v ON v.number = n.receipt ORDER BY v.number DESC;

-- name: list_accounts_of_number
-- Accounts with this own number in any namespace; namespaces are few and are stepped through by the index.
WITH RECURSIVE known AS (
    (SELECT a.namespace FROM reference.personal_account a ORDER BY a.namespace LIMIT 1)
    UNION ALL
    SELECT (SELECT a.namespace FROM reference.personal_account a WHERE a.namespace > k.namespace ORDER BY a.namespace LIMIT 1)
    FROM known k WHERE k.namespace IS NOT NULL)
SELECT a.namespace FROM known k JOIN reference.personal_account a ON a.namespace = k.namespace AND a.number = $1 ORDER BY a.namespace;

-- name: list_stopped
-- Receipts that are not on their way, in some states, the oldest first.
SELECT v.* FROM fiscal.stopped t JOIN fiscal.receipt_view v ON v.number = t.receipt
WHERE t.state = ANY ($1::smallint[]) ORDER BY t.receipt LIMIT $2;

-- name: count_states
-- How many receipts are stopped in each state.
SELECT state, count(*) AS receipts FROM fiscal.stopped GROUP BY state ORDER BY state;

-- name: list_omissions
-- Why sums of a payment have no receipt.
SELECT o.book, o.sequence, coalesce(i.code, '') AS issuer_code, o.reason, o.amount
FROM reference.operation_space p
  JOIN ledger.payment_key k ON k.space = p.space
  JOIN fiscal.no_receipt o ON o.book = k.book AND o.sequence = k.sequence
  LEFT JOIN reference.recipient i ON i.recipient = o.issuer
WHERE p.name = $1 AND k.external_id = $2 ORDER BY o.issuer, o.reason;

-- name: list_uneven
-- Entries between two places of a book whose sums are not all told of: what came to charge lines and into suspense, less what left
-- them, is what their receipts and reasons say. Of an offset, and of its reversal (which stands on payables or settled alone), only
-- what was charged counts.
WITH entry AS (
    SELECT j.book, j.sequence, j.kind, (SELECT coalesce(sum(-u.amount), 0) FROM unnest(j.accounts, j.amounts, j.lines) AS u(account, amount, line)
        WHERE (u.line <> 0 OR u.account >> 56 = 4) AND CASE WHEN j.kind = 6 THEN u.amount < 0
            WHEN j.kind = 5 AND NOT EXISTS (SELECT FROM unnest(j.accounts) AS one WHERE one >> 56 NOT IN (3, 11)) THEN u.amount > 0
            ELSE true END)::bigint AS moved
    FROM ledger.journal j WHERE j.book = $1 AND j.sequence > $2 AND j.sequence <= $3 AND j.kind = ANY ($4::smallint[])),
told AS (
    SELECT e.book, e.sequence, e.moved,
        (SELECT coalesce(sum(CASE WHEN r.operation IN ('sell', 'sell_correction') THEN r.total ELSE -r.total END), 0)
         FROM fiscal.receipt r WHERE r.book = e.book AND r.sequence = e.sequence)::bigint AS receipts,
        (SELECT coalesce(sum(o.amount), 0) FROM fiscal.no_receipt o WHERE o.book = e.book AND o.sequence = e.sequence)::bigint AS without,
        (SELECT coalesce(sum(f.amount), 0) FROM fiscal.advance_offset f
         WHERE f.book = e.book AND f.sequence = e.sequence)::bigint AS offsets
    FROM entry e)
SELECT book, sequence, moved, receipts, without, offsets FROM told WHERE moved <> receipts + without + offsets
ORDER BY sequence LIMIT $5;

-- name: list_uneven_offsets
-- Consolidated receipts that are not worth the offsets in them; those of one run of an issuer together, refunds less.
WITH run AS (
    SELECT min(r.number) AS number, r.external_id, r.issuer, array_agg(r.number) AS numbers,
        sum(CASE WHEN r.operation IN ('sell', 'sell_correction') THEN r.total ELSE -r.total END)::bigint AS total
    FROM fiscal.receipt r WHERE r.space = 0 GROUP BY r.external_id, r.issuer, r.correction)
SELECT g.number, g.external_id, g.issuer, g.total, o.offsets
FROM run g CROSS JOIN LATERAL (SELECT coalesce(sum(f.amount), 0)::bigint AS offsets FROM fiscal.advance_offset f
    WHERE f.receipt = ANY (g.numbers)) o
WHERE g.total <> o.offsets ORDER BY g.number LIMIT $1;
