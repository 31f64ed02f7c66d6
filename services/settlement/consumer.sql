-- The settlement consumer's statements. A ledger account's kind stands in its top bits (ledger/chart.py): 1 transit, 2 clearing,
-- 3 payable; 16 bits of transit account and 40 bits of subject follow.

-- name: fold_promised
-- Pack a passage of a payers' book into a page a clearing account, and keep its moves and deductions; its entries. An entry without
-- a clearing account that gives or takes payables, or owes a payer, is a move: nothing confirms it by itself, its key names whence its
-- money comes. A refund that a counterparty keeps (kind 13) takes nothing back that was promised before it is known to be covered.
-- A correction's key names what it corrects in the same book.
-- Nothing is joined to the passage: the planner knows nothing of the journal's newest entries, takes them for one, and would compare
-- each with each.
WITH taken AS MATERIALIZED (
    SELECT j.sequence, j.recorded_at, j.kind, j.space, j.transit, j.accounts, j.amounts,
        CASE WHEN j.space = 1 AND j.external_id ~ '^[0-9]{1,5}:[0-9]{1,18}/[0-9]+$' AND split_part(j.external_id, ':', 1)::int = $1::smallint
             THEN split_part(split_part(j.external_id, ':', 2), '/', 1)::bigint ELSE 0 END AS corrects,
        CASE WHEN j.space IN (1, 4, 5) OR j.kind = 6
             THEN regexp_match(j.external_id, '^([0-9]{1,5}):([0-9]{1,18})/([0-9]{1,9})(?:/|$)') END AS named,
        CASE WHEN j.kind = 13 THEN (regexp_match(j.external_id, '^deducted/[0-9]{1,5}:([0-9]{1,18})$'))[1]::bigint END AS refund
    FROM ledger.journal j WHERE j.book = $1::smallint AND j.sequence > $2 AND j.sequence <= $3),
posted AS MATERIALIZED (
    SELECT t.sequence, t.recorded_at, t.corrects, t.refund, ((u.account >> 40) & 65535)::int AS transit,
        (u.account & 1099511627775)::int AS space, sum(u.amount)::bigint AS amount
    FROM taken t CROSS JOIN LATERAL unnest(t.accounts, t.amounts) AS u(account, amount)
    WHERE u.account >> 56 = 2 GROUP BY 1, 2, 3, 4, 5, 6),
page AS MATERIALIZED (
    SELECT p.transit, p.space, min(p.sequence) AS first_sequence, max(p.sequence) AS last_sequence, sum(p.amount)::bigint AS total,
        array_agg(p.sequence ORDER BY p.sequence) AS sequences, array_agg(p.amount ORDER BY p.sequence) AS amounts,
        array_agg(p.corrects ORDER BY p.sequence) AS corrects, array_agg(p.recorded_at ORDER BY p.sequence) AS moments
    FROM posted p WHERE p.refund IS NULL GROUP BY p.transit, p.space),
totalled AS (
    INSERT INTO settlement.promise AS p (transit, space, book, total, last_sequence)
    SELECT g.transit, g.space, $1, g.total, g.last_sequence FROM page g
    ON CONFLICT ON CONSTRAINT promise_key DO UPDATE SET total = p.total + excluded.total, last_sequence = excluded.last_sequence
    RETURNING p.transit, p.space, p.total),
paged AS (
    INSERT INTO settlement.promise_page
        (transit, space, book, first_sequence, last_sequence, before, total, sequences, amounts, corrects, moments)
    SELECT g.transit, g.space, $1, g.first_sequence, g.last_sequence, m.total - g.total, g.total, g.sequences, g.amounts, g.corrects,
        g.moments
    FROM page g JOIN totalled m USING (transit, space)),
corrected AS (
    INSERT INTO settlement.promise_correction (transit, space, book, sequence, corrects, amount)
    SELECT p.transit, p.space, $1, p.sequence, p.corrects, p.amount FROM posted p WHERE p.corrects > 0 AND p.refund IS NULL),
moves AS (
    INSERT INTO settlement.move (transit, book, sequence, kind, origin_book, origin, nth, departs, debited, credited, refunded)
    SELECT t.transit, $1, t.sequence, t.kind, coalesce(t.named[1]::int, 0), coalesce(t.named[2]::bigint, 0),
        coalesce(t.named[3]::int, 0), t.kind = 14 AND t.space = 1, coalesce(s.debited, 0), coalesce(s.credited, 0),
        coalesce(s.refunded, 0)
    FROM taken t CROSS JOIN LATERAL (
        SELECT bool_or(u.account >> 56 = 2) AS promises,
            bool_or(u.account >> 56 IN (3, 5) AND (u.account >> 40) & 65535 = t.transit) AS moves,
            sum(greatest(u.amount, 0)) FILTER (WHERE u.account >> 56 = 3 AND (u.account >> 40) & 65535 = t.transit)::bigint AS debited,
            sum(greatest(-u.amount, 0)) FILTER (WHERE u.account >> 56 = 3 AND (u.account >> 40) & 65535 = t.transit)::bigint AS credited,
            sum(greatest(-u.amount, 0)) FILTER (WHERE u.account >> 56 = 5 AND (u.account >> 40) & 65535 = t.transit)::bigint AS refunded
        FROM unnest(t.accounts, t.amounts) AS u(account, amount)) s
    WHERE t.refund IS NULL AND NOT s.promises AND (s.moves OR t.kind IN (12, 14))),
deducted AS (
    INSERT INTO settlement.deduction (transit, space, book, sequence, refund, amount)
    SELECT p.transit, p.space, $1, p.sequence, p.refund, -p.amount FROM posted p WHERE p.refund IS NOT NULL)
SELECT count(*) FROM taken;

-- name: fold_confirmed
-- Add up book 0: what covers and their corrections took off clearing accounts, and the cash that came for it and by debts paid. A fee
-- kept back from a cover is a claim on its bearer, which the clearing account's money lacks until it is paid.
WITH taken AS MATERIALIZED (
    SELECT j.sequence, j.kind, j.bank_day, j.accounts, j.amounts FROM ledger.journal j
    WHERE j.book = $1::smallint AND j.sequence > $2 AND j.sequence <= $3),
posted AS MATERIALIZED (
    SELECT t.sequence, ((u.account >> 40) & 65535)::int AS transit,
        (min(u.account & 1099511627775) FILTER (WHERE u.account >> 56 = 2))::int AS space,
        (-coalesce(sum(u.amount) FILTER (WHERE u.account >> 56 = 2), 0))::bigint AS gross,
        coalesce(sum(u.amount) FILTER (WHERE u.account >> 56 = 1), 0)::bigint AS cash,
        (min(u.account & 1099511627775) FILTER (WHERE u.account >> 56 = 9))::int AS party,
        coalesce(sum(u.amount) FILTER (WHERE u.account >> 56 = 9), 0)::bigint AS owed
    FROM taken t CROSS JOIN LATERAL unnest(t.accounts, t.amounts) AS u(account, amount)
    WHERE u.account >> 56 IN (1, 2, 9) AND t.kind NOT IN (7, 18, 19) GROUP BY 1, 2),
added AS (
    INSERT INTO settlement.confirmed AS c (transit, space, amount, cash)
    SELECT transit, coalesce(space, 0), sum(gross)::bigint, sum(cash)::bigint FROM posted
    WHERE space IS NOT NULL OR party IS NOT NULL GROUP BY 1, 2 HAVING sum(gross) <> 0 OR sum(cash) <> 0
    ON CONFLICT ON CONSTRAINT confirmed_key DO UPDATE SET amount = c.amount + excluded.amount, cash = c.cash + excluded.cash),
fees AS (
    INSERT INTO settlement.claim (transit, recipient, why, space, account, creditor, capital, original_cut, book, sequence, amount,
        "left", arisen_on, due_on)
    SELECT p.transit, p.party, CASE WHEN p.space IS NULL THEN 'debt' ELSE 'fee' END, coalesce(p.space, 0), 0, 0, false, 0, 0,
        p.sequence, p.owed, p.owed, t.bank_day, t.bank_day + $4::int
    FROM posted p JOIN taken t USING (sequence) WHERE p.owed > 0)
SELECT count(*) FROM taken;

-- name: list_debts_paid
-- What parties paid, or had cancelled, in a passage of book 0, in order: place, transit account, party, kopecks, and whether it was paid.
SELECT j.sequence, ((u.account >> 40) & 65535)::int AS transit, (u.account & 1099511627775)::int AS party, -sum(u.amount)::bigint AS amount,
    bool_or(j.kind = 17) AS is_paid
FROM ledger.journal j CROSS JOIN LATERAL unnest(j.accounts, j.amounts) AS u(account, amount)
WHERE j.book = $1::smallint AND j.sequence > $2 AND j.sequence <= $3 AND u.account >> 56 = 9 AND j.kind NOT IN (7, 18, 19)
GROUP BY 1, 2, 3 HAVING sum(u.amount) < 0 ORDER BY 1, 2, 3;

-- name: pay_claims
-- Pay a party's claims with kopecks, the oldest first; what is over is its deposit. What was cancelled is taken off fees first.
WITH open AS MATERIALIZED (
    SELECT c.claim, c."left", c.why FROM settlement.claim c WHERE c.transit = $1 AND c.recipient = $2 AND c."left" > 0
    ORDER BY c.claim FOR UPDATE),
ordered AS (
    SELECT o.claim, o."left", sum(o."left") OVER w - o."left" AS before FROM open o
    WINDOW w AS (ORDER BY ($5::text = 'cancelled' AND o.why = 'fee') DESC, o.claim)),
paid AS MATERIALIZED (
    SELECT o.claim, least(o."left", $3::bigint - o.before)::bigint AS amount FROM ordered o WHERE o.before < $3::bigint),
lowered AS (UPDATE settlement.claim c SET "left" = c."left" - p.amount FROM paid p WHERE c.claim = p.claim),
noted AS (
    INSERT INTO settlement.claim_payment (claim, how, amount, sequence) SELECT p.claim, $5, p.amount, $4::bigint FROM paid p),
over AS (SELECT $3::bigint - coalesce(sum(p.amount), 0)::bigint AS amount FROM paid p)
INSERT INTO settlement.deposit AS d (transit, recipient, amount) SELECT $1, $2, o.amount FROM over o WHERE o.amount > 0
ON CONFLICT ON CONSTRAINT deposit_key DO UPDATE SET amount = d.amount + excluded.amount;
