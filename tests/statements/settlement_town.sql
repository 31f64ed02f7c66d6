-- A small town for the tests of settlement; written as the owner.

-- name: add_transit
-- A transit account with an open day.
WITH made AS (
    INSERT INTO reference.transit_account (account, bic, title) VALUES ($1, $2, 'АО «Тестовый банк»') RETURNING transit)
INSERT INTO ledger.bank_day (transit, open_day) SELECT transit, $3 FROM made RETURNING transit;

-- name: add_space
-- An operation space.
INSERT INTO reference.operation_space (name) VALUES ($1) RETURNING space;

-- name: add_channel
-- A channel.
INSERT INTO reference.channel (name, manner, legal_kind, space, transit) VALUES ($1, 'reporting', 'bank', $2, $3) RETURNING channel;

-- name: add_recipient
-- A recipient.
INSERT INTO reference.recipient (code, kind, name, inn, kpp) VALUES ($1, $2, $3, $4, '770801001') RETURNING recipient;

-- name: add_payee
-- A recipient's service.
INSERT INTO reference.payee (recipient, service) VALUES ($1, $2) RETURNING payee;

-- name: add_requisites
-- The next version of a recipient's requisites, loaded and, with an approver, approved.
INSERT INTO reference.requisites (recipient, version, bank_account, bic, valid_from, loaded_by, approved_by, approved_at)
SELECT $1, 1 + coalesce((SELECT max(q.version) FROM reference.requisites q WHERE q.recipient = $1), 0), $2, $3, $4, 'loader',
    $5::text, CASE WHEN $5::text IS NOT NULL THEN now() END
RETURNING version;

-- name: add_account
-- A personal account.
INSERT INTO reference.personal_account (namespace, number, state, payer_kind, provider) VALUES ('town', $1, 0, 0, $2)
RETURNING personal_account;

-- name: add_charge
-- A charge line: account, line, creditor, period, payee, pool, amount.
INSERT INTO reference.charge (personal_account, line, creditor, period, payee, kind, pool, amount, due_date)
VALUES ($1, $2, $3, $4, $5, 0, $6, $7, '2026-11-16');

-- name: publish
-- A table whose content no test looks at.
SELECT status FROM ledger.publish($1, $2, $3, $4, $5, 'tests');

-- name: head
-- An account's head.
SELECT version, digest FROM ledger.account_head WHERE personal_account = $1;

-- name: balance
-- A ledger account's balance in the journal, debit positive.
SELECT coalesce(sum(u.amount), 0)::bigint FROM ledger.journal j CROSS JOIN LATERAL unnest(j.accounts, j.amounts) AS u(account, amount)
WHERE u.account = $1;

-- name: balances
-- Every ledger account's balance in the journal.
SELECT u.account, sum(u.amount)::bigint AS balance FROM ledger.journal j CROSS JOIN LATERAL unnest(j.accounts, j.amounts) AS u(account, amount)
GROUP BY u.account ORDER BY u.account;

-- name: entries
-- Entries of book 0 in order.
SELECT sequence, kind, external_id, amount, accounts, amounts FROM ledger.journal WHERE book = 0 ORDER BY sequence;

-- name: orders
-- Every order with the account it pays to.
SELECT o.*, q.code, q.bank_account FROM settlement.transfer_order o JOIN settlement.order_payee q USING (transfer) ORDER BY o.transfer;

-- name: carried
-- Every lot that waits.
SELECT * FROM settlement.carried ORDER BY account, creditor, capital;

-- name: ranges
-- Every range.
SELECT * FROM settlement.cut_range ORDER BY transit, space, book, after;

-- name: debts
-- Every debt.
SELECT recipient, space, amount FROM settlement.debt WHERE amount > 0 ORDER BY recipient, space;

-- name: outgoing
-- Orders of delivery.
SELECT number, what, subject, counterparty, key, content FROM delivery.outgoing ORDER BY number;

-- name: parked
-- Results for a person.
SELECT key, reason FROM settlement.parked_result ORDER BY parked;

-- name: history
-- An order's states.
SELECT h.state, h.told_by, h.reason, h.bank_number, h.sequence FROM settlement.order_history h JOIN settlement.transfer_order o USING (transfer)
WHERE o.key = $1 ORDER BY h.nth;

-- name: signatures
-- Who signed registers.
SELECT signer, signed_at FROM settlement.register_signature;

-- name: roll_day
-- Another open day.
UPDATE ledger.bank_day SET open_day = $2 WHERE transit = $1;

-- name: forge_range
-- A range of another cut put in by the owner: only the constraints stand in its way.
WITH last AS (SELECT * FROM settlement.cut_range ORDER BY upto DESC LIMIT 1),
made AS (INSERT INTO settlement.cut (transit, day, ordinal, made_at) SELECT transit, '2000-01-01', 1, now() FROM last RETURNING cut)
INSERT INTO settlement.cut_range (cut, transit, space, book, after, upto, follows, promised)
SELECT m.cut, l.transit, l.space, l.book, $1::bigint, $2::bigint, nullif($1::bigint, 0), 0 FROM made m CROSS JOIN last l;

-- name: terminate_others
-- End a backend.
SELECT pg_terminate_backend($1);

-- name: spoil_order
-- An order of another sum than its entry.
UPDATE settlement.transfer_order SET amount = amount + 1 WHERE transfer = (SELECT min(transfer) FROM settlement.transfer_order);

-- name: spoil_ranges
-- A range forgotten, with what keeps it.
ALTER TABLE settlement.cut_range DROP CONSTRAINT cut_range_no_gap;

-- name: forget_range
-- A range forgotten.
DELETE FROM settlement.cut_range WHERE after = 0;

-- name: spoil_carried
-- A kopeck more is carried than the books hold.
UPDATE settlement.carried SET gross = gross + 1, amount = amount + 1;

-- name: all_of_settlement
-- A digest of everything that settlement and book 0 hold.
SELECT (SELECT count(*) FROM settlement.cut) AS cuts, (SELECT count(*) FROM settlement.cut_range) AS ranges,
    (SELECT count(*) FROM settlement.transfer_order) AS orders, (SELECT count(*) FROM settlement.order_part) AS parts,
    (SELECT count(*) FROM settlement.order_history) AS history, (SELECT count(*) FROM settlement.carried) AS carried,
    (SELECT count(*) FROM settlement.debt) AS debts, (SELECT coalesce(sum(ordered), 0)::bigint FROM settlement.aggregator) AS ordered,
    (SELECT count(*) FROM ledger.journal WHERE book = 0) AS entries, (SELECT count(*) FROM delivery.outgoing) AS outgoing,
    (SELECT coalesce(sum(cardinality(sequences)), 0)::bigint FROM settlement.promise_page) AS promises;

-- name: inn
-- A recipient's ИНН.
SELECT inn FROM reference.recipient WHERE recipient = $1;

-- name: updatable
-- Columns of settlement that the services may change.
SELECT format('%I.%I', c.table_schema, c.table_name) AS "table", c.column_name AS "column" FROM information_schema.columns c
WHERE c.table_schema = 'settlement'
  AND has_column_privilege('kopeck_services', format('%I.%I', c.table_schema, c.table_name), c.column_name, 'UPDATE') ORDER BY 1, 2;

-- name: deletable
-- Tables of settlement that the services may delete from.
SELECT format('%I.%I', schemaname, tablename) AS "table" FROM pg_tables
WHERE schemaname = 'settlement' AND has_table_privilege('kopeck_services', format('%I.%I', schemaname, tablename), 'DELETE') ORDER BY 1;

-- name: exhaust_numbers
-- As if the day had given its last number.
UPDATE settlement.transfer_order SET number = 999999;

-- name: add_return
-- A return of suspended money that somebody asks for.
INSERT INTO settlement.return_request (transit, account, book, sequence, amount, purpose, asked_by, asked_at)
VALUES ($1, $2, 1, $3, $4, 'Возврат. НДС не облагается', 'Анна', now()) RETURNING request;

-- name: add_payee_of_return
-- To whom a return goes.
INSERT INTO settlement.return_payee (request, version, sealed_name, bank_account, bic, given_by, given_at)
VALUES ($1, 1, $2, $3, $4, 'Анна', now());

-- name: reissues
-- How many orders wait to be paid anew.
SELECT count(*) FROM settlement.reissue_due;

-- name: interventions
-- What people did with orders.
SELECT what, done_by FROM settlement.intervention ORDER BY intervention;

-- name: add_event
-- What an acquirer told.
INSERT INTO intake.acquirer_event (space, key, channel, act, payment, order_number, amount)
VALUES ($1, $2, $3, $4, $5, '', $6) RETURNING event;

-- name: external_id
-- The key of an entry of book 1.
SELECT external_id FROM ledger.journal WHERE book = 1 AND sequence = $1;

-- name: booked_events
-- What became of acquirers' events.
SELECT event, refund, deducted, why FROM settlement.acquirer_refund ORDER BY event;
