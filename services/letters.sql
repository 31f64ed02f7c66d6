-- Letters to payers.

-- name: add_letter
-- Order a letter once.
INSERT INTO delivery.outgoing (what, subject, counterparty, key, content) VALUES ('letter', $1, $2, $3, $4)
ON CONFLICT ON CONSTRAINT outgoing_once DO NOTHING;

-- name: empty_letter
-- Forget whom a letter went to.
UPDATE delivery.outgoing SET content = '{}' WHERE number = $1 AND what = 'letter';
