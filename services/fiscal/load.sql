-- The dated tables of receipts, and payers' contacts, from staged files. Every write counts the rows that are new (added) and the
-- rows that say otherwise than before (changed).

-- name: list_recipients
-- Numbers of the recipients by code.
SELECT code, recipient FROM reference.recipient

-- name: drop_staging
-- Leave nothing of a load in the session.
DROP TABLE IF EXISTS pg_temp.staged_fiscal_companies, pg_temp.staged_fiscal_services, pg_temp.staged_fiscal_vat,
    pg_temp.staged_fiscal_agencies, pg_temp.staged_fiscal_decisions, pg_temp.staged_fiscal_item_rules,
    pg_temp.staged_fiscal_contacts

-- name: make_staging_companies
-- Rows of the file, by line number.
CREATE TEMP TABLE staged_fiscal_companies (line_no int, recipient int, valid_from date, form text, tax_system text, format text,
    payment_address text, email text, operator text)

-- name: write_companies
-- Companies by day.
WITH written AS (
    INSERT INTO fiscal.company AS c (recipient, valid_from, form, tax_system, format, payment_address, email, operator)
    SELECT s.recipient, s.valid_from, s.form, s.tax_system, s.format, s.payment_address, s.email, s.operator
    FROM staged_fiscal_companies s ORDER BY s.line_no
    ON CONFLICT ON CONSTRAINT company_key DO UPDATE SET form = excluded.form, tax_system = excluded.tax_system,
        format = excluded.format, payment_address = excluded.payment_address, email = excluded.email, operator = excluded.operator
    WHERE (c.form, c.tax_system, c.format, c.payment_address, c.email, c.operator) IS DISTINCT FROM
        (excluded.form, excluded.tax_system, excluded.format, excluded.payment_address, excluded.email, excluded.operator)
    RETURNING xmax = 0 AS added)
SELECT count(*) FILTER (WHERE added) AS added, count(*) FILTER (WHERE NOT added) AS changed FROM written

-- name: make_staging_services
-- Rows of the file, by line number.
CREATE TEMP TABLE staged_fiscal_services (line_no int, service text, valid_from date, title text, measure smallint)

-- name: write_services
-- Titles of services by day.
WITH written AS (
    INSERT INTO fiscal.service AS c (service, valid_from, title, measure)
    SELECT s.service, s.valid_from, s.title, s.measure FROM staged_fiscal_services s ORDER BY s.line_no
    ON CONFLICT ON CONSTRAINT service_key DO UPDATE SET title = excluded.title, measure = excluded.measure
    WHERE (c.title, c.measure) IS DISTINCT FROM (excluded.title, excluded.measure)
    RETURNING xmax = 0 AS added)
SELECT count(*) FILTER (WHERE added) AS added, count(*) FILTER (WHERE NOT added) AS changed FROM written

-- name: make_staging_vat
-- Rows of the file, by line number.
CREATE TEMP TABLE staged_fiscal_vat (line_no int, recipient int, service text, kind smallint, period_from int, rate text, source text)

-- name: write_vat
-- Rates by period.
WITH written AS (
    INSERT INTO fiscal.vat AS c (recipient, service, kind, period_from, rate, source)
    SELECT s.recipient, s.service, s.kind, s.period_from, s.rate, s.source FROM staged_fiscal_vat s ORDER BY s.line_no
    ON CONFLICT ON CONSTRAINT vat_once DO UPDATE SET rate = excluded.rate, source = excluded.source
    WHERE (c.rate, c.source) IS DISTINCT FROM (excluded.rate, excluded.source)
    RETURNING xmax = 0 AS added)
SELECT count(*) FILTER (WHERE added) AS added, count(*) FILTER (WHERE NOT added) AS changed FROM written

-- name: make_staging_agencies
-- Rows of the file, by line number.
CREATE TEMP TABLE staged_fiscal_agencies (line_no int, agent int, principal int, valid_from date, valid_to date, mark text,
    principal_phone text)

-- name: write_agencies
-- Agency contracts by day.
WITH written AS (
    INSERT INTO fiscal.agency AS c (agent, principal, valid_from, valid_to, mark, principal_phone)
    SELECT s.agent, s.principal, s.valid_from, s.valid_to, s.mark, s.principal_phone FROM staged_fiscal_agencies s ORDER BY s.line_no
    ON CONFLICT ON CONSTRAINT agency_key DO UPDATE SET valid_to = excluded.valid_to, mark = excluded.mark,
        principal_phone = excluded.principal_phone
    WHERE (c.valid_to, c.mark, c.principal_phone) IS DISTINCT FROM (excluded.valid_to, excluded.mark, excluded.principal_phone)
    RETURNING xmax = 0 AS added)
SELECT count(*) FILTER (WHERE added) AS added, count(*) FILTER (WHERE NOT added) AS changed FROM written

-- name: make_staging_decisions
-- Rows of the file, by line number.
CREATE TEMP TABLE staged_fiscal_decisions (line_no int, valid_from date, legal_kind text, relation text, payer_kind smallint, form text,
    issues text, reason text, means smallint, deadline text, internet boolean, source text)

-- name: write_decisions
-- Rows of the table of decisions by day.
WITH written AS (
    INSERT INTO fiscal.decision AS c (valid_from, legal_kind, relation, payer_kind, form, issues, reason, means, deadline, internet,
        source)
    SELECT s.valid_from, s.legal_kind, s.relation, s.payer_kind, s.form, s.issues, s.reason, s.means, s.deadline, s.internet, s.source
    FROM staged_fiscal_decisions s ORDER BY s.line_no
    ON CONFLICT ON CONSTRAINT decision_key DO UPDATE SET issues = excluded.issues, reason = excluded.reason, means = excluded.means,
        deadline = excluded.deadline, internet = excluded.internet, source = excluded.source
    WHERE (c.issues, c.reason, c.means, c.deadline, c.internet, c.source) IS DISTINCT FROM
        (excluded.issues, excluded.reason, excluded.means, excluded.deadline, excluded.internet, excluded.source)
    RETURNING xmax = 0 AS added)
SELECT count(*) FILTER (WHERE added) AS added, count(*) FILTER (WHERE NOT added) AS changed FROM written

-- name: make_staging_item_rules
-- Rows of the file, by line number.
CREATE TEMP TABLE staged_fiscal_item_rules (line_no int, kind smallint, valid_from date, method smallint, subject smallint, source text)

-- name: write_item_rules
-- Rules of items by day.
WITH written AS (
    INSERT INTO fiscal.item_rule AS c (kind, valid_from, method, subject, source)
    SELECT s.kind, s.valid_from, s.method, s.subject, s.source FROM staged_fiscal_item_rules s ORDER BY s.line_no
    ON CONFLICT ON CONSTRAINT item_rule_key DO UPDATE SET method = excluded.method, subject = excluded.subject,
        source = excluded.source
    WHERE (c.method, c.subject, c.source) IS DISTINCT FROM (excluded.method, excluded.subject, excluded.source)
    RETURNING xmax = 0 AS added)
SELECT count(*) FILTER (WHERE added) AS added, count(*) FILTER (WHERE NOT added) AS changed FROM written

-- name: make_staging_contacts
-- Rows of the file, by line number.
CREATE TEMP TABLE staged_fiscal_contacts (line_no int, namespace text, number text, contact text)

-- name: unknown_accounts
-- Rows whose account is not loaded.
SELECT s.line_no, count(*) OVER () AS found FROM staged_fiscal_contacts s
WHERE NOT EXISTS (SELECT FROM reference.personal_account a WHERE a.namespace = s.namespace AND a.number = s.number)
ORDER BY s.line_no LIMIT 100

-- name: write_contacts
-- Contacts by account.
WITH written AS (
    INSERT INTO fiscal.contact AS c (personal_account, contact)
    SELECT a.personal_account, s.contact
    FROM staged_fiscal_contacts s JOIN reference.personal_account a ON a.namespace = s.namespace AND a.number = s.number ORDER BY s.line_no
    ON CONFLICT (personal_account) DO UPDATE SET contact = excluded.contact, loaded_at = clock_timestamp()
    WHERE c.contact <> excluded.contact
    RETURNING xmax = 0 AS added)
SELECT count(*) FILTER (WHERE added) AS added, count(*) FILTER (WHERE NOT added) AS changed FROM written
