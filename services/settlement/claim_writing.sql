-- What a cut writes about claims, moves, deductions and money kept.

-- name: add_moved
-- What the cut took of moves.
INSERT INTO settlement.moved (cut, transit, book, sequence, place, original_cut, amount)
SELECT $1, $2, m.book, m.sequence, m.place, m.original_cut, m.amount
FROM unnest($3::smallint[], $4::bigint[], $5::int[], $6::bigint[], $7::bigint[]) AS m(book, sequence, place, original_cut, amount);

-- name: end_moves
-- Moves that are done with.
UPDATE settlement.move m SET done = true FROM unnest($2::smallint[], $3::bigint[]) AS d(book, sequence)
WHERE m.transit = $1 AND m.book = d.book AND m.sequence = d.sequence;

-- name: add_claim
-- A claim.
INSERT INTO settlement.claim (transit, recipient, why, space, account, creditor, capital, original_cut, book, sequence, amount, "left",
    arisen_on, due_on)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) RETURNING claim;

-- name: pay_claims
-- Note how claims became less, and lessen those that stood before (is_new false): how many were; fewer than wanted when one has not
-- so much left any more.
WITH told AS (SELECT * FROM unnest($2::bigint[], $3::text[], $4::bigint[], $5::boolean[]) AS t(claim, how, amount, is_new)),
noted AS (
    INSERT INTO settlement.claim_payment (claim, how, amount, cut) SELECT t.claim, t.how, t.amount, $1 FROM told t),
summed AS (SELECT t.claim, sum(t.amount)::bigint AS amount FROM told t WHERE NOT t.is_new GROUP BY t.claim ORDER BY t.claim),
lowered AS (
    UPDATE settlement.claim c SET "left" = c."left" - s.amount FROM summed s
    WHERE c.claim = s.claim AND c."left" >= s.amount RETURNING c.claim)
SELECT count(*) FROM lowered;

-- name: spend_deposits
-- Spend deposits; how many had so much.
WITH spent AS (
    UPDATE settlement.deposit d SET amount = d.amount - s.amount FROM unnest($2::int[], $3::bigint[]) AS s(recipient, amount)
    WHERE d.transit = $1 AND d.recipient = s.recipient AND d.amount >= s.amount RETURNING d.recipient)
SELECT count(*) FROM spent;

-- name: count_deduction
-- Let a deduction count from this cut on; its place, NULL when another cut did.
UPDATE settlement.deduction SET cut = $4 WHERE transit = $1 AND book = $2 AND sequence = $3 AND cut IS NULL RETURNING sequence;

-- name: place_claims
-- What is owed for a refund that a counterparty keeps is money that its clearing account lacks.
UPDATE settlement.claim SET space = $4 WHERE transit = $1 AND book = $2 AND sequence = $3 AND space = 0;

-- name: add_kept
-- Money that came back and is kept.
INSERT INTO settlement.reissue_kept (transfer, account, creditor, capital, cut, amount) VALUES ($1, $2, $3, $4, $5, $6);

-- name: end_reissue
-- Nothing is left to be paid anew of an order all of whose money was kept.
DELETE FROM settlement.reissue_due d WHERE d.transfer = $1 AND NOT EXISTS (
    SELECT FROM settlement.order_part p WHERE p.transfer = d.transfer AND p.net > coalesce((
        SELECT sum(k.amount) FROM settlement.reissue_kept k WHERE k.transfer = p.transfer AND k.account = p.account
          AND k.creditor = p.creditor AND k.capital = p.capital), 0));
