-- A small town for tests of allocation tables; written as the owner.

-- name: recipients
-- Provider, supplier and fund with their payees, and one transit account with an open day.
WITH made AS (
    INSERT INTO reference.recipient (code, kind, name, inn, kpp, advance_rule)
    SELECT code, kind, code, '', '', $1 FROM (VALUES ('УО', 'management'), ('ТЕПЛО', 'supplier'), ('ФКР', 'fund')) v(code, kind)
    RETURNING recipient, code),
payees AS (
    INSERT INTO reference.payee (recipient, service)
    SELECT m.recipient, v.service
    FROM (VALUES ('УО', 'maintenance'), ('ТЕПЛО', 'heating'), ('ФКР', 'capital_repair')) v(code, service) JOIN made m USING (code)),
transit AS (
    INSERT INTO reference.transit_account (account, bic, title) VALUES ('40911810000000000001', '044525225', 'T') RETURNING transit)
INSERT INTO ledger.bank_day (transit, open_day) SELECT transit, '2026-11-24' FROM transit;

-- name: accounts
-- Accounts of the provider numbered $1 … $2 by their own names, due for a table.
WITH made AS (
    INSERT INTO reference.personal_account (namespace, number, state, payer_kind, provider)
    SELECT 'uo', n::text, 0, 0, (SELECT recipient FROM reference.recipient WHERE code = 'УО') FROM generate_series($1::int, $2::int) n
    RETURNING personal_account, number),
named AS (INSERT INTO reference.alias (namespace, number, personal_account) SELECT 'uo', number, personal_account FROM made),
due AS (INSERT INTO reference.table_due (personal_account) SELECT personal_account FROM made)
SELECT personal_account FROM made ORDER BY personal_account;

-- name: charge
-- One charge more of an account: service, period, amount, due date, opening amounts.
INSERT INTO reference.charge (personal_account, line, creditor, period, payee, kind, pool, amount, due_date, opening_paid,
    opening_advance)
SELECT $1, (SELECT coalesce(max(c.line), 0) + 1 FROM reference.charge c WHERE c.personal_account = $1),
    (SELECT recipient FROM reference.recipient WHERE code = CASE WHEN $2::text = 'capital_repair' THEN 'ФКР' ELSE 'УО' END),
    $3, p.payee, 0, CASE WHEN $2 = 'capital_repair' THEN 1 ELSE 0 END, $4, $5, $6, $7
FROM reference.payee p WHERE p.service = $2;

-- name: mark_due
-- Marks an account as changed by a load, anew.
INSERT INTO reference.table_due (personal_account) VALUES ($1) ON CONFLICT (personal_account) DO UPDATE SET since = excluded.since;

-- name: due
-- Accounts that are due.
SELECT personal_account FROM reference.table_due ORDER BY 1;

-- name: lower
-- Sets the amount of one charge.
UPDATE reference.charge SET amount = $3 WHERE personal_account = $1 AND line = $2;

-- name: set_state
-- Sets the state of an account.
UPDATE reference.personal_account SET state = $2 WHERE personal_account = $1;

-- name: add_alias
-- Gives an account one more name, valid from a day.
INSERT INTO reference.alias (namespace, number, personal_account, valid_from) VALUES ($1, $2, $3, $4);

-- name: print_total
-- What the document of a period prints for the main pool.
INSERT INTO reference.printed_total (personal_account, period, pool, amount) VALUES ($1, $2, 0, $3);

-- name: spoil_base
-- Changes the lowest bit of a byte of a published table, as a broken disk would.
UPDATE ledger.base_table SET content = set_byte(content, $2, get_byte(content, $2) # 1) WHERE personal_account = $1;

-- name: take_key
-- Takes a payment key with another content, as a foreign entry would.
INSERT INTO ledger.payment_key (space, external_id, book, sequence, outcome, fingerprint) VALUES ($1, $2, 1, NULL, 1, '\x00');

-- name: move_head
-- Moves a head without an entry, as nothing of ours may.
UPDATE ledger.account_head SET version = version + 1 WHERE personal_account = $1;

-- name: expire
-- Lets an account's table have ended.
UPDATE ledger.account_head SET valid_until = clock_timestamp() WHERE personal_account = $1;

-- name: head
-- An account's head.
SELECT version, digest, last_sequence, valid_until FROM ledger.account_head WHERE personal_account = $1;

-- name: bases
-- Published versions of an account.
SELECT version, published_by FROM ledger.base_table WHERE personal_account = $1 ORDER BY version;

-- name: entries
-- The journal's entries of an account.
SELECT sequence, kind, external_id, amount, table_version, lines, amounts, value_date FROM ledger.journal
WHERE personal_account = $1 ORDER BY sequence;

-- name: explain
-- Begins a statement whose plan is wanted.
EXPLAIN

-- name: forget_days
-- Leaves the ledger without an open day.
DELETE FROM ledger.bank_day;

-- name: numbered_accounts
-- Every account with its number.
SELECT personal_account, number FROM reference.personal_account ORDER BY personal_account;

-- name: next_line
-- The next charge line of an account.
SELECT coalesce(max(line), 0) + 1 FROM reference.charge WHERE personal_account = $1;

-- name: charge_opened
-- October's first charge of an account with an opening advance: creditor, payee, amount, advance.
INSERT INTO reference.charge (personal_account, line, creditor, period, payee, kind, pool, amount, due_date, opening_advance)
VALUES ($1, 1, $2, 202610, $3, 0, 0, $4, '2026-11-16', $5);
