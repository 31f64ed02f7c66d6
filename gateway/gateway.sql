-- name: list_payees
-- The register of payees: recipient code and service of each number.
SELECT r.code, p.service, p.payee FROM reference.payee p JOIN reference.recipient r USING (recipient);

-- name: find_shown
-- What a terminal may show of an account: the masked name and address.
SELECT masked_name, masked_address FROM reference.personal_account WHERE personal_account = $1;

-- name: ping
-- Answer, if PostgreSQL is there.
SELECT 1;

-- name: notify
-- Wake the consumers; never inside an append (design W3).
SELECT pg_notify('kopeck_feed', '');

-- name: name_payments
-- Find or fix the ids under which payments are booked that are told of by several; the ids are parallel to their turns.
SELECT turn, external_id, other FROM intake.name_payments($1, $2, $3);

-- name: has_names
-- Whether ids of a space have ever been told together.
SELECT EXISTS (SELECT FROM intake.known_as WHERE space = $1);

-- name: find_web_order
-- The account's number and the designation of one of our orders at an acquirer.
SELECT account, designation FROM intake.web_order WHERE space = $1 AND number = $2;

-- name: keep_event
-- Keep what an acquirer told beside payments, once; no row when its key is known.
INSERT INTO intake.acquirer_event (space, channel, key, act, payment, order_number, amount, event_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT ON CONSTRAINT acquirer_event_once DO NOTHING RETURNING event;

-- name: has_event
-- Whether the event kept under a key says the same.
SELECT EXISTS (SELECT FROM intake.acquirer_event WHERE space = $1 AND key = $2 AND act = $3 AND payment = $4 AND amount = $5);
