-- What the tests of the embedded servers write and ask.

-- name: make_table
-- A place for one committed row.
CREATE TABLE IF NOT EXISTS kept (id integer PRIMARY KEY, note text NOT NULL);

-- name: write_row
-- The row that must survive.
INSERT INTO kept VALUES ($1, $2);

-- name: read_rows
-- What survived.
SELECT id, note FROM kept ORDER BY id;

-- name: who
-- The role that statements run as.
SELECT current_user::text;

-- name: setting
-- A setting of the server in force.
SELECT current_setting($1);
