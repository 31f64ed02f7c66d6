-- Decisions about items: each under the lock of the item's row.

-- name: bound_waiting
-- Give up waiting for another's lock before the transaction grows old.
SELECT set_config('lock_timeout', '3000', true);

-- name: fetch_remains
-- What remained of an item and whether the bank held it, without waiting for anybody.
SELECT remains, held_at IS NOT NULL AS held FROM suspense.item WHERE book = $1 AND sequence = $2;

-- name: lock_item
-- Lock an item against everybody else who decides, and read it.
SELECT book, sequence, transit, channel, space, external_id, value_date, named, remains, held_at IS NOT NULL AS held
FROM suspense.item WHERE book = $1 AND sequence = $2 FOR UPDATE;

-- name: fetch_next_part
-- The number of the next part of a locked item.
SELECT coalesce(max(part), 0) + 1 FROM suspense.release WHERE book = $1 AND item = $2;

-- name: take_released
-- Take a part from what remains of a locked item.
UPDATE suspense.item SET released = released + $3::bigint WHERE book = $1 AND sequence = $2;

-- name: add_release
-- Record a part with its entry.
INSERT INTO suspense.release (book, item, part, sequence, amount, personal_account, transfer) VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: add_decision
-- Record what a person decided.
INSERT INTO suspense.decision (book, sequence, what, amount, personal_account, decided_by, decided_at, approved_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: find_payer_line
-- The credit of the bank's statement that brought an item's money, with its payer's requisites. Ids of other spaces are chosen by
-- counterparties and may be the same: the line is the item's only if it covers the item's own space.
SELECT l.number, l.document_day, l.day, l.counterparty_account, l.counterparty_bic, l.counterparty_inn, l.sealed,
    l.vanished_from IS NOT NULL AS vanished
FROM bank.line l JOIN bank.cover c ON c.line = l.line AND c.space = $3
WHERE l.transit = $1 AND l.bank_id = $2 AND l.is_credit AND l.class IN ('payment', 'unknown');

-- name: take_returned
-- Take what is to go back to the payer from what remains of a locked item.
UPDATE suspense.item SET returned = returned + $3::bigint WHERE book = $1 AND sequence = $2;

-- name: add_return
-- Ask settlement for an order that sends money of a suspense account back to its payer.
INSERT INTO settlement.return_request (transit, account, book, sequence, amount, purpose, asked_by, asked_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT ON CONSTRAINT return_request_once DO NOTHING RETURNING request;

-- name: add_payee
-- To whom a return goes; the name is sealed.
INSERT INTO settlement.return_payee (request, version, sealed_name, inn, bank_account, bic, given_by, given_at)
VALUES ($1, 1, $2, $3, $4, $5, $6, $7);

-- name: list_withdrawn
-- Returns that settlement has withdrawn and whose items do not know it yet.
SELECT r.book, r.sequence, r.amount, w.withdrawn_by, w.withdrawn_at
FROM settlement.return_withdrawn w JOIN settlement.return_request r ON r.request = w.request
WHERE r.account >> 56 = 4 AND NOT EXISTS (SELECT FROM suspense.decision d
    WHERE d.book = r.book AND d.sequence = r.sequence AND d.what = 'withdraw')
ORDER BY w.request LIMIT $1;

-- name: is_withdrawal_noted
-- Whether a locked item knows already that its return was withdrawn.
SELECT EXISTS (SELECT FROM suspense.decision d WHERE d.book = $1 AND d.sequence = $2 AND d.what = 'withdraw');

-- name: set_held
-- Note that the bank has moved an item's money to its 47416, or (NULL) that it is back.
UPDATE suspense.item SET held_by = $3, held_at = $4 WHERE book = $1 AND sequence = $2;

-- name: list_on_their_way
-- Departed parts that have neither arrived nor come back, the oldest first.
SELECT book, item, part FROM suspense.release
WHERE transfer IS NOT NULL AND arrived_sequence IS NULL AND came_back IS NULL ORDER BY book, sequence LIMIT $1;

-- name: lock_on_its_way
-- Lock one such part; the place of its departure, NULL when another is at it or it is over.
SELECT sequence, amount FROM suspense.release
WHERE book = $1 AND item = $2 AND part = $3 AND arrived_sequence IS NULL AND came_back IS NULL FOR UPDATE SKIP LOCKED;

-- name: mark_arrived
-- Record where a locked part has arrived.
UPDATE suspense.release SET arrived_book = $4, arrived_sequence = $5 WHERE book = $1 AND item = $2 AND part = $3;

-- name: mark_come_back
-- Record that a locked part came back and why.
UPDATE suspense.release SET came_back = $4, why = $5 WHERE book = $1 AND item = $2 AND part = $3;
