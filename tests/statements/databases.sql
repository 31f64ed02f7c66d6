-- Statements about whole databases: their names cannot be parameters, so the server writes them quoted.

-- name: create_database
-- A database copied from a template.
SELECT format('CREATE DATABASE %I TEMPLATE %I', $1::text, $2::text);

-- name: drop_database
-- A database with whatever is still connected to it.
SELECT format('DROP DATABASE IF EXISTS %I WITH (FORCE)', $1::text);
