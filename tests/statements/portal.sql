-- A small house for the portal's tests: two suppliers that are organisations, and the operator.

-- name: recipients
-- Two recipients.
INSERT INTO reference.recipient (code, kind, name, inn, kpp) VALUES ('heat', 'supplier', 'Тепло', '7707083893', '770801001'),
    ('water', 'supplier', 'Вода', '7707083893', '770801001')

-- name: organisations
-- The operator and an organisation for each recipient.
INSERT INTO access.organisation (code, name, kind, made_by) VALUES ('operator', 'Копейка', 'operator', 'test'),
    ('heat', 'Тепло', 'supplier', 'test'), ('water', 'Вода', 'supplier', 'test')

-- name: own_recipients
-- Each organisation is the recipient of its code.
INSERT INTO access.organisation_recipient (recipient, organisation)
SELECT r.recipient, o.organisation FROM reference.recipient r JOIN access.organisation o USING (code)

-- name: add_client
-- A key of an organisation: name, organisation's code, hash, scopes.
INSERT INTO access.client (name, organisation, hash, scopes, made_by) SELECT $1, o.organisation, $3, $4, 'test'
FROM access.organisation o WHERE o.code = $2

-- name: revoke
-- Revoke a key.
UPDATE access.client SET revoked_by = 'test', revoked_at = clock_timestamp() WHERE name = $1

-- name: rename
-- A write for tests: rename a recipient.
UPDATE reference.recipient SET name = $2 WHERE code = $1

-- name: name_of
-- A recipient's name.
SELECT name FROM reference.recipient WHERE code = $1

-- name: forge_pass
-- What somebody with the portal's password could try.
SELECT set_config('kopeck.pass', $1, true)

-- name: current_pass
-- The pass of this transaction.
SELECT current_setting('kopeck.pass')

-- name: tenant_views
-- Views that tenants read.
SELECT viewname FROM pg_views WHERE schemaname = 'tenant' ORDER BY 1

-- name: count_me
-- Organisations that the transaction sees itself as.
SELECT count(*) FROM tenant.me

-- name: secret_tables
-- Tables that the portal's role must not read.
SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
WHERE schemaname IN ('access', 'reference', 'ledger', 'billing', 'settlement', 'fiscal', 'webhooks', 'intake', 'read_model') ORDER BY 1

-- name: may_read
-- Whether this role may read a table.
SELECT has_table_privilege(current_user, $1::regclass, 'SELECT')

-- name: enter_session
-- Enter by a cookie's hash.
SELECT login FROM access.enter_session($1)

-- name: audit
-- The audit trail.
SELECT actor, action FROM access.audit ORDER BY audit

-- name: forget_audit
-- What nobody may do.
DELETE FROM access.audit

-- name: expire_tokens
-- Time passes.
UPDATE access.token SET expires_at = clock_timestamp() - interval '1 second'

-- name: provider
-- The managing organisation of the loaded town looks in.
WITH made AS (INSERT INTO access.organisation (code, name, kind, made_by) VALUES ('uk', 'УК Север', 'provider', 'test') RETURNING organisation)
INSERT INTO access.organisation_recipient (recipient, organisation)
SELECT r.recipient, m.organisation FROM reference.recipient r, made m WHERE r.code = 'uk'
