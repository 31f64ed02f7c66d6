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
