-- People, their passwords and sessions.

-- name: add_person
-- Add a person to an organisation by its code ($1): login, name, role, password's hash, who adds them.
INSERT INTO access.person (organisation, login, name, role, password, made_by)
SELECT o.organisation, $2, $3, $4, $5, $6 FROM access.organisation o WHERE o.code = $1 AND o.closed_at IS NULL RETURNING person

-- name: lock_login
-- A person by login, locked for the log-in's transaction: tries of one login come one after another.
SELECT p.person, p.password, p.totp, p.totp_step, p.failures, coalesce(p.locked_until > $2, false) AS is_locked, o.organisation
FROM access.person p JOIN access.organisation o USING (organisation)
WHERE p.login = $1 AND p.ended_at IS NULL AND o.closed_at IS NULL FOR UPDATE OF p

-- name: count_failure
-- One more wrong try; from the limit ($2) on it locks until $3.
UPDATE access.person SET failures = failures + 1, locked_until = CASE WHEN failures + 1 >= $2 THEN $3 ELSE locked_until END
WHERE person = $1 RETURNING failures

-- name: forgive
-- A right password and code end a row of failures.
UPDATE access.person SET failures = 0, locked_until = NULL WHERE person = $1

-- name: change_password
-- Give a person another password; every session of theirs ends with it.
WITH ended AS (UPDATE access.session SET ended_at = $3 WHERE person = $1 AND ended_at IS NULL)
UPDATE access.person SET password = $2, failures = 0, locked_until = NULL WHERE person = $1

-- name: rehash
-- Keep a password's hash by the present parameters.
UPDATE access.person SET password = $2 WHERE person = $1

-- name: set_totp
-- Set a person's second factor (sealed), or take it away.
UPDATE access.person SET totp = $2, totp_step = 0 WHERE person = $1

-- name: use_totp_step
-- Accept a code's time step once; no row where this step or a later one was used.
UPDATE access.person SET totp_step = $2 WHERE person = $1 AND totp_step < $2 RETURNING person

-- name: start_session
-- Start a session: hash of its cookie, person, form token, whether the second factor is done, when it ends.
INSERT INTO access.session (hash, person, csrf, is_second_factor_done, started_at, seen_at, ends_at)
VALUES ($1, $2, $3, $4, $5, $5, $6) RETURNING session

-- name: rotate_session
-- Give a live session a new cookie and form token; no row where it has ended or was rotated by another request.
UPDATE access.session SET hash = $2, csrf = $3, is_second_factor_done = $4, seen_at = $5, ends_at = $6
WHERE hash = $1 AND ended_at IS NULL AND ends_at > $5 RETURNING session

-- name: half_session
-- A session that still waits for the second factor.
SELECT s.session, s.person, s.csrf, p.login, p.totp, p.totp_step, p.failures, coalesce(p.locked_until > $2, false) AS is_locked,
    o.organisation
FROM access.session s JOIN access.person p USING (person) JOIN access.organisation o USING (organisation)
WHERE s.hash = $1 AND s.ended_at IS NULL AND s.ends_at > $2 AND NOT s.is_second_factor_done AND p.totp IS NOT NULL
    AND p.ended_at IS NULL AND o.closed_at IS NULL FOR UPDATE OF p

-- name: end_session
-- Log out.
UPDATE access.session SET ended_at = $2 WHERE hash = $1 AND ended_at IS NULL

-- name: tell
-- Write a line of the audit trail: organisation, actor, action, subject, request.
INSERT INTO access.audit (organisation, actor, action, subject, request_id) VALUES ($1, $2, $3, $4, $5)
