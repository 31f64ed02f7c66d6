-- What the simulated month reads to hold the house against its own record (loadtests/month*.py).

-- name: find_space
-- The number of an operation space.
SELECT space FROM reference.operation_space WHERE name = $1;

-- name: list_spaces
-- Operation spaces by number.
SELECT space, name FROM reference.operation_space;

-- name: list_heads
-- The last sequence of every book.
SELECT book, max(sequence) AS head FROM ledger.journal GROUP BY book ORDER BY book;

-- name: find_place
-- Where the payment with an id stands.
SELECT book, sequence FROM ledger.payment_key WHERE space = $1 AND external_id = $2 AND sequence IS NOT NULL;

-- name: list_payments
-- Payments and suspended money of a passage of a book.
SELECT space, external_id, kind, amount, value_date FROM ledger.journal
WHERE book = $1 AND sequence > $2 AND sequence <= $3 AND kind IN (1, 2) ORDER BY sequence;

-- name: count_entries
-- All entries.
SELECT count(*) FROM ledger.journal;

-- name: list_registers_sent
-- Registers of orders that were handed to delivery after a number.
SELECT number, content FROM delivery.outgoing WHERE what = 'transfer' AND number > $1 ORDER BY number;

-- name: count_classes
-- Lines by class; lines that vanished from final statements apart.
SELECT CASE WHEN vanished_from IS NOT NULL THEN 'vanished' ELSE coalesce(class, 'none') END AS class, count(*) AS lines
FROM bank.line GROUP BY 1 ORDER BY 1;

-- name: count_outcomes
-- Registers' lines by outcome, and those that had been lost before.
SELECT outcome, count(*) AS lines, count(*) FILTER (WHERE lost) AS lost FROM intake.register_outcome GROUP BY 1 ORDER BY 1;

-- name: count_parked
-- What waits for a person, by what it is.
SELECT what, count(*) AS parked FROM intake.parked WHERE resolved_at IS NULL GROUP BY 1 ORDER BY 1;

-- name: list_debts
-- Parties that owe by claims, with the kopecks.
SELECT c.recipient, r.code, sum(c."left")::bigint AS amount FROM settlement.claim c JOIN reference.recipient r USING (recipient)
WHERE c."left" > 0 GROUP BY 1, 2 ORDER BY 1;

-- name: find_bad_outcome
-- A line of a register that ended as nobody meant it to.
SELECT outcome || ' ' || reason FROM intake.register_outcome
WHERE register = $1 AND outcome IN ('refused', 'conflict', 'differs') LIMIT 1;

-- name: analyze
-- Statistics of tables that grew by a day within seconds.
ANALYZE;

-- name: has_event
-- Whether an acquirer's event of money given back has been told.
SELECT EXISTS (SELECT FROM intake.acquirer_event WHERE space = $1 AND payment = $2 AND act = 'refunded' AND amount = $3);

-- name: list_carried
-- What the last cut did not order, and why.
SELECT account, amount, reason FROM settlement.carried WHERE amount <> 0 ORDER BY account LIMIT 20;
