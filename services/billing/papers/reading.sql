-- What payment documents say, for the houses ($2, codes) of a run ($1) together.

-- name: fetch_run
-- The run, its provider, and whether it made documents.
SELECT r.run, r.provider, r.period, r.state, p.code FROM billing.run r JOIN reference.recipient p ON p.recipient = r.provider
WHERE r.run = $1

-- name: houses
-- Houses of a run that have documents, and how many.
SELECT a.house, count(*) AS documents
FROM billing.document d JOIN billing.run_account a USING (run, account)
WHERE d.run = $1 AND d.nth IS NOT NULL GROUP BY a.house ORDER BY char_length(a.house), a.house

-- name: house_of_account
-- The house of one account of a run.
SELECT a.house, a.account FROM billing.run_account a JOIN reference.personal_account p ON p.personal_account = a.account
WHERE a.run = $1 AND p.namespace = $2 AND p.number = $3

-- name: documents
-- Documents of houses, or of one account ($3) of them: which it replaces, which has replaced it, and the one of the month before that it
-- goes on from. versions: of the tables that were published with the documents, up to which the journal's credits count.
SELECT d.account, a.house, d.state, d.reason, d.period, d.nth, d.number, d.main, d.capital_repair, d.due_on, d.issued_on, d.book, d.version,
    p.namespace, p.number AS name, p.payer_kind, p.masked_name, p.masked_address, p.provider, e.els,
    replaced.number AS replaces, replacing.number AS replaced_by, before.version AS version_before, before.issued_on AS issued_before
FROM billing.run_account a
    JOIN billing.document d ON d.run = a.run AND d.account = a.account
    JOIN reference.personal_account p ON p.personal_account = a.account
    LEFT JOIN LATERAL (SELECT min(l.number) AS els FROM reference.alias l WHERE l.personal_account = a.account AND l.namespace = 'els'
        AND l.valid_from <= d.issued_on AND (l.valid_to IS NULL OR l.valid_to >= d.issued_on)) e ON true
    LEFT JOIN LATERAL (SELECT o.number FROM billing.document o WHERE o.account = d.account AND o.period = d.period AND o.nth < d.nth
        ORDER BY o.nth DESC LIMIT 1) replaced ON true
    LEFT JOIN LATERAL (SELECT o.number FROM billing.document o WHERE o.account = d.account AND o.period = d.period AND o.nth > d.nth
        ORDER BY o.nth DESC LIMIT 1) replacing ON true
    LEFT JOIN LATERAL (SELECT o.version, o.issued_on FROM billing.document o
        WHERE o.account = d.account AND o.period < d.period AND o.version IS NOT NULL AND o.book = d.book
        ORDER BY o.period DESC, o.nth DESC LIMIT 1) before ON true
WHERE a.run = $1 AND a.house = ANY($2::text[]) AND ($3::bigint IS NULL OR a.account = $3) AND d.nth IS NOT NULL

-- name: lines
-- Lines of accounts ($2) of a run with the service's title, unit, payee and claimant.
SELECT l.account, l.service, l.kind, l.volume, l.price, l.amount, l.of_period, l.explanation, t.recipient, t.creditor, t.pool, t.title, t.unit
FROM unnest($2::bigint[]) AS w(account)
    CROSS JOIN LATERAL (SELECT x.house FROM billing.run_account x WHERE x.run = $1 AND x.account = w.account LIMIT 1) a
    CROSS JOIN LATERAL (SELECT x.* FROM billing.line x WHERE x.run = $1 AND x.account = w.account OFFSET 0) l
    CROSS JOIN LATERAL (SELECT x.* FROM billing.run_terms x WHERE x.run = $1 AND x.house = a.house AND x.service = l.service LIMIT 1) t
ORDER BY l.account, l.nth

-- name: charges
-- Principal and advance lines of accounts up to a period ($2); apart: time-barred on the day of issue ($3, by account) or under a court
-- order, which the document leaves out (docs/crediting.md).
WITH limitation AS MATERIALIZED (SELECT l.since, l.before, l.term FROM law.limitation l)
SELECT c.personal_account AS account, c.line, c.creditor, c.period, c.kind, c.pool, c.amount, p.recipient, p.service,
    c.court_order <> '' OR coalesce(c.limitation_until, (SELECT (c.due_date + t.term)::date FROM limitation t
        WHERE c.due_date >= t.since AND c.due_date < t.before)) < w.issued_on AS apart
FROM unnest($1::bigint[], $3::date[]) AS w(account, issued_on)
    CROSS JOIN LATERAL (SELECT * FROM reference.charge f WHERE f.personal_account = w.account) c JOIN reference.payee p USING (payee)
WHERE c.kind = 3 OR (c.kind = 0 AND c.pool < 2 AND c.period <= $2) ORDER BY c.personal_account, c.line

-- name: paid
-- What the journal had credited to each line when the document was published ($3 versions), and when the one before it was ($4; 0: none).
-- Opening balances are entries (space 2) booked with the publication itself.
WITH RECURSIVE wanted AS (
    SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::bigint[]) AS w(book, account, version, before)),
chain AS (
    SELECT w.account, w.book, w.version, w.before, j.previous, j.table_version, j.space, j.lines, j.amounts
    FROM wanted w
        CROSS JOIN LATERAL (SELECT * FROM ledger.account_head k WHERE k.book = w.book AND k.personal_account = w.account LIMIT 1) h
        CROSS JOIN LATERAL (SELECT * FROM ledger.journal e WHERE e.book = w.book AND e.sequence = h.last_sequence LIMIT 1) j
    UNION ALL
    SELECT c.account, c.book, c.version, c.before, j.previous, j.table_version, j.space, j.lines, j.amounts
    FROM chain c CROSS JOIN LATERAL (SELECT * FROM ledger.journal e WHERE e.book = c.book AND e.sequence = c.previous LIMIT 1) j)
SELECT c.account, p.line,
    coalesce(-sum(p.amount) FILTER (WHERE c.table_version < c.version OR (c.space = 2 AND c.table_version = c.version)), 0)::bigint AS paid,
    coalesce(-sum(p.amount) FILTER (WHERE c.table_version < c.before OR (c.space = 2 AND c.table_version = c.before)), 0)::bigint
        AS paid_before
FROM chain c CROSS JOIN LATERAL unnest(c.lines, c.amounts) AS p(line, amount)
WHERE p.line <> 0 GROUP BY c.account, p.line

-- name: history
-- What the newest documents of earlier periods ($2 … before $3) charged.
SELECT DISTINCT ON (d.account, d.period) d.account, d.period, d.charged_main + d.charged_repair AS charged
FROM unnest($1::bigint[]) AS w(account) JOIN billing.document d ON d.account = w.account
WHERE d.period >= $2 AND d.period < $3 AND d.nth IS NOT NULL AND d.state = 'published' ORDER BY d.account, d.period, d.nth DESC

-- name: payees
-- Recipients with the requisites that were approved and in force on a day ($2), their bank, and how people find them.
SELECT r.recipient, r.code, r.name, r.inn, r.kpp, q.bank_account, q.bic, coalesce(b.name, '') AS bank_name,
    coalesce(b.correspondent_account, '') AS correspondent_account, coalesce(c.address, '') AS address, coalesce(c.phones, '') AS phones,
    coalesce(c.email, '') AS email, coalesce(c.site, '') AS site, coalesce(c.dispatch_phone, '') AS dispatch_phone,
    coalesce(c.working_hours, '') AS working_hours
FROM reference.recipient r
    LEFT JOIN LATERAL (SELECT o.bank_account, o.bic FROM reference.requisites o
        WHERE o.recipient = r.recipient AND o.approved_by IS NOT NULL AND o.valid_from <= $2
        ORDER BY o.valid_from DESC, o.version DESC LIMIT 1) q ON true
    LEFT JOIN billing.bank b ON b.bic = q.bic LEFT JOIN billing.contact c ON c.recipient = r.recipient
WHERE r.recipient = ANY($1::int[])

-- name: addresses
-- Addresses of houses on a day ($2), whole, as the stock keeps them.
SELECT DISTINCT ON (h.house) h.house, h.code, t.address FROM housing.house h JOIN housing.live_house_terms t USING (house)
WHERE h.code = ANY($1::text[]) AND t.valid_from <= $2 AND t.state = 0 ORDER BY h.house, t.valid_from DESC

-- name: identifiers
-- Identifiers of ЖКУ of premises on a day ($2).
SELECT DISTINCT ON (t.premises) t.premises, t.izhku FROM housing.live_premises_terms t
WHERE t.premises = ANY($1::int[]) AND t.valid_from <= $2 AND t.state = 0 ORDER BY t.premises, t.valid_from DESC

-- name: registered
-- Permanent residents of premises on a day ($2).
SELECT s.premises, sum(s.persons)::int AS persons
FROM (SELECT DISTINCT ON (r.premises, r.label) r.* FROM housing.live_residents r
      WHERE r.premises = ANY($1::int[]) AND r.kind = 0 AND r.valid_from <= $2 ORDER BY r.premises, r.label, r.valid_from DESC) s
WHERE s.state = 0 AND (s.until IS NULL OR s.until >= $2) GROUP BY s.premises

-- name: owners
-- Sealed names of the owners of premises on a day ($2).
SELECT s.premises, s.person, n.sealed
FROM (SELECT DISTINCT ON (o.premises, o.person) o.* FROM housing.live_owner o
      WHERE o.premises = ANY($1::int[]) AND o.valid_from <= $2 ORDER BY o.premises, o.person, o.valid_from DESC) s
    JOIN housing.person_name n USING (premises, person)
WHERE s.state = 0 AND n.sealed IS NOT NULL ORDER BY s.premises, s.person

-- name: meters
-- Individual meters of houses (numbers) in a period ($2) that ends on $3, by zone: the newest reading of the period, and the newest before.
SELECT m.meter, m.house, m.premises, m.flat, m.service, m.place, m.number, m.zones, m.digits, m.ratio, z.zone, m.verified_until,
    v.verified_on, v.verified_until AS verified_anew, now.value AS current, now.rolled, now.restarts, earlier.value AS previous
FROM readings.live_meter m
    CROSS JOIN LATERAL generate_series(CASE m.zones WHEN 1 THEN 0 ELSE 1 END, CASE m.zones WHEN 1 THEN 0 ELSE m.zones END) AS z(zone)
    LEFT JOIN LATERAL (SELECT e.on_day AS verified_on, e.verified_until FROM readings.live_event e
        WHERE e.meter = m.meter AND e.kind = 5 AND e.on_day <= $3 ORDER BY e.on_day DESC LIMIT 1) v ON true
    LEFT JOIN LATERAL (SELECT c.value, c.rolled, c.restarts FROM readings.counted c
        WHERE c.meter = m.meter AND c.zone = z.zone AND c.period = $2 ORDER BY c.taken_on DESC LIMIT 1) now ON true
    LEFT JOIN LATERAL (SELECT c.value FROM readings.counted c
        WHERE c.meter = m.meter AND c.zone = z.zone AND c.period < $2 ORDER BY c.taken_on DESC LIMIT 1) earlier ON true
WHERE m.house = ANY($1::int[]) AND m.state = 0 AND m.installed <= $3 AND NOT EXISTS (
    SELECT FROM readings.live_event e WHERE e.meter = m.meter AND e.kind IN (6, 7) AND e.on_day <= $3)
ORDER BY m.house, m.premises, m.flat, m.service, m.place, m.meter, z.zone

-- name: house_volumes
-- What acts and bills say of houses (numbers) in a period.
SELECT v.house, v.service, v.volume FROM readings.live_house_volume v
WHERE v.house = ANY($1::int[]) AND v.period = $2 AND v.resource = '' AND v.state = 0

-- name: sums_of_volumes
-- What the month's run charged in houses (codes) by service and kind of line: a recalculation of one account tells nothing of the house.
SELECT h.house, l.service, l.kind, sum(l.volume)::bigint AS volume
FROM billing.run_house h JOIN billing.run_account a ON a.run = h.run AND a.house = h.house
    CROSS JOIN LATERAL (SELECT x.service, x.kind, x.volume FROM billing.line x
        WHERE x.run = h.run AND x.account = a.account AND x.kind IN (0, 2) OFFSET 0) l
WHERE h.provider = $1 AND h.period = $2 AND h.house = ANY($3::text[]) AND h.kind = 'month' AND h.standing = 'published'
GROUP BY h.house, l.service, l.kind

-- name: titles
-- Titles and units of services on a day ($2).
SELECT DISTINCT ON (s.service) s.service, s.title, s.unit FROM housing.live_service s
WHERE s.service = ANY($1::text[]) AND s.valid_from <= $2 AND s.state = 0 ORDER BY s.service, s.valid_from DESC
