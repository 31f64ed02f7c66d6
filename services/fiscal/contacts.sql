-- Contacts of payers.

-- name: erase_contact
-- Forget where a payer wanted receipts; its account's own number.
DELETE FROM fiscal.contact c USING reference.personal_account a
WHERE a.personal_account = c.personal_account AND a.namespace = $1 AND a.number = $2 RETURNING c.personal_account;

-- name: erase_from_orders
-- Orders of the account's receipts that have not gone out yet keep the receipt without the contact.
UPDATE delivery.outgoing o SET content = i.content
FROM unnest($1::bigint[], $2::bytea[]) AS i(number, content) WHERE o.number = i.number AND o.state IN (0, 4, 5) AND NOT o.sending;

-- name: list_open_orders
-- Orders of the account's receipts that have not gone out yet, held.
SELECT o.number, o.content FROM fiscal.receipt r JOIN delivery.outgoing o ON o.what = 'receipt' AND o.subject = r.number
WHERE r.personal_account = $1 AND o.state IN (0, 4, 5) AND NOT o.sending ORDER BY o.number FOR UPDATE OF o;
