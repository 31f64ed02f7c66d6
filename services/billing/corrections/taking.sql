-- A take: the houses and closed periods that an open month looks at again, done one after another.

-- name: find_open
-- The provider's take that is under way.
SELECT t.take, t.in_period FROM billing.correction_take t WHERE t.provider = $1 AND t.done_at IS NULL

-- name: lock_takes
-- Takes of a provider are begun one after another.
SELECT pg_advisory_xact_lock(hashtextextended('billing/takes/' || $1::int, 0))

-- name: give_up
-- A take of another month is not gone on with: what waits is left for the next one.
UPDATE billing.correction_house SET state = 'parked', reason = 'перерасчёт не был закончен' WHERE take = $1 AND state = 'waiting'

-- name: begin
-- A take of an open month.
INSERT INTO billing.correction_take (provider, in_period, begun_by, begun_at) VALUES ($1, $2, $3, $4) RETURNING take

-- name: add_houses
-- What it looks at.
INSERT INTO billing.correction_house (take, house, of_period, cause)
SELECT $1, u.house, u.of_period, u.cause FROM unnest($2::text[], $3::int[], $4::text[]) AS u(house, of_period, cause)

-- name: is_open
-- Whether a month is open or was never begun.
SELECT NOT EXISTS (SELECT FROM billing.month m WHERE m.provider = $1 AND m.period = $2 AND m.state = 'closed')

-- name: take_houses
-- Houses of one period that nobody has taken, at most $2; the transaction has them.
SELECT h.house, h.of_period, h.cause FROM billing.correction_house h
WHERE h.take = $1 AND h.state = 'waiting' AND h.of_period = (
    SELECT w.of_period FROM billing.correction_house w WHERE w.take = $1 AND w.state = 'waiting' ORDER BY w.of_period LIMIT 1
    FOR UPDATE SKIP LOCKED)
ORDER BY h.house LIMIT $2 FOR UPDATE SKIP LOCKED

-- name: finish_house
-- What became of a house.
UPDATE billing.correction_house SET state = $4, reason = $5 WHERE take = $1 AND house = $2 AND of_period = $3

-- name: count_waiting
-- Houses still to do.
SELECT count(*) FROM billing.correction_house WHERE take = $1 AND state = 'waiting'

-- name: finish
-- A take is done once no house of it waits.
UPDATE billing.correction_take t SET done_at = $2 WHERE t.take = $1 AND t.done_at IS NULL AND NOT EXISTS (
    SELECT FROM billing.correction_house h WHERE h.take = t.take AND h.state = 'waiting')

-- name: list_stopped
-- Houses of a take that were not corrected, at most $2.
SELECT h.house, h.of_period, h.cause, h.state, h.reason FROM billing.correction_house h
WHERE h.take = $1 AND h.state IN ('open', 'parked') ORDER BY h.of_period, h.house LIMIT $2

-- name: count_stopped
-- How many they are.
SELECT count(*) FILTER (WHERE h.state = 'done') AS done, count(*) FILTER (WHERE h.state = 'open') AS open,
    count(*) FILTER (WHERE h.state = 'parked') AS parked FROM billing.correction_house h WHERE h.take = $1

-- name: count_drafted
-- Accounts with sums of a month that its runs were drafted without: their recalculation charges them.
SELECT count(DISTINCT a.account) FROM billing.adjustment a
    JOIN billing.run_account x ON x.account = a.account
    JOIN billing.run r ON r.run = x.run AND r.provider = a.provider AND r.period = a.in_period AND r.state <> 'dropped'
WHERE a.provider = $1 AND a.in_period = $2 AND a.decided_at = $3
