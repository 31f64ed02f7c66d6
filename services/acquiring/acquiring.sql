-- Our orders at acquirers: made, followed, asked about (services/acquiring).

-- name: list_accounts
-- The states of the accounts that a number names on a day: 0 open, 1 debts only, 2 closed; none or several are not one account.
SELECT a.state FROM reference.alias n JOIN reference.personal_account a USING (personal_account)
WHERE n.namespace = $1 AND n.number = $2 AND n.valid_from <= $3 AND (n.valid_to IS NULL OR n.valid_to > $3);

-- name: add_order
-- An order of ours before the acquirer hears of it; no row when its number is known.
INSERT INTO intake.web_order (channel, space, number, account, amount, designation, return_url, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT ON CONSTRAINT web_order_once DO NOTHING RETURNING web_order;

-- name: find_order
-- An order by its number, and where it stands.
SELECT o.web_order, o.channel, o.number, o.account, o.amount, o.designation, o.return_url, o.created_at, o.expires_at,
    s.turn, s.state, s.payment, s.page
FROM intake.web_order o
  CROSS JOIN LATERAL (SELECT * FROM intake.web_order_state w WHERE w.web_order = o.web_order ORDER BY w.turn DESC LIMIT 1) s
WHERE o.space = $1 AND o.number = $2;

-- name: add_state
-- Where an order stands from now on; an empty payment or page is the one known before. No row when somebody else moved it.
INSERT INTO intake.web_order_state (web_order, turn, state, payment, page, at)
SELECT $1, $2 + 1, $3, coalesce(nullif($4, ''), w.payment, ''), coalesce(nullif($5, ''), w.page, ''), $6
FROM (SELECT) one LEFT JOIN intake.web_order_state w ON w.web_order = $1 AND w.turn = $2
ON CONFLICT ON CONSTRAINT web_order_state_key DO NOTHING RETURNING turn;

-- name: add_due
-- Ask the acquirer about an order from a moment on.
INSERT INTO reference.web_order_due (web_order, due_at) VALUES ($1, $2) ON CONFLICT (web_order) DO NOTHING;

-- name: lease_due
-- Take orders of one channel that are to be asked about, and put each off: longer every time, so that a lost asker loses nothing.
WITH due AS (
    SELECT d.web_order FROM reference.web_order_due d JOIN intake.web_order o USING (web_order)
    WHERE d.due_at <= $2 AND o.channel = $1 ORDER BY d.due_at LIMIT $3 FOR UPDATE OF d SKIP LOCKED)
UPDATE reference.web_order_due d SET asks = d.asks + 1,
    due_at = $2 + least($4::interval * power(2, least(d.asks, 16)), $5::interval)
FROM due JOIN intake.web_order o USING (web_order)
  CROSS JOIN LATERAL (SELECT * FROM intake.web_order_state w WHERE w.web_order = o.web_order ORDER BY w.turn DESC LIMIT 1) s
WHERE d.web_order = due.web_order
RETURNING o.web_order, o.channel, o.number, o.account, o.amount, o.designation, o.return_url, o.created_at, o.expires_at,
    s.turn, s.state, s.payment, s.page;

-- name: drop_due
-- An order is at rest: nobody asks any more.
DELETE FROM reference.web_order_due WHERE web_order = $1;

-- name: list_events
-- What an acquirer told of a payment beside the payment itself.
SELECT key, act, payment, order_number, amount, event_at FROM intake.acquirer_event WHERE space = $1 AND payment = $2 ORDER BY event;

-- name: list_last_events
-- The last events kept beside the journal, the newest first; of one channel, or of all when its name is empty.
SELECT c.name AS channel, e.act, e.payment, e.order_number, e.amount, e.event_at, e.told_at
FROM intake.acquirer_event e JOIN reference.channel c USING (channel)
WHERE $1 = '' OR c.name = $1 ORDER BY e.event DESC LIMIT $2;

-- name: lock_payment
-- Two refunds of one payment are decided one after the other.
SELECT pg_advisory_xact_lock($1, hashtext($2));

-- name: find_refundable
-- Of a booked payment: its sum, and what is being given back or was; no row when it is not booked.
SELECT j.amount,
    (SELECT coalesce(sum(r.amount), 0)::bigint FROM intake.acquirer_refund r
       LEFT JOIN intake.acquirer_refund_end e USING (refund)
     WHERE r.space = k.space AND r.payment = k.external_id AND coalesce(e.is_done, true)) AS asked
FROM ledger.payment_key k JOIN ledger.journal j ON j.book = k.book AND j.sequence = k.sequence
WHERE k.space = $1 AND k.external_id = $2;

-- name: find_refund
-- A refund by its key.
SELECT refund, payment, amount FROM intake.acquirer_refund WHERE space = $1 AND key = $2;

-- name: add_refund
-- Money to be given back.
INSERT INTO intake.acquirer_refund (channel, space, payment, key, amount, asked_by, asked_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING refund;

-- name: end_refund
-- What became of it, once.
INSERT INTO intake.acquirer_refund_end (refund, is_done, reason, at) VALUES ($1, $2, $3, $4) ON CONFLICT (refund) DO NOTHING;
