-- Organisations and their keys.

-- name: add_organisation
-- A new organisation: code, name, kind, who adds it.
INSERT INTO access.organisation (code, name, kind, made_by) VALUES ($1, $2, $3, $4) RETURNING organisation

-- name: give_recipients
-- Make recipients ($2, codes) this organisation's ($1); how many there were.
WITH given AS (INSERT INTO access.organisation_recipient (recipient, organisation)
    SELECT r.recipient, $1 FROM reference.recipient r WHERE r.code = ANY ($2::text[]) RETURNING 1)
SELECT count(*) FROM given

-- name: give_transits
-- Make transit accounts ($2, their numbers) this bank's ($1); how many there were.
WITH given AS (INSERT INTO access.organisation_transit (transit, organisation)
    SELECT t.transit, $1 FROM reference.transit_account t WHERE t.account = ANY ($2::text[]) RETURNING 1)
SELECT count(*) FROM given

-- name: add_client
-- A key of an organisation ($2, its code): name, hash, scopes, who makes it, until when.
INSERT INTO access.client (name, organisation, hash, scopes, made_by, expires_at)
SELECT $1, o.organisation, $3, $4, $5, $6 FROM access.organisation o WHERE o.code = $2 AND o.closed_at IS NULL RETURNING organisation

-- name: revoke_client
-- Revoke a key; no row where there is none, or it was revoked before.
UPDATE access.client SET revoked_by = $2, revoked_at = $3 WHERE name = $1 AND revoked_at IS NULL RETURNING organisation

-- name: list_organisations
-- Organisations with their recipients, people and live keys.
SELECT o.code, o.name, o.kind,
    ARRAY(SELECT r.code FROM access.organisation_recipient x JOIN reference.recipient r USING (recipient)
        WHERE x.organisation = o.organisation ORDER BY 1) AS recipients,
    ARRAY(SELECT p.login || ' (' || p.role || ')' FROM access.person p
        WHERE p.organisation = o.organisation AND p.ended_at IS NULL ORDER BY 1) AS people,
    ARRAY(SELECT c.name FROM access.client c WHERE c.organisation = o.organisation AND c.revoked_at IS NULL ORDER BY 1) AS keys
FROM access.organisation o WHERE o.closed_at IS NULL ORDER BY o.code

-- name: list_audit
-- The newest lines of the audit trail, at most $1.
SELECT a.at, coalesce(o.code, '') AS organisation, a.actor, a.action, a.subject
FROM access.audit a LEFT JOIN access.organisation o USING (organisation) ORDER BY a.audit DESC LIMIT $1
