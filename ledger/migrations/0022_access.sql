-- Who may look in: organisations, their people and keys, sessions, the audit trail; and what each of them sees (schema tenant).
-- The portal logs in as kopeck_portal, which reads nothing but the views of tenant, and enters each transaction by a credential:
-- access.enter_client or enter_session finds it by its hash and sets a pass that only this database can make. The views show the rows
-- of the pass's organisation, and none without a pass.

CREATE SCHEMA access;
CREATE SCHEMA tenant;

DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'kopeck_portal') THEN
    CREATE ROLE kopeck_portal NOLOGIN;
  END IF;
  IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
    EXECUTE format('GRANT kopeck_portal TO %I', current_user);
  END IF;
END $$;

-- operator: the house itself; provider: УО, ТСЖ; supplier: РСО, СО, a fund; bank: keeps transit accounts.
CREATE TABLE access.organisation (
    organisation int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL CONSTRAINT organisation_once UNIQUE CONSTRAINT organisation_code CHECK (code ~ '^[a-z0-9][a-z0-9_-]{0,63}$'),
    name text NOT NULL CONSTRAINT organisation_name CHECK (char_length(btrim(name)) BETWEEN 1 AND 200),
    kind text NOT NULL CONSTRAINT organisation_kind CHECK (kind IN ('operator', 'provider', 'supplier', 'bank')),
    made_by text NOT NULL CONSTRAINT organisation_maker CHECK (btrim(made_by) <> ''),
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_at timestamptz);
-- The recipients that an organisation is.
CREATE TABLE access.organisation_recipient (
    recipient int PRIMARY KEY REFERENCES reference.recipient,
    organisation int NOT NULL REFERENCES access.organisation);
CREATE INDEX recipients_of_organisation ON access.organisation_recipient (organisation);
CREATE TABLE access.organisation_transit (
    transit int PRIMARY KEY REFERENCES reference.transit_account,
    organisation int NOT NULL REFERENCES access.organisation);

-- A person of one organisation. totp: sealed (services/sealing.py); NULL until it is set up. failures in a row lock the log-in.
CREATE TABLE access.person (
    person int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation int NOT NULL REFERENCES access.organisation,
    login text NOT NULL CONSTRAINT person_login CHECK (login = lower(btrim(login)) AND char_length(login) BETWEEN 3 AND 128),
    name text NOT NULL CONSTRAINT person_name CHECK (char_length(btrim(name)) BETWEEN 1 AND 128),
    role text NOT NULL CONSTRAINT person_role CHECK (role IN ('viewer', 'accountant', 'approver', 'administrator')),
    password text NOT NULL CONSTRAINT person_password CHECK (password LIKE '$argon2id$%'),
    totp bytea,
    totp_step bigint NOT NULL DEFAULT 0,
    failures int NOT NULL DEFAULT 0 CONSTRAINT person_failures CHECK (failures >= 0),
    locked_until timestamptz,
    made_by text NOT NULL,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,
    CONSTRAINT person_once UNIQUE (login));
COMMENT ON COLUMN access.person.totp_step IS 'The last time step whose code was accepted: a code works once.';

-- A session is found by the hash of its cookie; a new cookie is given at log-in, after TOTP and from time to time.
CREATE TABLE access.session (
    session bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hash bytea NOT NULL CONSTRAINT session_once UNIQUE CONSTRAINT session_hash CHECK (octet_length(hash) = 32),
    person int NOT NULL REFERENCES access.person,
    csrf bytea NOT NULL CONSTRAINT session_csrf CHECK (octet_length(csrf) = 32),
    is_second_factor_done boolean NOT NULL DEFAULT false,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ends_at timestamptz NOT NULL,
    ended_at timestamptz);
CREATE INDEX session_of_person ON access.session (person) WHERE ended_at IS NULL;

-- An integrator's credential: an API key is used as it is, a client's secret for tokens too (OAuth2 client credentials). Only hashes
-- are kept: secrets have 256 bits of chance, so SHA-256 of them cannot be turned round.
CREATE TABLE access.client (
    client int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL CONSTRAINT client_once UNIQUE CONSTRAINT client_name CHECK (name ~ '^[a-z0-9][a-z0-9_-]{2,63}$'),
    organisation int NOT NULL REFERENCES access.organisation,
    hash bytea NOT NULL CONSTRAINT client_hash_once UNIQUE CONSTRAINT client_hash CHECK (octet_length(hash) = 32),
    scopes text[] NOT NULL CONSTRAINT client_scopes CHECK (cardinality(scopes) > 0 AND array_position(scopes, NULL) IS NULL),
    made_by text NOT NULL CONSTRAINT client_maker CHECK (btrim(made_by) <> ''),
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz,
    revoked_by text,
    revoked_at timestamptz,
    CONSTRAINT client_revoking CHECK ((revoked_by IS NULL) = (revoked_at IS NULL)));
CREATE TABLE access.token (
    hash bytea PRIMARY KEY CONSTRAINT token_hash CHECK (octet_length(hash) = 32),
    client int NOT NULL REFERENCES access.client,
    scopes text[] NOT NULL,
    expires_at timestamptz NOT NULL);
CREATE INDEX token_expiry ON access.token (expires_at);

-- What a write was answered under an organisation's Idempotency-Key; status NULL while its transaction runs, which nobody else sees.
CREATE TABLE access.answered (
    organisation int NOT NULL REFERENCES access.organisation,
    key text NOT NULL CONSTRAINT answered_key CHECK (char_length(key) BETWEEN 8 AND 128),
    fingerprint bytea NOT NULL CONSTRAINT answered_fingerprint CHECK (octet_length(fingerprint) = 32),
    status smallint,
    location text NOT NULL DEFAULT '',
    body bytea NOT NULL DEFAULT '',
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT answered_once PRIMARY KEY (organisation, key));

-- Who did or read what. Append-only. subject names the thing; it holds no personal data itself.
CREATE TABLE access.audit (
    audit bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    organisation int REFERENCES access.organisation,
    actor text NOT NULL CONSTRAINT audit_actor CHECK (actor <> ''),
    action text NOT NULL CONSTRAINT audit_action CHECK (action ~ '^[a-z][a-z0-9_.:-]{0,63}$'),
    subject text NOT NULL DEFAULT '' CONSTRAINT audit_subject CHECK (char_length(subject) <= 500),
    request_id text NOT NULL DEFAULT '');
CREATE INDEX audit_of_organisation ON access.audit (organisation, audit);

CREATE FUNCTION access.refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE integrity_constraint_violation USING MESSAGE = TG_TABLE_NAME || ': what is recorded here never changes', CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER audit_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON access.audit
    FOR EACH STATEMENT EXECUTE FUNCTION access.refuse_change();

-- The key under passes; nobody but the door reads it.
CREATE TABLE access.pass_key (
    only_one boolean PRIMARY KEY DEFAULT true CONSTRAINT pass_key_only_one CHECK (only_one),
    key bytea NOT NULL);
INSERT INTO access.pass_key (key) VALUES (sha256((gen_random_uuid()::text || gen_random_uuid()::text || gen_random_uuid()::text)::bytea));

-- A pass is good for one transaction of one backend: "organisation/seal". A role that sets it by itself cannot seal it.
CREATE FUNCTION access.seal_of(p_organisation int) RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT encode(sha256(k.key || convert_to(format('%s/%s/%s', p_organisation, pg_backend_pid(), extract(epoch FROM transaction_timestamp())),
    'UTF8') || k.key), 'hex') FROM access.pass_key k
$$;
-- The organisation of the transaction's pass; NULL without one, or with one that this database did not make.
CREATE FUNCTION access.current_organisation() RETURNS int LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE told text := current_setting('kopeck.pass', true); found int;
BEGIN
  IF told IS NULL OR told !~ '^[0-9]{1,9}/[0-9a-f]{64}$' THEN RETURN NULL; END IF;
  found := split_part(told, '/', 1)::int;
  RETURN CASE WHEN split_part(told, '/', 2) = access.seal_of(found) THEN found END;
END $$;
-- Recipients whose money the organisation may see: its own; the operator, everybody's.
CREATE FUNCTION access.current_recipients() RETURNS int[] LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE o.kind
    WHEN 'operator' THEN ARRAY(SELECT r.recipient FROM reference.recipient r)
    ELSE ARRAY(SELECT r.recipient FROM access.organisation_recipient r WHERE r.organisation = o.organisation) END
  FROM access.organisation o WHERE o.organisation = access.current_organisation()
$$;
-- Transit accounts that the organisation may see as a bank does: its own; the operator, all.
CREATE FUNCTION access.current_transits() RETURNS int[] LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE o.kind
    WHEN 'operator' THEN ARRAY(SELECT t.transit FROM reference.transit_account t)
    ELSE ARRAY(SELECT t.transit FROM access.organisation_transit t WHERE t.organisation = o.organisation) END
  FROM access.organisation o WHERE o.organisation = access.current_organisation()
$$;

CREATE FUNCTION access.give_pass(p_organisation int) RETURNS void LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  SELECT set_config('kopeck.pass', p_organisation || '/' || access.seal_of(p_organisation), true)
$$;
-- Enter by an API key, client secret or token (its SHA-256): one row and a pass for this transaction, or no row.
CREATE FUNCTION access.enter_client(p_hash bytea)
RETURNS TABLE (organisation int, code text, kind text, credential text, scopes text[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  SELECT o.organisation, o.code, o.kind, c.name, f.scopes INTO organisation, code, kind, credential, scopes
  FROM (SELECT c.client, c.scopes FROM access.client c WHERE c.hash = p_hash
        UNION ALL
        SELECT t.client, t.scopes FROM access.token t WHERE t.hash = p_hash AND t.expires_at > clock_timestamp()) f
    JOIN access.client c USING (client) JOIN access.organisation o ON o.organisation = c.organisation
  WHERE c.revoked_at IS NULL AND (c.expires_at IS NULL OR c.expires_at > clock_timestamp()) AND o.closed_at IS NULL;
  IF FOUND THEN
    PERFORM access.give_pass(organisation);
    RETURN NEXT;
  END IF;
END $$;
-- Enter by a session's cookie (its SHA-256), the second factor done where the person has one.
CREATE FUNCTION access.enter_session(p_hash bytea)
RETURNS TABLE (organisation int, code text, kind text, session bigint, person int, login text, name text, role text, csrf bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  SELECT o.organisation, o.code, o.kind, s.session, p.person, p.login, p.name, p.role, s.csrf
  INTO organisation, code, kind, session, person, login, name, role, csrf
  FROM access.session s JOIN access.person p ON p.person = s.person JOIN access.organisation o ON o.organisation = p.organisation
  WHERE s.hash = p_hash AND s.ended_at IS NULL AND s.ends_at > clock_timestamp() AND p.ended_at IS NULL AND o.closed_at IS NULL
    AND (p.totp IS NULL OR s.is_second_factor_done);
  IF FOUND THEN
    PERFORM access.give_pass(organisation);
    RETURN NEXT;
  END IF;
END $$;

-- What an organisation sees. Every view has a barrier, and a scalar subquery that is worked out once a statement.
CREATE VIEW tenant.me WITH (security_barrier) AS
SELECT o.organisation, o.code, o.name, o.kind FROM access.organisation o WHERE o.organisation = (SELECT access.current_organisation());

CREATE VIEW tenant.recipient WITH (security_barrier) AS
SELECT r.recipient, r.code, r.kind, r.name, r.inn, r.kpp FROM reference.recipient r
WHERE r.recipient = ANY ((SELECT access.current_recipients())::int[]);

CREATE VIEW tenant.payee WITH (security_barrier) AS
SELECT p.payee, p.recipient, p.service FROM reference.payee p WHERE p.recipient = ANY ((SELECT access.current_recipients())::int[]);

-- Charges that the organisation is paid for or claims.
CREATE VIEW tenant.charge WITH (security_barrier) AS
SELECT c.personal_account, c.line, c.creditor, c.period, c.payee, c.kind, c.pool, c.amount, c.due_date, c.limitation_until, c.court_order
FROM reference.charge c JOIN reference.payee p USING (payee)
WHERE p.recipient = ANY ((SELECT access.current_recipients())::int[]) OR c.creditor = ANY ((SELECT access.current_recipients())::int[]);

-- Accounts that the organisation manages, with masked names; of other accounts that it is paid by, the number and address alone.
CREATE VIEW tenant.account WITH (security_barrier) AS
SELECT a.personal_account, a.namespace, a.number, a.state, a.payer_kind, a.provider, a.time_zone, a.masked_address,
    CASE WHEN a.provider = ANY ((SELECT access.current_recipients())::int[]) THEN a.masked_name ELSE '' END AS masked_name
FROM reference.personal_account a
WHERE a.provider = ANY ((SELECT access.current_recipients())::int[])
    OR EXISTS (SELECT FROM reference.charge c JOIN reference.payee p USING (payee)
        WHERE c.personal_account = a.personal_account AND p.recipient = ANY ((SELECT access.current_recipients())::int[]));

GRANT USAGE ON SCHEMA access, tenant TO kopeck_portal;
GRANT SELECT ON ALL TABLES IN SCHEMA tenant TO kopeck_portal;
-- A write reads through the same views what it may touch.
GRANT USAGE ON SCHEMA tenant TO kopeck_services;
GRANT SELECT ON ALL TABLES IN SCHEMA tenant TO kopeck_services;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA access FROM PUBLIC;
GRANT EXECUTE ON FUNCTION access.current_organisation(), access.current_recipients(), access.current_transits(),
    access.enter_client(bytea), access.enter_session(bytea) TO kopeck_portal, kopeck_services;
-- People, keys and sessions are kept by the services' rights (portal/access); hashes and sealed columns are useless without secrets.
GRANT USAGE ON SCHEMA access TO kopeck_services, kopeck_reader;
GRANT SELECT ON access.organisation, access.organisation_recipient, access.organisation_transit, access.person, access.session,
    access.client, access.token, access.answered, access.audit TO kopeck_services;
GRANT SELECT ON access.organisation, access.organisation_recipient, access.organisation_transit TO kopeck_reader;
GRANT INSERT, UPDATE (name, closed_at) ON access.organisation TO kopeck_services;
GRANT INSERT, DELETE ON access.organisation_recipient, access.organisation_transit TO kopeck_services;
GRANT INSERT, UPDATE (name, role, password, totp, totp_step, failures, locked_until, ended_at) ON access.person TO kopeck_services;
GRANT INSERT, UPDATE (hash, csrf, is_second_factor_done, seen_at, ends_at, ended_at) ON access.session TO kopeck_services;
GRANT INSERT, UPDATE (revoked_by, revoked_at) ON access.client TO kopeck_services;
GRANT INSERT, DELETE ON access.token TO kopeck_services;
GRANT INSERT, UPDATE (status, location, body), DELETE ON access.answered TO kopeck_services;
GRANT INSERT (organisation, actor, action, subject, request_id) ON access.audit TO kopeck_services;
