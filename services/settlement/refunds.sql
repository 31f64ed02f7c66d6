-- Refunds, reversals and reassignments as people and acquirers decide them.

-- name: lock_decision
-- Let one decision of a key in at a time, to the end of the transaction.
SELECT pg_advisory_xact_lock(hashtextextended('settlement.refund/' || $1::text, 0));

-- name: find_decision
-- What was decided under a key.
SELECT refund, what, book, sequence, nth, correction, amount, coalesce(guarantor, 0) AS guarantor FROM settlement.refund WHERE key = $1;

-- name: add_decision
-- A decision with its entry.
INSERT INTO settlement.refund (key, what, book, sequence, nth, correction, amount, guarantor, decided_by, approved_by, decided_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, nullif($8::int, 0), $9, $10, $11) RETURNING refund;

-- name: add_application
-- The payer's application that a reassignment rests on.
INSERT INTO settlement.application (refund, personal_account, file_name, digest) VALUES ($1, $2, $3, $4);

-- name: find_root
-- The clearing account whose promise an entry's money is, through the entries without one whose keys lead back to it: its space (NULL:
-- none), and the place and the cut of the entry that promised it.
WITH RECURSIVE climb AS (
    SELECT j.book, j.sequence, j.kind, j.space AS keyed, j.external_id, j.accounts, 0 AS depth
    FROM ledger.journal j WHERE j.book = $2::smallint AND j.sequence = $3
    UNION ALL
    SELECT j.book, j.sequence, j.kind, j.space, j.external_id, j.accounts, c.depth + 1
    FROM climb c
      CROSS JOIN LATERAL (SELECT regexp_match(c.external_id, '^([0-9]{1,5}):([0-9]{1,18})/') AS named) n
      JOIN ledger.journal j ON j.book = n.named[1]::smallint AND j.sequence = n.named[2]::bigint
    WHERE c.depth < 16 AND (c.keyed IN (1, 4, 5) OR c.kind = 6)
      AND NOT EXISTS (SELECT FROM unnest(c.accounts) AS one WHERE one >> 40 = (2 << 16) + $1::int))
SELECT r.book, r.sequence, s.space, g.cut
FROM (SELECT c.book, c.sequence, c.accounts FROM climb c ORDER BY c.depth DESC LIMIT 1) r
  CROSS JOIN LATERAL (SELECT (SELECT (one & 1099511627775)::int FROM unnest(r.accounts) AS one
      WHERE one >> 40 = (2 << 16) + $1::int LIMIT 1) AS space) s
  LEFT JOIN LATERAL (SELECT q.cut FROM settlement.cut_range q WHERE q.transit = $1 AND q.space = s.space AND q.book = r.book
      AND q.upto >= r.sequence AND q.after < r.sequence ORDER BY q.upto LIMIT 1) g ON true;

-- name: find_return
-- The return that waits, or was ordered, for an entry's money, unless it was withdrawn.
SELECT q.request, q.amount, EXISTS (SELECT FROM settlement.transfer_order o WHERE o.request = q.request) AS is_ordered
FROM settlement.return_request q WHERE q.book = $1 AND q.sequence = $2
  AND NOT EXISTS (SELECT FROM settlement.return_withdrawn w WHERE w.request = q.request);

-- name: add_return
-- Ask for an order that gives a payer money back.
INSERT INTO settlement.return_request (transit, account, book, sequence, amount, purpose, asked_by, asked_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING request;

-- name: add_payee
-- To whom a return goes: the next version.
INSERT INTO settlement.return_payee (request, version, sealed_name, inn, kpp, bank_account, bic, given_by, given_at)
SELECT $1, 1 + coalesce((SELECT max(p.version) FROM settlement.return_payee p WHERE p.request = $1), 0), $2, $3, $4, $5, $6, $7, $8;

-- name: withdraw_return
-- Withdraw a return that has no order; its number, NULL when it has one, is withdrawn already or is not known.
INSERT INTO settlement.return_withdrawn (request, withdrawn_by, withdrawn_at, reason)
SELECT q.request, $2, $3, $4 FROM settlement.return_request q
WHERE q.request = $1 AND NOT EXISTS (SELECT FROM settlement.transfer_order o WHERE o.request = q.request)
ON CONFLICT DO NOTHING RETURNING request;

-- name: find_transit_of_return
-- The transit account of a return.
SELECT transit FROM settlement.return_request WHERE request = $1;

-- name: is_deducted
-- Whether the counterparty keeps a refund, by the journal.
SELECT EXISTS (SELECT FROM ledger.payment_key k WHERE k.space = 5 AND k.external_id = $1 AND k.sequence IS NOT NULL);

-- name: find_provider
-- The provider (исполнитель) of a personal account.
SELECT provider FROM reference.personal_account WHERE personal_account = $1;

-- name: find_recipient
-- A recipient by its code.
SELECT recipient FROM reference.recipient WHERE code = $1;

-- name: find_account
-- A personal account by its own name.
SELECT personal_account FROM reference.personal_account WHERE namespace = $1 AND number = $2;

-- name: list_claims
-- Claims, the oldest first: whole, what is left, since when and until when, of whom, from which entry, and who stopped them.
SELECT c.claim, t.account AS transit_account, r.code AS recipient, c.why, c.amount AS amount_kopecks, c."left" AS left_kopecks,
    c.arisen_on, c.due_on, c.book, c.sequence, coalesce(s.name, '') AS space, coalesce(p.stopped, false) AS stopped,
    coalesce(p.decided_by, '') AS stopped_by, coalesce(p.reason, '') AS stop_reason
FROM settlement.claim c JOIN reference.transit_account t ON t.transit = c.transit JOIN reference.recipient r ON r.recipient = c.recipient
  LEFT JOIN reference.operation_space s ON s.space = c.space
  LEFT JOIN LATERAL (SELECT x.stopped, x.decided_by, x.reason FROM settlement.claim_stop x WHERE x.claim = c.claim
      ORDER BY x.stop DESC LIMIT 1) p ON true
WHERE ($1::text IS NULL OR r.code = $1) AND ($2::boolean OR c."left" > 0) ORDER BY c.claim LIMIT $3;

-- name: stop_claim
-- Stop keeping a claim back, or let it be kept back again; its number, NULL for none.
INSERT INTO settlement.claim_stop (claim, stopped, decided_by, decided_at, reason)
SELECT c.claim, $2, $3, $4, $5 FROM settlement.claim c WHERE c.claim = $1 RETURNING claim;

-- name: list_refunds
-- Decisions, the newest first: how far each has come.
SELECT f.refund, f.what, f.book, f.sequence, f.nth, f.correction, f.amount AS amount_kopecks, coalesce(g.code, '') AS guarantor,
    f.decided_by, f.approved_by, f.decided_at, coalesce(m.done, false) AS covered,
    coalesce((SELECT sum(c."left") FROM settlement.claim c WHERE c.book = f.book AND c.sequence = f.correction), 0)::bigint AS owed_kopecks,
    EXISTS (SELECT FROM settlement.deduction d WHERE d.book = f.book AND d.refund = f.correction) AS deducted,
    coalesce((SELECT o.key FROM settlement.return_request q JOIN settlement.transfer_order o ON o.request = q.request
        WHERE q.book = f.book AND q.sequence = f.correction ORDER BY o.transfer DESC LIMIT 1), '') AS "order",
    EXISTS (SELECT FROM settlement.return_request q WHERE q.book = f.book AND q.sequence = f.correction) AS asked
FROM settlement.refund f LEFT JOIN reference.recipient g ON g.recipient = f.guarantor
  LEFT JOIN settlement.move m ON m.book = f.book AND m.sequence = f.correction
ORDER BY f.refund DESC LIMIT $1;
