-- Access tokens of OAuth2 clients.

-- name: add_token
-- Give a live client ($1, its name, and the hash of its secret) a token (hash, scopes, until when); no row for a wrong client.
INSERT INTO access.token (hash, client, scopes, expires_at)
SELECT $3, c.client, $4, $5 FROM access.client c JOIN access.organisation o USING (organisation)
WHERE c.name = $1 AND c.hash = $2 AND c.revoked_at IS NULL AND (c.expires_at IS NULL OR c.expires_at > clock_timestamp())
    AND o.closed_at IS NULL
RETURNING client

-- name: scopes_of
-- The scopes of a live client by its name and the hash of its secret.
SELECT c.scopes FROM access.client c WHERE c.name = $1 AND c.hash = $2 AND c.revoked_at IS NULL

-- name: forget_expired
-- Take expired tokens away, at most a thousand of them.
DELETE FROM access.token t WHERE t.hash IN (SELECT x.hash FROM access.token x WHERE x.expires_at < $1 ORDER BY x.expires_at LIMIT 1000)
