-- Fiscal receipts (54-ФЗ): who issues which receipt by dated tables, what was issued, what was not and why.
-- A rule that changes is a new dated row; nothing that was recorded changes.

CREATE SCHEMA fiscal;

-- True when the amounts are whole, above zero and add up to the total: the second check of every receipt's sum.
CREATE FUNCTION fiscal.sums_to(amounts bigint[], total bigint) RETURNS boolean LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE rest bigint := total; one bigint;
BEGIN
  IF total IS NULL OR coalesce(array_ndims(amounts), 0) <> 1 THEN RETURN false; END IF;
  FOREACH one IN ARRAY amounts LOOP
    IF one IS NULL OR one <= 0 THEN RETURN false; END IF;
    rest := rest - one;
  END LOOP;
  RETURN rest = 0;
END $$;

-- Who issues receipts: пользователь ККТ, from a day on. form: 'association' (ТСЖ, ЖСК: no till for transfers, п. 13 ст. 2),
-- 'exempt' (uses no till at all). operator is the connection of its till's operator (config), such as atol:uk1.
CREATE TABLE fiscal.company (
    recipient int NOT NULL REFERENCES reference.recipient,
    valid_from date NOT NULL,
    form text NOT NULL CONSTRAINT company_form CHECK (form IN ('ordinary', 'association', 'exempt')),
    tax_system text NOT NULL CONSTRAINT company_tax_system
        CHECK (tax_system IN ('osn', 'usn_income', 'usn_income_outcome', 'esn', 'patent')),
    format text NOT NULL CONSTRAINT company_format CHECK (format IN ('1.05', '1.2')),
    payment_address text NOT NULL,
    email text NOT NULL,
    operator text NOT NULL CONSTRAINT company_operator CHECK (char_length(operator) <= 64),
    CONSTRAINT company_key PRIMARY KEY (recipient, valid_from),
    CONSTRAINT company_till CHECK (form = 'exempt' OR (payment_address <> '' AND email <> '' AND operator <> '')));

-- How a service is called on a receipt, and its unit (2108; an item's quantity is 1, so 0, a piece, unless a till wants another).
CREATE TABLE fiscal.service (
    service text NOT NULL,
    valid_from date NOT NULL,
    title text NOT NULL CONSTRAINT service_title CHECK (char_length(title) BETWEEN 1 AND 100),
    measure smallint NOT NULL DEFAULT 0 CONSTRAINT service_measure CHECK (measure BETWEEN 0 AND 255),
    CONSTRAINT service_key PRIMARY KEY (service, valid_from));

-- VAT inside a line's sum, from a period (year * 100 + month) on. recipient is whose supply it is: the creditor, or the supplier
-- whose agent issues; NULL is everybody. service '' is every service. kind as in reference.charge (0 principal, 1 penalty,
-- 2 costs); an advance takes the calculated rate of its principal.
CREATE TABLE fiscal.vat (
    recipient int REFERENCES reference.recipient,
    service text NOT NULL DEFAULT '',
    kind smallint NOT NULL CONSTRAINT vat_kind CHECK (kind BETWEEN 0 AND 2),
    period_from int NOT NULL,
    rate text NOT NULL CONSTRAINT vat_rate CHECK (rate IN ('none', 'vat0', 'vat5', 'vat7', 'vat10', 'vat20', 'vat22')),
    source text NOT NULL DEFAULT '',
    CONSTRAINT vat_once UNIQUE NULLS NOT DISTINCT (recipient, service, kind, period_from));

-- Agency contracts: agent (the provider of the account) lists the principal's lines in its own receipt, marked.
CREATE TABLE fiscal.agency (
    agent int NOT NULL REFERENCES reference.recipient,
    principal int NOT NULL REFERENCES reference.recipient,
    valid_from date NOT NULL,
    valid_to date,
    mark text NOT NULL CONSTRAINT agency_mark CHECK (mark IN ('bank_paying_agent', 'bank_paying_subagent', 'paying_agent',
        'paying_subagent', 'attorney', 'commission_agent', 'another')),
    principal_phone text NOT NULL DEFAULT '',
    CONSTRAINT agency_key PRIMARY KEY (agent, principal, valid_from),
    CONSTRAINT agency_two_parties CHECK (agent <> principal));

-- The table of decisions: whose money it is and how it came says who issues. legal_kind: of the channel, or 'house' for what
-- moves no money (an advance's offset). relation of the line to the account's provider: 'own' line, 'pass_through' (the provider
-- is the исполнитель, the money goes to a supplier), 'direct' (another creditor's), 'agency' (of a principal by contract).
-- payer_kind as in reference.personal_account; form of who would issue. issues: 'creditor', 'contract_agent',
-- 'channel_agent' (issued its own receipt already) or 'nobody', the last two with the reason that the register then names.
CREATE TABLE fiscal.decision (
    valid_from date NOT NULL,
    legal_kind text NOT NULL,
    relation text NOT NULL CONSTRAINT decision_relation CHECK (relation IN ('own', 'pass_through', 'direct', 'agency')),
    payer_kind smallint NOT NULL CONSTRAINT decision_payer_kind CHECK (payer_kind BETWEEN 0 AND 2),
    form text NOT NULL CONSTRAINT decision_form CHECK (form IN ('ordinary', 'association', 'exempt')),
    issues text NOT NULL CONSTRAINT decision_issues CHECK (issues IN ('creditor', 'contract_agent', 'channel_agent', 'nobody')),
    reason text NOT NULL DEFAULT '',
    means smallint NOT NULL DEFAULT 1 CONSTRAINT decision_means CHECK (means BETWEEN 0 AND 4),
    deadline text NOT NULL DEFAULT 'next_working_day'
        CONSTRAINT decision_deadline CHECK (deadline IN ('at_once', 'next_working_day', 'ten_days_after_month')),
    internet boolean NOT NULL DEFAULT false,
    source text NOT NULL,
    CONSTRAINT decision_key PRIMARY KEY (legal_kind, relation, payer_kind, form, valid_from),
    CONSTRAINT decision_says_why CHECK ((issues IN ('channel_agent', 'nobody')) = (reason <> '')));
INSERT INTO fiscal.decision (valid_from, legal_kind, relation, payer_kind, form, issues, reason, means, deadline, internet, source)
SELECT '2019-07-01', k.legal_kind, r.relation, p.payer_kind, f.form,
    CASE WHEN s.issues = 'creditor' AND r.relation = 'agency' THEN 'contract_agent' ELSE s.issues END,
    s.reason, s.means, s.deadline, s.internet, s.source
FROM (VALUES
    ('{payment_agent,bank_payment_agent}'::text[], '{0,1,2}'::smallint[], '{ordinary,association,exempt}'::text[],
     'channel_agent', 'channel_agent', 1::smallint, 'at_once', false,
     '103-ФЗ ст. 6, 161-ФЗ ст. 14, 54-ФЗ ст. 1.1: the agent that takes the money issues, the supplier not once more [from memory H]'),
    ('{bank}', '{0}', '{ordinary}', 'creditor', '', 1, 'next_working_day', false,
     '54-ФЗ ст. 1.2 п. 5.3, 5.4; письмо ФНС ЕД-4-20/15964@ of 12.08.2019: each creditor for its own lines [from memory M]'),
    ('{bank}', '{0}', '{association}', 'nobody', 'association', 1, 'next_working_day', false,
     '54-ФЗ ст. 2 п. 13: ТСЖ, ЖСК and the like, cashless without an electronic means of payment'),
    ('{bank,acquirer}', '{0}', '{exempt}', 'nobody', 'exempt', 1, 'next_working_day', false,
     'by contract: who uses no till, such as an authority paid through the treasury [from memory L]'),
    ('{bank}', '{1,2}', '{ordinary,association,exempt}', 'nobody', 'organisation', 1, 'next_working_day', false,
     '54-ФЗ ст. 2 п. 9: organisations and ИП paying from their account [from memory H]'),
    ('{acquirer}', '{0,1,2}', '{ordinary,association}', 'creditor', '', 1, 'at_once', true,
     '54-ФЗ ст. 1.2 п. 5, 5.3: card or СБП on a site, at the moment of payment; 1125 since 01.09.2025 [from memory M]'),
    ('{acquirer}', '{1,2}', '{exempt}', 'nobody', 'exempt', 1, 'at_once', true,
     'by contract: who uses no till [from memory L]'),
    ('{house}', '{0}', '{ordinary}', 'creditor', '', 2, 'ten_days_after_month', false,
     '54-ФЗ ст. 1.2 п. 2.1: one receipt for all offsets of a month, within 10 days after it [term from memory M]'),
    ('{house}', '{0}', '{association}', 'nobody', 'association', 2, 'ten_days_after_month', false, '54-ФЗ ст. 2 п. 13'),
    ('{house}', '{0}', '{exempt}', 'nobody', 'exempt', 2, 'ten_days_after_month', false, 'by contract [from memory L]'),
    ('{house}', '{1,2}', '{ordinary,association,exempt}', 'nobody', 'organisation', 2, 'ten_days_after_month', false,
     '54-ФЗ ст. 2 п. 9 [from memory H]')
  ) AS s(legal_kinds, payer_kinds, forms, issues, reason, means, deadline, internet, source)
  CROSS JOIN LATERAL unnest(s.legal_kinds) AS k(legal_kind)
  CROSS JOIN LATERAL unnest(s.payer_kinds) AS p(payer_kind)
  CROSS JOIN LATERAL unnest(s.forms) AS f(form)
  CROSS JOIN unnest('{own,pass_through,direct,agency}'::text[]) AS r(relation);

-- How a line of a kind (0 principal, 1 penalty, 2 awarded costs, 3 advance) is registered: способ (1214) and предмет (1212).
CREATE TABLE fiscal.item_rule (
    kind smallint NOT NULL CONSTRAINT item_rule_kind CHECK (kind BETWEEN 0 AND 3),
    valid_from date NOT NULL,
    method smallint NOT NULL CONSTRAINT item_rule_method CHECK (method BETWEEN 1 AND 7),
    subject smallint NOT NULL CONSTRAINT item_rule_subject CHECK (subject IN (4, 10, 11, 15)),
    source text NOT NULL,
    CONSTRAINT item_rule_key PRIMARY KEY (kind, valid_from));
INSERT INTO fiscal.item_rule (kind, valid_from, method, subject, source) VALUES
    (0, '2019-07-01', 4, 4, 'practice of ЖКУ: полный расчёт of the paid sum of the line [from memory M]'),
    (1, '2019-07-01', 4, 4, 'penalty as a service of the same supply, or 15 внереализационный доход [from memory M]'),
    (2, '2019-07-01', 4, 15, 'awarded court costs: внереализационный доход [from memory L]'),
    (3, '2019-07-01', 3, 10, 'аванс, платёж: services of a future period are not known [from memory H]');

INSERT INTO fiscal.vat (recipient, service, kind, period_from, rate, source) VALUES
    (NULL, '', 1, 0, 'none', 'penalties tied to supply exempt by НК ст. 149 п. 3 подп. 29, 30 [from memory M]'),
    (NULL, '', 2, 0, 'none', 'awarded costs are no supply [from memory M]');
INSERT INTO fiscal.service (service, valid_from, title) VALUES
    ('maintenance', '2019-07-01', 'Содержание жилого помещения'), ('heating', '2019-07-01', 'Отопление'),
    ('hot_water', '2019-07-01', 'Горячее водоснабжение'), ('cold_water', '2019-07-01', 'Холодное водоснабжение'),
    ('sewage', '2019-07-01', 'Водоотведение'), ('electricity', '2019-07-01', 'Электроснабжение'),
    ('gas', '2019-07-01', 'Газоснабжение'), ('waste', '2019-07-01', 'Обращение с ТКО'),
    ('common_cold_water', '2019-07-01', 'Холодная вода на содержание общего имущества'),
    ('common_hot_water', '2019-07-01', 'Горячая вода на содержание общего имущества'),
    ('common_electricity', '2019-07-01', 'Электроэнергия на содержание общего имущества'),
    ('common_sewage', '2019-07-01', 'Отведение сточных вод общего имущества'),
    ('lift', '2019-07-01', 'Обслуживание лифта'), ('intercom', '2019-07-01', 'Домофон'), ('antenna', '2019-07-01', 'Антенна'),
    ('capital_repair', '2019-07-01', 'Взнос на капитальный ремонт'), ('rent', '2019-07-01', 'Плата за наём'),
    ('insurance', '2019-07-01', 'Добровольное страхование'), ('penalty', '2019-07-01', 'Пени'),
    ('court_costs', '2019-07-01', 'Судебные расходы'), ('advance', '2019-07-01', 'ЖКУ');

-- Where a payer wants receipts: an e-mail or +7…; erased on demand (152-ФЗ). Nobody but the services reads it.
CREATE TABLE fiscal.contact (
    personal_account bigint PRIMARY KEY,
    contact text NOT NULL CONSTRAINT contact_form CHECK (contact ~ '^\+7[0-9]{10}$' OR contact ~ '^[^@\s]+@[^@\s]+$'),
    loaded_at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE TRIGGER contact_account_known AFTER INSERT ON fiscal.contact
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION reference.accounts_are_known();

-- One receipt; never changes once it was ordered. lines and amounts are parallel to its items; the payer's contact is not in it.
-- (space, external_id) is the key of the payment, also of what corrects it: correction is '' for the payment's own receipts, 'n'
-- for its n-th correction in the ledger, 'wn' for the n-th mending of a wrong receipt. An offset receipt has space 0 and no
-- account. content, the JSON of schemas.receipt.Receipt, waits while something is not configured (see fiscal.stopped).
-- after: nothing is sent before that receipt is registered.
CREATE SEQUENCE fiscal.receipt_number;
CREATE TABLE fiscal.receipt (
    number bigint PRIMARY KEY DEFAULT nextval('fiscal.receipt_number'),
    book smallint NOT NULL,
    sequence bigint NOT NULL,
    space int NOT NULL,
    external_id text NOT NULL,
    personal_account bigint,
    issuer int NOT NULL,
    operation text NOT NULL CONSTRAINT receipt_operation
        CHECK (operation IN ('sell', 'sell_refund', 'sell_correction', 'sell_refund_correction')),
    correction text NOT NULL DEFAULT '' CONSTRAINT receipt_correction CHECK (correction ~ '^(w?[0-9]{1,9})?$'),
    part smallint NOT NULL DEFAULT 0,
    total bigint NOT NULL CONSTRAINT receipt_total CHECK (total > 0),
    lines int[] NOT NULL,
    amounts bigint[] NOT NULL,
    settled_at timestamptz NOT NULL,
    deadline timestamptz NOT NULL,
    content bytea,
    after bigint REFERENCES fiscal.receipt,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT receipt_once UNIQUE (space, external_id, issuer, operation, correction, part),
    CONSTRAINT receipt_items CHECK (cardinality(lines) = cardinality(amounts) AND cardinality(lines) BETWEEN 1 AND 100),
    CONSTRAINT receipt_sum CHECK (fiscal.sums_to(amounts, total)));
CREATE INDEX receipt_place ON fiscal.receipt (book, sequence);
CREATE INDEX receipt_account ON fiscal.receipt (personal_account, number);
CREATE INDEX receipt_after ON fiscal.receipt (after) WHERE after IS NOT NULL;
-- What was ordered stays as it was ordered; a receipt that no till took may be built again.
CREATE FUNCTION fiscal.refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM fiscal.stopped s WHERE s.receipt = OLD.number AND s.state IN (0, 3)) THEN RETURN NEW; END IF;
  RAISE integrity_constraint_violation USING MESSAGE = 'a receipt that was ordered never changes', CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER receipt_fixed BEFORE UPDATE ON fiscal.receipt
    FOR EACH ROW WHEN (OLD.content IS NOT NULL) EXECUTE FUNCTION fiscal.refuse_change();

-- Receipts that are not on their way and why; without a row here a receipt is ordered, with a sign it is registered.
-- state: 0 unconfigured, 1 held until another is registered, 2 withdrawn (needs none after all), 3 failed at the till,
-- 4 disputed (a till registered something else).
CREATE TABLE fiscal.stopped (
    receipt bigint PRIMARY KEY REFERENCES fiscal.receipt,
    state smallint NOT NULL CONSTRAINT stopped_state CHECK (state BETWEEN 0 AND 4),
    reason text NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE INDEX stopped_by_state ON fiscal.stopped (state, receipt);

-- What the till registered: номер ФН, номер ФД, ФПД. registered_at is the till's local time as printed.
CREATE TABLE fiscal.sign (
    receipt bigint PRIMARY KEY REFERENCES fiscal.receipt,
    fn text NOT NULL,
    fd text NOT NULL,
    fpd text NOT NULL,
    registered_at timestamp NOT NULL,
    total bigint NOT NULL,
    shift text NOT NULL,
    number_in_shift text NOT NULL,
    register_number text NOT NULL,
    link text NOT NULL,
    qr text NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT sign_once UNIQUE (fn, fd, fpd));
CREATE INDEX sign_by_fpd ON fiscal.sign (fpd);

-- Sums that need no receipt of ours and why; issuer 0 where it is nobody's yet. Negative when a correction takes back a sum
-- that had none, or money leaves suspense.
CREATE TABLE fiscal.no_receipt (
    book smallint NOT NULL,
    sequence bigint NOT NULL,
    issuer int NOT NULL,
    reason text NOT NULL CONSTRAINT no_receipt_reason CHECK (reason IN ('suspense', 'organisation', 'channel_agent',
        'association', 'exempt', 'paid_elsewhere', 'original_without')),
    amount bigint NOT NULL CONSTRAINT no_receipt_amount CHECK (amount <> 0),
    CONSTRAINT no_receipt_key PRIMARY KEY (book, sequence, issuer, reason));

-- Offsets of advances waiting for, or standing in, the consolidated receipt of their month (year * 100 + month).
CREATE TABLE fiscal.advance_offset (
    book smallint NOT NULL,
    sequence bigint NOT NULL,
    line int NOT NULL,
    personal_account bigint NOT NULL,
    issuer int NOT NULL,
    amount bigint NOT NULL CONSTRAINT advance_offset_amount CHECK (amount > 0),
    month int NOT NULL,
    receipt bigint REFERENCES fiscal.receipt,
    CONSTRAINT advance_offset_key PRIMARY KEY (book, sequence, line));
CREATE INDEX advance_offset_open ON fiscal.advance_offset (month, issuer) WHERE receipt IS NULL;

-- Receipts as people look for them; state 5 is ordered, 6 registered. orders counts the orders given for it.
CREATE VIEW fiscal.receipt_view AS
SELECT r.number, r.book, r.sequence, r.space, p.name AS space_name, r.external_id, r.personal_account, a.namespace,
    a.number AS account_number, r.issuer, coalesce(i.code, '') AS issuer_code, r.operation, r.correction, r.part, r.total,
    r.settled_at, r.deadline, r.content, r.after, r.made_at,
    CASE WHEN t.state IS NOT NULL THEN t.state WHEN s.receipt IS NOT NULL THEN 6 ELSE 5 END::smallint AS state,
    coalesce(t.reason, '') AS reason, t.since,
    (SELECT count(*) FROM delivery.outgoing o WHERE o.what = 'receipt' AND o.subject = r.number)::int AS orders,
    s.fn, s.fd, s.fpd, s.registered_at, s.total AS registered_total, s.shift, s.number_in_shift, s.register_number, s.link, s.qr
FROM fiscal.receipt r
  LEFT JOIN fiscal.stopped t ON t.receipt = r.number
  LEFT JOIN fiscal.sign s ON s.receipt = r.number
  LEFT JOIN reference.operation_space p ON p.space = r.space
  LEFT JOIN reference.personal_account a ON a.personal_account = r.personal_account
  LEFT JOIN reference.recipient i ON i.recipient = r.issuer;

GRANT USAGE ON SCHEMA fiscal TO kopeck_services, kopeck_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA fiscal TO kopeck_services, kopeck_reader;
REVOKE SELECT ON fiscal.contact FROM kopeck_reader;
GRANT EXECUTE ON FUNCTION fiscal.sums_to(bigint[], bigint) TO kopeck_services;
GRANT USAGE ON SEQUENCE fiscal.receipt_number TO kopeck_services;
-- Dated rows are added; one whose day has not come may be loaded again otherwise.
GRANT INSERT, UPDATE ON fiscal.company, fiscal.service, fiscal.vat, fiscal.agency, fiscal.decision, fiscal.item_rule TO kopeck_services;
GRANT INSERT, UPDATE, DELETE ON fiscal.contact TO kopeck_services;
GRANT INSERT, UPDATE (operation, content) ON fiscal.receipt TO kopeck_services;
GRANT INSERT, UPDATE (state, reason, since), DELETE ON fiscal.stopped TO kopeck_services;
GRANT INSERT ON fiscal.sign, fiscal.no_receipt TO kopeck_services;
GRANT INSERT, UPDATE (receipt) ON fiscal.advance_offset TO kopeck_services;
