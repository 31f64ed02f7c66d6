-- Recipients and their requisites from a staged file.

-- name: make_staging
-- Rows of the file, by line number; NULL options are those the file leaves as they are.
CREATE TEMP TABLE staged_recipient (
    line_no int, code text, kind text, name text, inn text, kpp text, bank_account text, bic text, kbk text, oktmo text,
    valid_from date, advance_rule smallint, per_service_payment boolean, costs_first boolean)

-- name: repeats
-- Codes that stand in more than one line.
SELECT s.line_no, s.first_line, count(*) OVER () AS found
FROM (SELECT t.line_no, min(t.line_no) OVER (PARTITION BY t.code) AS first_line FROM staged_recipient t) s
WHERE s.line_no > s.first_line ORDER BY s.line_no LIMIT 100

-- name: changed_inn
-- Known recipients whose ИНН differs.
SELECT s.line_no, r.inn, count(*) OVER () AS found
FROM staged_recipient s JOIN reference.recipient r USING (code) WHERE r.inn <> s.inn ORDER BY s.line_no LIMIT 100

-- name: mark_accounts
-- Tables depend on the contract options of their provider.
INSERT INTO reference.table_due (personal_account)
SELECT a.personal_account
FROM staged_recipient s JOIN reference.recipient r USING (code) JOIN reference.personal_account a ON a.provider = r.recipient
WHERE (r.advance_rule, r.per_service_payment, r.costs_first) IS DISTINCT FROM
    (coalesce(s.advance_rule, r.advance_rule), coalesce(s.per_service_payment, r.per_service_payment),
     coalesce(s.costs_first, r.costs_first))
ON CONFLICT (personal_account) DO UPDATE SET since = excluded.since

-- name: count_changes
-- Rows that are new, and rows that change the recipient or its requisites.
SELECT count(*) FILTER (WHERE r.recipient IS NULL) AS added,
    count(*) FILTER (WHERE r.recipient IS NOT NULL AND (
        (r.kind, r.name, r.kpp, r.advance_rule, r.per_service_payment, r.costs_first) IS DISTINCT FROM
        (s.kind, s.name, s.kpp, coalesce(s.advance_rule, r.advance_rule),
         coalesce(s.per_service_payment, r.per_service_payment), coalesce(s.costs_first, r.costs_first))
        OR (q.bank_account, q.bic, q.kbk, q.oktmo, q.valid_from) IS DISTINCT FROM
           (s.bank_account, s.bic, s.kbk, s.oktmo, s.valid_from))) AS changed
FROM staged_recipient s
    LEFT JOIN reference.recipient r USING (code)
    LEFT JOIN LATERAL (
        SELECT v.* FROM reference.requisites v WHERE v.recipient = r.recipient ORDER BY v.version DESC LIMIT 1) q ON true

-- name: update_recipients
-- Known recipients, where something differs.
UPDATE reference.recipient r
SET kind = s.kind, name = s.name, kpp = s.kpp, advance_rule = coalesce(s.advance_rule, r.advance_rule),
    per_service_payment = coalesce(s.per_service_payment, r.per_service_payment), costs_first = coalesce(s.costs_first, r.costs_first)
FROM staged_recipient s
WHERE s.code = r.code
    AND (r.kind, r.name, r.kpp, r.advance_rule, r.per_service_payment, r.costs_first) IS DISTINCT FROM
        (s.kind, s.name, s.kpp, coalesce(s.advance_rule, r.advance_rule),
         coalesce(s.per_service_payment, r.per_service_payment), coalesce(s.costs_first, r.costs_first))

-- name: add_recipients
-- New recipients, numbered in the order of the file; 1 is the advance rule of the law's default, to one line.
INSERT INTO reference.recipient (code, kind, name, inn, kpp, advance_rule, per_service_payment, costs_first)
SELECT s.code, s.kind, s.name, s.inn, s.kpp, coalesce(s.advance_rule, 1), coalesce(s.per_service_payment, false),
    coalesce(s.costs_first, false)
FROM staged_recipient s LEFT JOIN reference.recipient r USING (code) WHERE r.recipient IS NULL ORDER BY s.line_no

-- name: add_requisites
-- A version after the last one, where it differs from it; nobody has approved it yet.
WITH made AS (
    INSERT INTO reference.requisites (recipient, version, bank_account, bic, kbk, oktmo, valid_from, loaded_by)
    SELECT r.recipient, coalesce(q.version, 0) + 1, s.bank_account, s.bic, s.kbk, s.oktmo, s.valid_from, $1
    FROM staged_recipient s JOIN reference.recipient r USING (code)
        LEFT JOIN LATERAL (
            SELECT v.* FROM reference.requisites v WHERE v.recipient = r.recipient ORDER BY v.version DESC LIMIT 1) q ON true
    WHERE (q.bank_account, q.bic, q.kbk, q.oktmo, q.valid_from) IS DISTINCT FROM
        (s.bank_account, s.bic, s.kbk, s.oktmo, s.valid_from)
    RETURNING recipient, version)
SELECT s.line_no, r.code, m.version, count(*) OVER () AS found
FROM made m JOIN reference.recipient r USING (recipient) JOIN staged_recipient s USING (code) ORDER BY s.line_no LIMIT 100
