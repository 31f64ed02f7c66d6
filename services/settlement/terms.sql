-- What is agreed.

-- name: set_transit_terms
-- How a transit account pays.
INSERT INTO settlement.transit_terms (transit, counterparty, payer_name, payer_inn, payer_kpp, payer_bank_name, payer_correspondent,
    contracts_required, cut_times, time_zone)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (transit) DO UPDATE SET counterparty = excluded.counterparty, payer_name = excluded.payer_name,
    payer_inn = excluded.payer_inn, payer_kpp = excluded.payer_kpp, payer_bank_name = excluded.payer_bank_name,
    payer_correspondent = excluded.payer_correspondent, contracts_required = excluded.contracts_required,
    cut_times = excluded.cut_times, time_zone = excluded.time_zone;

-- name: find_last_cut_day
-- The newest bank day that a cut was made on.
SELECT max(day) FROM settlement.cut;

-- name: find_recipient
-- A recipient by its code.
SELECT recipient FROM reference.recipient WHERE code = $1;

-- name: set_service_name
-- How a service is called.
INSERT INTO settlement.service_name (service, name) VALUES ($1, $2) ON CONFLICT (service) DO UPDATE SET name = excluded.name;

-- name: add_contract
-- A contract; nothing for a known code.
INSERT INTO settlement.contract (code, creditor, recipient, number, signed_on, valid_from, valid_to, defers_small, nets_debts,
    bears_commission, vat_percent, purpose, priority)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT ON CONSTRAINT contract_once DO NOTHING RETURNING contract;

-- name: add_commission
-- Commission terms; nothing for a known creditor and day.
INSERT INTO settlement.commission_terms (creditor, valid_from, earner, rate, minimum, maximum, principal_weight, recipients_weight,
    invoiced)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT ON CONSTRAINT commission_terms_key DO NOTHING RETURNING creditor;

-- name: add_stop_entry
-- An entry of a stop list.
INSERT INTO settlement.stop_listed (list, reference, name, inn, since, until) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT ON CONSTRAINT stop_listed_key DO UPDATE SET until = excluded.until;

-- name: add_legal_limit
-- A limit of 115-ФЗ.
INSERT INTO settlement.legal_limit (operation, since, amount, inclusive, source) VALUES ($1, $2, $3, $4, $5);

-- name: add_approval_limit
-- A limit above which two people approve.
INSERT INTO settlement.approval_limit (since, amount, set_by) VALUES ($1, $2, $3);
