-- Balances of ledger accounts at a cut, trial balance, daily identity, and the registers that name accounts.

-- name: sum_journal
-- Turnover of every ledger account in a passage of one book, from the journal itself.
SELECT u.account, sum(greatest(u.amount, 0))::bigint AS debit, sum(greatest(-u.amount, 0))::bigint AS credit
FROM ledger.journal j CROSS JOIN LATERAL unnest(j.accounts, j.amounts) AS u(account, amount)
WHERE j.book = $1 AND j.sequence > $2 AND j.sequence <= $3 GROUP BY u.account;

-- name: sum_journal_of
-- Turnover of some ledger accounts in a passage of one book, from the journal itself.
SELECT u.account, sum(greatest(u.amount, 0))::bigint AS debit, sum(greatest(-u.amount, 0))::bigint AS credit
FROM ledger.journal j CROSS JOIN LATERAL unnest(j.accounts, j.amounts) AS u(account, amount)
WHERE j.book = $1 AND j.sequence > $2 AND j.sequence <= $3 AND j.accounts && $4::bigint[] AND u.account = ANY ($4)
GROUP BY u.account;

-- name: sum_pages
-- Turnover of some ledger accounts in one book up to a place the postings consumer has passed; only a page that the place
-- cuts through is unpacked.
SELECT p.account, sum(p.debit)::bigint AS debit, sum(p.credit)::bigint AS credit
FROM (
    SELECT g.account, g.debit, g.credit FROM read_model.posting_page g
    WHERE g.account = ANY ($1::bigint[]) AND g.book = $2 AND g.last_sequence <= $3
    UNION ALL
    SELECT g.account, greatest(u.amount, 0), greatest(-u.amount, 0)
    FROM read_model.posting_page g CROSS JOIN LATERAL unnest(g.sequences, g.amounts) AS u(sequence, amount)
    WHERE g.account = ANY ($1::bigint[]) AND g.book = $2 AND g.first_sequence <= $3 AND g.last_sequence > $3 AND u.sequence <= $3
) p GROUP BY p.account;

-- name: list_balances
-- Every ledger account with its turnover over all books, as the balances consumer has it.
SELECT account, sum(debit)::bigint AS debit, sum(credit)::bigint AS credit, sum(entries)::bigint AS entries
FROM read_model.balance GROUP BY account ORDER BY account;

-- name: trial_balance
-- The sum of all debits and of all credits; equal by construction.
SELECT coalesce(sum(debit), 0)::bigint AS debit, coalesce(sum(credit), 0)::bigint AS credit FROM read_model.balance;

-- name: list_kind_totals
-- The balance of each kind of ledger account under each transit account (0 for kinds that stand under none).
SELECT ((account >> 40) & 65535)::int AS transit, (account >> 56)::int AS kind, sum(debit - credit)::bigint AS balance
FROM read_model.balance GROUP BY 1, 2 ORDER BY 1, 2;

-- name: list_open_transfers
-- Accounts between two personal accounts (12) or two books (13) that are not back at nought.
SELECT account, sum(debit - credit)::bigint AS balance FROM read_model.balance
WHERE account >= 12::bigint << 56 AND account < 14::bigint << 56 GROUP BY account HAVING sum(debit - credit) <> 0 ORDER BY account;

-- name: find_cut
-- A stored cut by its number.
SELECT cut, transit, day, moment, books, sequences FROM ledger.cut WHERE cut = $1;

-- name: find_cut_of_day
-- The cut that closed a transit account's day.
SELECT cut, transit, day, moment, books, sequences FROM ledger.cut WHERE transit = $1 AND day = $2;

-- name: find_entry_at
-- When one entry was recorded.
SELECT recorded_at FROM ledger.journal WHERE book = $1 AND sequence = $2;

-- name: list_transits
-- Transit accounts and their open bank days.
SELECT t.transit, t.account, t.bic, t.title, d.open_day FROM reference.transit_account t LEFT JOIN ledger.bank_day d USING (transit)
ORDER BY t.transit;

-- name: list_spaces
-- Operation spaces by number.
SELECT space, name FROM reference.operation_space ORDER BY space;

-- name: list_channels
-- Channels by number.
SELECT channel, name, manner, legal_kind, space, transit FROM reference.channel ORDER BY channel;

-- name: list_recipients
-- Recipients by number.
SELECT recipient, code, name FROM reference.recipient ORDER BY recipient;

-- name: list_payees
-- Pairs of recipient and service by number.
SELECT p.payee, p.recipient, r.code, p.service FROM reference.payee p JOIN reference.recipient r USING (recipient) ORDER BY p.payee;
