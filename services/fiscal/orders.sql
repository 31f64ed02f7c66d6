-- Receipts that are recorded already: ordering them, what came back, and what stopped them.

-- name: list_orderable
-- Recorded receipts with what an order needs; orders counts those given so far.
SELECT r.number, r.book, r.sequence, r.space, r.external_id, r.personal_account, r.issuer, r.operation, r.correction, r.part,
    r.content, coalesce(c.contact, '') AS contact,
    (SELECT count(*) FROM delivery.outgoing o WHERE o.what = 'receipt' AND o.subject = r.number)::int AS orders,
    coalesce((SELECT y.operator FROM fiscal.company y WHERE y.recipient = r.issuer AND y.valid_from <= $2
              ORDER BY y.valid_from DESC LIMIT 1), '') AS operator
FROM fiscal.receipt r LEFT JOIN fiscal.contact c ON c.personal_account = r.personal_account
WHERE r.number = ANY ($1::bigint[]) AND r.content IS NOT NULL ORDER BY r.number;

-- name: add_orders
-- Order receipts; they are on their way again.
WITH ordered AS (
    INSERT INTO delivery.outgoing (what, subject, counterparty, key, content, due_at)
    SELECT 'receipt', i.subject, i.counterparty, i.key, i.content, $5
    FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bytea[]) AS i(subject, counterparty, key, content)
    ORDER BY i.subject RETURNING subject)
DELETE FROM fiscal.stopped s USING ordered o WHERE s.receipt = o.subject;

-- name: stop
-- List receipts as not on their way, with the reason.
INSERT INTO fiscal.stopped AS s (receipt, state, reason)
SELECT i.receipt, $2, i.reason FROM unnest($1::bigint[], $3::text[]) AS i(receipt, reason)
ON CONFLICT (receipt) DO UPDATE SET state = excluded.state, reason = excluded.reason, since = clock_timestamp();

-- name: lock_of_order
-- The receipt of an order, held until the transaction ends. listening: its issuer has an endpoint that hears of receipts.
SELECT r.number, r.operation, r.total, r.issuer, r.external_id, coalesce(p.name, '') AS space_name,
    EXISTS (SELECT FROM webhooks.live_endpoint e WHERE e.recipient = r.issuer) AS listening
FROM delivery.outgoing o JOIN fiscal.receipt r ON r.number = o.subject
  LEFT JOIN reference.operation_space p ON p.space = r.space
WHERE o.number = $1 AND o.what = 'receipt' FOR UPDATE OF r;

-- name: count_orders
-- How many orders a receipt was given.
SELECT count(*) FROM delivery.outgoing o WHERE o.what = 'receipt' AND o.subject = $1;

-- name: forget_contact
-- An order that has ended keeps no payer's contact; its receipt stands without it in fiscal.receipt.
UPDATE delivery.outgoing SET content = '{}' WHERE number = $1;

-- name: find_sign
-- What a receipt was registered as.
SELECT fn, fd, fpd FROM fiscal.sign WHERE receipt = $1;

-- name: find_sign_owner
-- Whose a fiscal sign is.
SELECT receipt FROM fiscal.sign WHERE fn = $1 AND fd = $2 AND fpd = $3;

-- name: add_sign
-- Keep what the till registered, and forget the payer's contact in the order ($12). added: false when the sign or the receipt has
-- one already. held: receipts that waited for this one.
WITH added AS (
    INSERT INTO fiscal.sign (receipt, fn, fd, fpd, registered_at, total, shift, number_in_shift, register_number, link, qr)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING RETURNING receipt),
forgotten AS (UPDATE delivery.outgoing SET content = '{}' WHERE number = $12)
SELECT EXISTS (SELECT FROM added) AS added,
    ARRAY (SELECT r.number FROM fiscal.receipt r JOIN fiscal.stopped s ON s.receipt = r.number
           WHERE r.after = $1 AND s.state = 1 ORDER BY r.number) AS held;

-- name: list_stopped_after
-- Receipts stopped in a state, after a number, in order; locked.
SELECT s.receipt FROM fiscal.stopped s WHERE s.state = $1 AND s.receipt > $2 ORDER BY s.receipt LIMIT $3 FOR UPDATE;

-- name: lock_stopped
-- Those of the receipts that are stopped in a state; locked.
SELECT s.receipt FROM fiscal.stopped s WHERE s.state = $1 AND s.receipt = ANY ($2::bigint[]) ORDER BY s.receipt FOR UPDATE;

-- name: list_to_rebuild
-- Receipts with what they mirror or stand for.
SELECT r.number, r.book, r.sequence, r.operation, r.part, r.issuer, r.lines, r.amounts, r.settled_at, r.deadline, r.content,
    r.after, f.content AS first_content, f.lines AS first_lines, coalesce(t.state, 6) AS first_state, g.receipt IS NOT NULL AS first_registered
FROM fiscal.receipt r
  LEFT JOIN fiscal.receipt f ON f.number = r.after
  LEFT JOIN fiscal.stopped t ON t.receipt = r.after
  LEFT JOIN fiscal.sign g ON g.receipt = r.after
WHERE r.number = ANY ($1::bigint[]) ORDER BY r.number;

-- name: set_content
-- Give receipts that no till took their content; the database refuses it of any other.
UPDATE fiscal.receipt r SET content = i.content, operation = i.operation
FROM unnest($1::bigint[], $2::bytea[], $3::text[]) AS i(number, content, operation) WHERE r.number = i.number;

-- name: lock_receipt
-- Hold a receipt before it is looked at, so that no refund of it is made meanwhile.
SELECT number FROM fiscal.receipt WHERE number = $1 FOR UPDATE;

-- name: find_registered
-- A registered receipt with its sign and how often its payment was mended.
SELECT r.number, r.book, r.sequence, r.space, r.external_id, r.personal_account, r.issuer, r.operation, r.part, r.lines, r.amounts,
    r.content, s.fn, s.fd, s.fpd, s.registered_at, s.total,
    (SELECT count(*) FROM fiscal.receipt k WHERE k.after = r.number) AS followers,
    (SELECT count(DISTINCT k.correction) FROM fiscal.receipt k WHERE k.space = r.space AND k.external_id = r.external_id
        AND k.issuer = r.issuer AND k.correction LIKE 'w%') AS mended
FROM fiscal.receipt r JOIN fiscal.sign s ON s.receipt = r.number WHERE r.number = $1;
