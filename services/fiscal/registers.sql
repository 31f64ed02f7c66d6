-- The dated tables from which receipts are decided.

-- name: fetch_mark
-- What changes with every load, every new number and every channel's legal kind: read again when it differs.
SELECT concat_ws('/', (SELECT max(load) FROM reference.loaded_file), (SELECT max(payee) FROM reference.payee),
    (SELECT max(recipient) FROM reference.recipient),
    (SELECT string_agg(channel || ':' || legal_kind, ',' ORDER BY channel) FROM reference.channel));

-- name: list_recipients
-- Who is who.
SELECT recipient, code, name, inn FROM reference.recipient;

-- name: list_payees
-- Recipient and service of every payee.
SELECT payee, recipient, service FROM reference.payee;

-- name: list_channels
-- What each channel is in law.
SELECT channel, legal_kind FROM reference.channel;

-- name: list_companies
-- Who issues, the newest row first.
SELECT recipient, valid_from, form, tax_system, format, payment_address, email, operator
FROM fiscal.company ORDER BY recipient, valid_from DESC;

-- name: list_services
-- How services are called, the newest row first.
SELECT service, valid_from, title, measure FROM fiscal.service ORDER BY service, valid_from DESC;

-- name: list_vats
-- Rates, the newest period first; recipient 0 is everybody.
SELECT coalesce(recipient, 0) AS recipient, service, kind, period_from, rate FROM fiscal.vat ORDER BY period_from DESC;

-- name: list_agencies
-- Agency contracts, the newest first.
SELECT agent, principal, valid_from, valid_to, mark, principal_phone FROM fiscal.agency ORDER BY valid_from DESC;

-- name: list_decisions
-- The table of decisions, the newest row first.
SELECT valid_from, legal_kind, relation, payer_kind, form, issues, reason, means, deadline, internet
FROM fiscal.decision ORDER BY valid_from DESC;

-- name: list_item_rules
-- How lines of a kind are registered, the newest row first.
SELECT kind, valid_from, method, subject FROM fiscal.item_rule ORDER BY valid_from DESC;
