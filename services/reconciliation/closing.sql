-- Explanations, protocols and signatures.

-- name: find_closed_until
-- The last day of a transit account that two people have signed.
SELECT reconciliation.closed_until($1);

-- name: find_protocol
-- The protocol of a period: the closed one, else the newest.
SELECT p.* FROM reconciliation.protocol p
WHERE p.transit = $1 AND p.what = $2 AND p.period = $3
ORDER BY EXISTS (SELECT FROM reconciliation.signature s WHERE s.protocol = p.protocol AND s.place = 2) DESC, p.protocol DESC LIMIT 1;

-- name: list_signatures
-- Who signed a protocol.
SELECT person, at FROM reconciliation.signature WHERE protocol = $1 ORDER BY place;

-- name: lock_periods
-- Keep the bank's lines of a transit account as they are, to the end of the transaction.
SELECT pg_advisory_xact_lock(reconciliation.lock_key($1));

-- name: add_protocol
-- A protocol; its digest is compared by the database.
INSERT INTO reconciliation.protocol (transit, what, period, cut, follows, content, digest, accounts, balances, open_lines, closing,
    difference, made_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) RETURNING protocol;

-- name: add_open_item
-- What of one ledger account was open at the cut.
INSERT INTO reconciliation.open_item (protocol, account, books, sequences, amounts) VALUES ($1, $2, $3, $4, $5);

-- name: add_signature
-- One person's signature.
INSERT INTO reconciliation.signature (protocol, transit, what, period, place, person, at)
SELECT p.protocol, p.transit, p.what, p.period, $2, $3, $4 FROM reconciliation.protocol p WHERE p.protocol = $1;

-- name: add_explanation
-- What a person said of an item.
INSERT INTO reconciliation.explanation (transit, day, place, text, person, at) VALUES ($1, $2, $3, $4, $5, $6);

-- name: set_terms
-- Whether days of a transit account need a statement, from now on.
INSERT INTO reconciliation.statement_terms (transit, nth, required, set_by, set_at)
SELECT $1, 1 + coalesce((SELECT max(t.nth) FROM reconciliation.statement_terms t WHERE t.transit = $1), 0), $2, $3, $4;

-- name: list_backlog
-- Of every transit account: days that were cut and are not closed, and the first of them.
SELECT t.transit, t.account, count(c.day) AS days, min(c.day) AS oldest
FROM reference.transit_account t
  LEFT JOIN ledger.cut c ON c.transit = t.transit AND c.day > coalesce(reconciliation.closed_until(t.transit), '-infinity')
GROUP BY t.transit, t.account ORDER BY t.transit;

-- name: count_late
-- What the bank told late of closed days and falls to days that are not closed yet.
SELECT count(*) FROM reconciliation.late_item i
WHERE i.transit = $1 AND i.open_day > coalesce(reconciliation.closed_until($1), '-infinity');

-- name: list_late_waiting
-- What the bank told late of closed days and falls to days that are not closed yet, of every transit account.
SELECT i.item, t.account, i.what, i.line, i.statement, i.day, i.open_day
FROM reference.transit_account t
  CROSS JOIN LATERAL (SELECT coalesce(reconciliation.closed_until(t.transit), '-infinity') AS until OFFSET 0) c
  JOIN reconciliation.late_item i ON i.transit = t.transit AND i.open_day > c.until
ORDER BY i.item;
