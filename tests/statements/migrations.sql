-- Small migrations and questions for the tests of the runner.

-- name: towns
-- A first migration of two statements.
CREATE TABLE town (id integer PRIMARY KEY, name text NOT NULL);
INSERT INTO town VALUES (1, 'Нижний');

-- name: streets
-- A second one that needs the first.
CREATE TABLE street (id integer PRIMARY KEY, town integer NOT NULL REFERENCES town);

-- name: houses
-- A third one.
CREATE TABLE house (id integer PRIMARY KEY, street integer NOT NULL REFERENCES street);

-- name: broken
-- Its second statement fails, so its first must be undone.
CREATE TABLE street (id integer PRIMARY KEY);
INSERT INTO town VALUES (1, 'twice');

-- name: guest_role
-- A role whose name needs quoting.
CREATE ROLE "kopeck ""guest""" NOLOGIN;

-- name: drop_guest_role
-- Roles outlive the database of a test.
DROP ROLE "kopeck ""guest""";

-- name: who
-- The role that statements run as.
SELECT current_user::text;
