-- The fiscal consumer: a passage is read and written in a handful of statements over arrays, whatever its size.

-- name: count_entries
-- How many entries the passage holds.
SELECT count(*) FROM ledger.journal WHERE book = $1 AND sequence > $2 AND sequence <= $3;

-- name: list_entries
-- The passage's entries of the kinds that concern receipts, in order.
SELECT book, sequence, kind, space, external_id, personal_account, channel, event_at, recorded_at, value_date, accounts, amounts,
    lines
FROM ledger.journal WHERE book = $1 AND sequence > $2 AND sequence <= $3 AND kind = ANY ($4::smallint[]) ORDER BY sequence;

-- name: list_entries_at
-- Entries at given places.
SELECT j.book, j.sequence, j.kind, j.space, j.external_id, j.personal_account, j.channel, j.event_at, j.recorded_at, j.value_date,
    j.accounts, j.amounts, j.lines
FROM unnest($1::smallint[], $2::bigint[]) AS p(book, sequence)
  JOIN ledger.journal j ON j.book = p.book AND j.sequence = p.sequence;

-- name: list_payers
-- Whose accounts they are and where receipts go.
SELECT a.personal_account, a.payer_kind, a.provider, coalesce(c.contact, '') AS contact
FROM unnest($1::text::bigint[]) AS i(personal_account)
  JOIN reference.personal_account a ON a.personal_account = i.personal_account
  LEFT JOIN fiscal.contact c ON c.personal_account = i.personal_account;

-- name: list_charges
-- What the lines are.
SELECT c.personal_account, c.line, c.creditor, c.payee, c.period, c.kind
FROM unnest($1::text::bigint[], $2::text::int[]) AS i(personal_account, line)
  JOIN reference.charge c ON c.personal_account = i.personal_account AND c.line = i.line;

-- name: lock_issued
-- Hold the receipts of corrected entries, so that none becomes registered between the look at it and the refund.
SELECT r.number FROM unnest($1::smallint[], $2::bigint[]) AS p(book, sequence)
  JOIN fiscal.receipt r ON r.book = p.book AND r.sequence = p.sequence
ORDER BY r.number FOR SHARE OF r;

-- name: list_issued
-- The receipts of corrected entries.
SELECT r.book, r.sequence, r.number, r.issuer, r.operation, r.part, r.lines, r.content, s.receipt IS NOT NULL AS registered
FROM unnest($1::smallint[], $2::bigint[]) AS p(book, sequence)
  JOIN fiscal.receipt r ON r.book = p.book AND r.sequence = p.sequence
  LEFT JOIN fiscal.sign s ON s.receipt = r.number;

-- name: list_keys
-- The payment keys and channels of corrected entries.
SELECT j.book, j.sequence, j.space, j.external_id, j.channel FROM unnest($1::smallint[], $2::bigint[]) AS p(book, sequence)
  JOIN ledger.journal j ON j.book = p.book AND j.sequence = p.sequence;

-- name: take_numbers
-- Numbers for so many receipts.
SELECT array_agg(nextval('fiscal.receipt_number')) FROM generate_series(1, $1);

-- name: add_receipts
-- Record receipts; those that are there already, because a passage is taken again, are left out. The numbers recorded. Columns of
-- whole numbers come as texts of arrays: encoding and reading them costs a fraction of binary arrays.
WITH made AS (
    INSERT INTO fiscal.receipt (number, book, sequence, space, personal_account, issuer, part, total, after, external_id, operation,
        correction, lines, amounts, settled_at, deadline, content)
    SELECT i.number, i.book, i.sequence, i.space, i.personal_account, i.issuer, i.part, i.total, i.after, i.external_id, i.operation,
        i.correction, i.lines::int[], i.amounts::bigint[], i.settled_at, i.deadline, i.content
    FROM unnest($1::text::bigint[], $2::text::smallint[], $3::text::bigint[], $4::text::int[], $5::text::bigint[], $6::text::int[],
        $7::text::smallint[], $8::text::bigint[], $9::text::bigint[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[],
        $15::timestamptz[], $16::timestamptz[], $17::bytea[])
      AS i(number, book, sequence, space, personal_account, issuer, part, total, after, external_id, operation,
        correction, lines, amounts, settled_at, deadline, content)
    ON CONFLICT ON CONSTRAINT receipt_once DO NOTHING RETURNING number)
SELECT coalesce(array_agg(number ORDER BY number), '{}') FROM made;

-- name: add_first_orders
-- Order receipts that were just recorded.
INSERT INTO delivery.outgoing (what, subject, counterparty, key, content)
SELECT 'receipt', i.* FROM unnest($1::text::bigint[], $2::text[], $3::text[], $4::bytea[]) AS i;

-- name: add_stopped
-- List receipts that were just recorded as not on their way, with the reason.
INSERT INTO fiscal.stopped (receipt, state, reason)
SELECT i.* FROM unnest($1::text::bigint[], $2::text::smallint[], $3::text[]) AS i;

-- name: add_omissions
-- Record sums that need no receipt, and why.
INSERT INTO fiscal.no_receipt (book, sequence, issuer, reason, amount)
SELECT i.* FROM unnest($1::smallint[], $2::bigint[], $3::int[], $4::text[], $5::bigint[]) AS i
ON CONFLICT ON CONSTRAINT no_receipt_key DO NOTHING;

-- name: add_offsets
-- Record offsets of advances for the consolidated receipt of their month.
INSERT INTO fiscal.advance_offset (book, sequence, line, personal_account, issuer, amount, month)
SELECT i.* FROM unnest($1::smallint[], $2::bigint[], $3::int[], $4::bigint[], $5::int[], $6::bigint[], $7::int[]) AS i
ON CONFLICT ON CONSTRAINT advance_offset_key DO NOTHING;
