-- What a cut reads: how far each clearing account is cut and funded, and what the ranges in between owe to whom. Nothing is locked.

-- name: fetch_last_cut
-- The aggregator's last cut and what is ordered so far.
SELECT a.last_cut, a.ordered FROM settlement.aggregator a WHERE a.transit = $1;

-- name: list_chains
-- Every chain of promises of a transit account: where it is cut, and for its clearing account the money confirmed, what is owed that
-- it lacks, what was taken back of entries cut earlier, and what its counterparty keeps for refunds.
SELECT p.space, p.book, coalesce(r.upto, 0) AS upto, coalesce(r.promised, 0) AS promised, p.last_sequence,
    coalesce(c.amount, 0) AS confirmed,
    coalesce((SELECT sum(d.amount) FROM settlement.debt d WHERE d.transit = p.transit AND d.space = p.space), 0)::bigint AS debt,
    coalesce((SELECT sum(t.amount) FROM settlement.taken_back t WHERE t.transit = p.transit AND t.space = p.space), 0)::bigint
    + coalesce((SELECT sum(k.amount) FROM settlement.deduction k
          WHERE k.transit = p.transit AND k.space = p.space AND k.cut IS NOT NULL), 0)::bigint AS taken_back
FROM settlement.promise p
  LEFT JOIN LATERAL (SELECT g.upto, g.promised FROM settlement.cut_range g
      WHERE g.transit = p.transit AND g.space = p.space AND g.book = p.book ORDER BY g.upto DESC LIMIT 1) r ON true
  LEFT JOIN settlement.confirmed c ON c.transit = p.transit AND c.space = p.space
WHERE p.transit = $1 AND p.space > 0 ORDER BY p.space, p.book;

-- name: fetch_links
-- A chain after a place, at most so many entries, as parallel arrays in order.
SELECT array_agg(l.sequence) AS sequences, array_agg(l.amount) AS amounts, array_agg(l.moment) AS moments
FROM (SELECT u.* FROM settlement.promise_page p
        CROSS JOIN LATERAL unnest(p.sequences, p.amounts, p.moments) AS u(sequence, amount, moment)
      WHERE p.transit = $1 AND p.space = $2 AND p.book = $3 AND p.last_sequence > $4 AND u.sequence > $4
      ORDER BY p.last_sequence, u.sequence LIMIT $5) l;

-- name: list_chain_corrections
-- Every correction of a chain after a place, with what it corrects and the promise that it takes back (below nought).
SELECT k.sequence, k.corrects, k.amount FROM settlement.promise_correction k
WHERE k.transit = $1 AND k.space = $2 AND k.book = $3 AND k.sequence > $4 ORDER BY k.sequence;

-- name: list_corrections
-- Corrections of entries that a cut holds and that no cut has taken back yet, with that cut.
SELECT k.space, k.book, k.sequence, k.corrects, -k.amount AS amount, r.cut AS original_cut
FROM settlement.promise_correction k
  JOIN settlement.cut_range r ON r.transit = k.transit AND r.space = k.space AND r.book = k.book
      AND r.after < k.corrects AND r.upto >= k.corrects
WHERE k.transit = $1 AND k.space > 0
  AND NOT EXISTS (SELECT FROM settlement.cut_range g WHERE g.transit = k.transit AND g.space = k.space AND g.book = k.book
      AND g.cut = r.cut AND g.upto >= k.sequence)
  AND NOT EXISTS (SELECT FROM settlement.taken_back t WHERE t.transit = k.transit AND t.space = k.space AND t.book = k.book
      AND t.sequence = k.sequence)
ORDER BY k.space, k.book, k.sequence;

-- name: list_correction_legs
-- What entries take back by payable account, creditor, pool and period: places as parallel arrays of books and sequences.
SELECT j.book, j.sequence, u.account, coalesce(c.creditor, 0) AS creditor, coalesce(c.pool = 1, false) AS capital,
    sum(u.amount)::bigint AS amount
FROM unnest($2::smallint[], $3::bigint[]) AS w(book, sequence) JOIN ledger.journal j USING (book, sequence)
  CROSS JOIN LATERAL unnest(j.accounts, j.amounts, j.lines) AS u(account, amount, line)
  LEFT JOIN reference.charge c ON c.personal_account = j.personal_account AND c.line = u.line
WHERE u.account >> 40 = (3 << 16) + $1::int GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5;

-- name: sum_lots
-- What a passage of a book owes by payable account, creditor, pool and period, within the ranges of the clearing accounts, without
-- corrections of entries cut earlier. $1 transit, $2 book, $3 and $4 the passage.
WITH wanted AS MATERIALIZED (SELECT * FROM unnest($5::int[], $6::bigint[], $7::bigint[]) AS w(space, after, upto)),
entry AS MATERIALIZED (
    SELECT j.personal_account, j.accounts, j.amounts, j.lines
    FROM ledger.journal j
      CROSS JOIN LATERAL (SELECT coalesce((SELECT (one & 1099511627775)::int FROM unnest(j.accounts) AS one
          WHERE one >> 40 = (2 << 16) + $1::int LIMIT 1), 0) AS space) s
      JOIN wanted w ON w.space = s.space AND j.sequence > w.after AND j.sequence <= w.upto
    WHERE j.book = $2 AND j.sequence > $3 AND j.sequence <= $4
      AND NOT (j.space = 1 AND w.space > 0 AND EXISTS (SELECT FROM settlement.promise_correction k
          WHERE k.transit = $1 AND k.space = w.space AND k.book = j.book AND k.sequence = j.sequence AND k.corrects <= w.after)))
SELECT u.account, coalesce(c.creditor, 0) AS creditor, coalesce(c.pool = 1, false) AS capital, coalesce(c.period, 0) AS period,
    -sum(u.amount)::bigint AS amount
FROM entry e CROSS JOIN LATERAL unnest(e.accounts, e.amounts, e.lines) AS u(account, amount, line)
  LEFT JOIN reference.charge c ON c.personal_account = e.personal_account AND c.line = u.line
WHERE u.account >> 40 = (3 << 16) + $1::int GROUP BY 1, 2, 3, 4;

-- name: list_payments
-- Payments of a passage within the ranges whose lines some creditors with commission terms own, and which no correction within
-- the ranges takes back, nor one beyond them ($9): their payables with creditor and pool, in order.
WITH wanted AS MATERIALIZED (SELECT * FROM unnest($5::int[], $6::bigint[], $7::bigint[]) AS w(space, after, upto))
SELECT j.sequence, j.personal_account, j.table_version, p.accounts, p.creditors, p.capitals, p.amounts
FROM ledger.journal j
  JOIN wanted w ON w.space = j.space AND j.sequence > w.after AND j.sequence <= w.upto
  CROSS JOIN LATERAL (
      SELECT array_agg(u.account) AS accounts, array_agg(c.creditor) AS creditors, array_agg(c.pool = 1) AS capitals,
          array_agg(-u.amount) AS amounts
      FROM unnest(j.accounts, j.amounts, j.lines) AS u(account, amount, line)
        JOIN reference.charge c ON c.personal_account = j.personal_account AND c.line = u.line
      WHERE u.account >> 40 = (3 << 16) + $1::int AND c.creditor = ANY ($8::int[])) p
WHERE j.book = $2 AND j.sequence > $3 AND j.sequence <= $4 AND j.kind = 1 AND j.transit = $1 AND p.accounts IS NOT NULL
  AND j.sequence <> ALL ($9::bigint[])
  AND NOT EXISTS (SELECT FROM settlement.promise_correction k WHERE k.transit = $1 AND k.space = w.space AND k.book = j.book
      AND k.corrects = j.sequence AND k.sequence > w.after AND k.sequence <= w.upto)
ORDER BY j.sequence;

-- name: list_carried
-- Lots that wait.
SELECT account, creditor, capital, gross, claimed, commission, recovered, periods, days, sums, reason, since_cut
FROM settlement.carried WHERE transit = $1 ORDER BY account, creditor, capital;

-- name: list_payees
-- Pairs of recipient and service.
SELECT payee, recipient, service FROM reference.payee;

-- name: list_service_names
-- How services are called.
SELECT service, name FROM settlement.service_name;

-- name: list_recipients
-- Recipients with the newest requisites approved and valid on a day.
SELECT r.recipient AS number, r.code, r.kind, r.name, r.inn, r.kpp, coalesce(q.version, 0) AS version,
    coalesce(q.bank_account, '') AS account, coalesce(q.bic, '') AS bic, coalesce(q.kbk, '') AS kbk, coalesce(q.oktmo, '') AS oktmo
FROM reference.recipient r
  LEFT JOIN LATERAL (SELECT v.* FROM reference.requisites v WHERE v.recipient = r.recipient AND v.approved_by IS NOT NULL
      AND v.valid_from <= $1 ORDER BY v.valid_from DESC, v.version DESC LIMIT 1) q ON true;

-- name: list_contracts
-- Contracts valid on a day.
SELECT contract, creditor, recipient, number, signed_on, defers_small, nets_debts, bears_commission, vat_percent, purpose, priority
FROM settlement.contract WHERE valid_from <= $1 AND coalesce(valid_to >= $1, true) ORDER BY contract;

-- name: list_terms
-- Commission terms that hold on a day, one a creditor.
SELECT DISTINCT ON (creditor) creditor, valid_from, earner, rate, minimum, maximum, principal_weight, recipients_weight, invoiced
FROM settlement.commission_terms WHERE valid_from <= $1 ORDER BY creditor, valid_from DESC;

-- name: list_stopped
-- Entries of the stop lists.
SELECT list AS list_code, reference, name, inn, since, coalesce(until, 'infinity'::date) AS until FROM settlement.stop_listed;

-- name: list_legal_limits
-- Limits of 115-ФЗ.
SELECT since, operation, amount AS amount_kopecks, inclusive, source FROM settlement.legal_limit ORDER BY operation, since;

-- name: find_approval_limit
-- From which amount on two people approve an order on a day.
SELECT amount FROM settlement.approval_limit WHERE since <= $1 ORDER BY since DESC LIMIT 1;

-- name: fetch_payer
-- The transit account as payer, by its terms or the defaults.
SELECT t.account, t.bic, t.title, s.payer_name, s.payer_inn, s.payer_kpp, s.payer_bank_name, s.payer_correspondent, s.counterparty,
    coalesce(s.contracts_required, false) AS contracts_required
FROM reference.transit_account t LEFT JOIN settlement.transit_terms s USING (transit) WHERE t.transit = $1;

-- name: fetch_open_day
-- The open bank day of a transit account.
SELECT open_day FROM ledger.bank_day WHERE transit = $1;
