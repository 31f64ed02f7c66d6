-- The migration runner's own statements.

-- name: lock
-- Let one runner at a time into a migration of this database; held until the transaction ends.
SELECT pg_advisory_xact_lock($1);

-- name: create_register
-- The register of what has been applied, made by the first run.
CREATE TABLE IF NOT EXISTS public.kopeck_migration (
    number integer CONSTRAINT kopeck_migration_pkey PRIMARY KEY,
    name text NOT NULL,
    sha256 bytea NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- name: list_applied
-- Everything applied so far, in order.
SELECT number, name, sha256 FROM public.kopeck_migration ORDER BY number;

-- name: record
-- Note one migration as applied, in the transaction that applied it.
INSERT INTO public.kopeck_migration (number, name, sha256) VALUES ($1, $2, $3);

-- name: role_password
-- The statement that lets a role log in with a password, quoted by the server itself: a password cannot be a parameter.
SELECT format('ALTER ROLE %I LOGIN PASSWORD %L', $1::text, $2::text);
