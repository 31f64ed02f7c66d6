-- What the tests of registers look at beside the services' own statements.

-- name: counts
-- Registers, lines, outcomes.
SELECT (SELECT count(*) FROM intake.register), (SELECT count(*) FROM intake.register_line), (SELECT count(*) FROM intake.register_outcome);

-- name: list_sealed
-- Lines that keep their payer.
SELECT register, row, sealed FROM intake.register_line WHERE sealed IS NOT NULL ORDER BY 1, 2;

-- name: list_readings
-- Meter readings kept aside.
SELECT row, counter, reading FROM intake.meter_reading ORDER BY row, place;

-- name: list_parked
-- What waits for a person.
SELECT what, external_id FROM intake.parked ORDER BY parked;

-- name: find_name
-- Whether any text of a table of intake holds these letters.
SELECT count(*) FROM intake.register_line l WHERE l::text ILIKE '%' || $1 || '%';

-- name: lower_an_amount
-- What no role but the owner may do.
UPDATE intake.register_line SET amount = 1;

-- name: forget_a_line
-- What no role but the owner may do.
DELETE FROM intake.register_line;

-- name: forget_an_outcome
-- What no role but the owner may do.
DELETE FROM intake.register_outcome;
