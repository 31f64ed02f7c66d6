-- What the full day reads of its town, by itself and not through the services whose work it judges; read as the ledger's owner.

-- name: list_accounts
-- Open accounts with what their document of a period ($1) prints in the main pool and for capital repair.
SELECT a.number, a.payer_kind, m.amount AS main, coalesce(c.amount, 0) AS capital
FROM reference.personal_account a
  JOIN reference.printed_total m ON m.personal_account = a.personal_account AND m.period = $1 AND m.pool = 0
  LEFT JOIN reference.printed_total c ON c.personal_account = a.personal_account AND c.period = $1 AND c.pool = 1
WHERE a.state = 0 AND m.amount > 0 ORDER BY a.number;

-- name: list_journal
-- Every entry, in the order of its book.
SELECT j.book, j.sequence, j.kind, s.name AS space, j.external_id, c.legal_kind, j.personal_account, a.payer_kind, j.accounts,
    j.amounts, j.lines
FROM ledger.journal j
  LEFT JOIN reference.operation_space s ON s.space = j.space
  LEFT JOIN reference.channel c ON c.channel = j.channel
  LEFT JOIN reference.personal_account a ON a.personal_account = j.personal_account
ORDER BY j.book, j.sequence;

-- name: list_lines
-- Whose line it is, and whether it is of capital repair.
SELECT personal_account, line, creditor, pool = 1 AS capital FROM reference.charge;

-- name: list_payees
-- Whose payee it is.
SELECT payee, recipient FROM reference.payee;

-- name: list_issuers
-- Who issues receipts for what comes through a bank.
SELECT recipient FROM fiscal.company WHERE form = 'ordinary';

-- name: find_recipient
-- The number of a recipient.
SELECT recipient FROM reference.recipient WHERE code = $1;

-- name: list_spaces
-- The numbers of operation spaces.
SELECT space, name FROM reference.operation_space;

-- name: list_receipts
-- Receipts with what was registered of them.
SELECT r.number, r.book, r.sequence, r.issuer, r.operation, r.total, s.total AS signed FROM fiscal.receipt r
  LEFT JOIN fiscal.sign s ON s.receipt = r.number ORDER BY r.number;

-- name: list_order_keys
-- Keys of the orders of receipts.
SELECT key, subject FROM delivery.outgoing WHERE what = 'receipt';

-- name: list_transfers
-- Transfer orders with the account that each pays.
SELECT o.key, o.recipient, o.amount, o.class, o.state, q.bank_account FROM settlement.transfer_order o
  JOIN reference.requisites q ON q.recipient = o.recipient AND q.version = o.requisites ORDER BY o.transfer;

-- name: list_carried
-- Money that is funded and was not ordered, and why.
SELECT account, amount, reason FROM settlement.carried WHERE amount > 0;

-- name: list_unfinished
-- What is still on its way, by name: nothing of it once the day is done.
SELECT * FROM (
    SELECT 'behind ' || c.consumer AS what, sum(h.last_sequence - c.sequence)::bigint AS count
    FROM read_model.cursor c JOIN (SELECT book, max(sequence) AS last_sequence FROM ledger.journal GROUP BY book) h USING (book)
    GROUP BY c.consumer
    UNION ALL
    SELECT 'order ' || o.what || ' in state ' || o.state, count(*) FROM delivery.outgoing o WHERE o.state IN (0, 1, 4) GROUP BY o.what, o.state
    UNION ALL
    SELECT 'receipt stopped: ' || t.reason, count(*) FROM fiscal.stopped t GROUP BY t.reason
    UNION ALL
    SELECT 'transfer in state ' || o.state, count(*) FROM settlement.transfer_order o WHERE o.state <> 4 GROUP BY o.state) u
WHERE u.count <> 0 ORDER BY u.what;

-- name: count_under_way
-- Orders in somebody's hands at this moment, and receipts that are registered.
SELECT (SELECT count(*) FROM delivery.outgoing WHERE what = 'transfer' AND state IN (0, 1) AND attempts > 0) AS transfers,
    (SELECT count(*) FROM delivery.outgoing WHERE what = 'receipt' AND state IN (0, 1) AND lease IS NOT NULL) AS leased,
    (SELECT count(*) FROM fiscal.sign) AS registered;

-- name: end_leases
-- The minute has passed after which others take over what the dead held.
UPDATE delivery.outgoing SET leased_until = clock_timestamp() WHERE leased_until > clock_timestamp();
