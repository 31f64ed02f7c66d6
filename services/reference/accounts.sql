-- Personal accounts and their names from a staged file.

-- name: make_staging
-- Rows of the file, by line number, and the names they give; NULL is what the file leaves as it is.
CREATE TEMP TABLE staged_account (
    line_no int, namespace text, number text, state smallint, payer_kind smallint, provider int, time_zone text,
    masked_name text, masked_address text, els_given boolean, izhku_given boolean, aliases_given boolean);
CREATE TEMP TABLE staged_alias (line_no int, namespace text, number text);
CREATE TEMP TABLE touched (personal_account bigint)

-- name: list_recipients
-- Numbers of the recipients by code.
SELECT code, recipient FROM reference.recipient

-- name: analyze
-- The planner must know how much was staged.
ANALYZE staged_account, staged_alias

-- name: repeats
-- Accounts that stand in more than one line.
SELECT s.line_no, s.first_line, count(*) OVER () AS found
FROM (SELECT t.line_no, min(t.line_no) OVER (PARTITION BY t.namespace, t.number) AS first_line FROM staged_account t) s
WHERE s.line_no > s.first_line ORDER BY s.line_no LIMIT 100

-- name: foreign_izhku
-- An ИЖКУ names one account (law.md 2.9): those of another account, of the file or of the register.
SELECT f.line_no, f.owner, count(*) OVER () AS found
FROM (
    SELECT l.line_no, a.namespace || ':' || a.number AS owner
    FROM staged_alias l JOIN staged_account s USING (line_no)
        JOIN reference.alias h ON h.namespace = l.namespace AND h.number = l.number AND h.valid_to IS NULL
        JOIN reference.personal_account a ON a.personal_account = h.personal_account
    WHERE l.namespace = 'izhku' AND (a.namespace, a.number) <> (s.namespace, s.number)
    UNION ALL
    SELECT d.line_no, 'of line ' || d.first_line
    FROM (SELECT l.line_no, min(l.line_no) OVER (PARTITION BY l.number) AS first_line
          FROM staged_alias l WHERE l.namespace = 'izhku') d
    WHERE d.line_no > d.first_line) f
ORDER BY f.line_no LIMIT 100

-- name: compare
-- Accounts of the register that the file names; moved: what its table holds differs, renamed: only what is shown.
CREATE TEMP TABLE known_account AS
SELECT s.line_no, a.personal_account,
    (a.state, a.payer_kind, a.provider, a.time_zone) IS DISTINCT FROM
        (s.state, s.payer_kind, s.provider, coalesce(s.time_zone, a.time_zone)) AS moved,
    (a.masked_name, a.masked_address) IS DISTINCT FROM
        (coalesce(s.masked_name, a.masked_name), coalesce(s.masked_address, a.masked_address)) AS renamed
FROM staged_account s JOIN reference.personal_account a USING (namespace, number)

-- name: add_accounts
-- New accounts, numbered in the order of the file.
INSERT INTO reference.personal_account (namespace, number, state, payer_kind, provider, time_zone, masked_name, masked_address)
SELECT s.namespace, s.number, s.state, s.payer_kind, s.provider, coalesce(s.time_zone, 'Europe/Moscow'),
    coalesce(s.masked_name, ''), coalesce(s.masked_address, '')
FROM staged_account s LEFT JOIN known_account k USING (line_no) WHERE k.line_no IS NULL ORDER BY s.line_no

-- name: update_accounts
-- Known accounts, where something differs.
UPDATE reference.personal_account a
SET state = s.state, payer_kind = s.payer_kind, provider = s.provider, time_zone = coalesce(s.time_zone, a.time_zone),
    masked_name = coalesce(s.masked_name, a.masked_name), masked_address = coalesce(s.masked_address, a.masked_address)
FROM known_account k JOIN staged_account s USING (line_no)
WHERE a.personal_account = k.personal_account AND (k.moved OR k.renamed)

-- name: find_accounts
-- Every line's account; new ones and moved ones are touched.
CREATE TEMP TABLE account_of AS
SELECT s.line_no, a.personal_account, k.line_no IS NULL AS is_new, coalesce(k.moved, false) AS moved,
    coalesce(k.renamed, false) AS renamed, s.els_given, s.izhku_given, s.aliases_given
FROM staged_account s JOIN reference.personal_account a USING (namespace, number) LEFT JOIN known_account k USING (line_no);
ANALYZE account_of;
INSERT INTO touched SELECT o.personal_account FROM account_of o WHERE o.is_new OR o.moved

-- name: close_aliases
-- Names that the file no longer gives end on the day before; an account's own number never does.
WITH closed AS (
    UPDATE reference.alias l SET valid_to = $1::date - 1
    FROM account_of o, reference.personal_account a
    WHERE NOT o.is_new AND l.personal_account = o.personal_account AND a.personal_account = o.personal_account
        AND (l.valid_to IS NULL OR l.valid_to >= $1) AND (l.namespace, l.number) <> (a.namespace, a.number)
        AND CASE l.namespace WHEN 'els' THEN o.els_given WHEN 'izhku' THEN o.izhku_given ELSE o.aliases_given END
        AND NOT EXISTS (SELECT FROM staged_alias g WHERE g.line_no = o.line_no AND g.namespace = l.namespace AND g.number = l.number)
    RETURNING l.personal_account)
INSERT INTO touched SELECT personal_account FROM closed

-- name: add_aliases
-- Names that an account has not: a new account's for all time, a known one's from today.
WITH opened AS (
    INSERT INTO reference.alias AS h (namespace, number, personal_account, valid_from)
    SELECT g.namespace, g.number, o.personal_account, CASE WHEN o.is_new THEN date '2000-01-01' ELSE $1::date END
    FROM staged_alias g JOIN account_of o USING (line_no)
    WHERE NOT EXISTS (
        SELECT FROM reference.alias l
        WHERE NOT o.is_new AND l.namespace = g.namespace AND l.number = g.number AND l.personal_account = o.personal_account
            AND l.valid_to IS NULL)
    ON CONFLICT (namespace, number, personal_account, valid_from) DO UPDATE SET valid_to = NULL
    RETURNING h.personal_account)
INSERT INTO touched SELECT personal_account FROM opened

-- name: mark_touched
-- Their tables must be built again.
INSERT INTO reference.table_due (personal_account) SELECT DISTINCT t.personal_account FROM touched t
ON CONFLICT (personal_account) DO UPDATE SET since = excluded.since

-- name: ambiguous
-- Names of the file that find more than one account today.
SELECT g.line_no, g.namespace, g.number, count(DISTINCT l.personal_account) AS accounts, count(*) OVER () AS found
FROM staged_alias g JOIN reference.alias l ON l.namespace = g.namespace AND l.number = g.number
WHERE l.valid_from <= $1 AND (l.valid_to IS NULL OR l.valid_to >= $1)
GROUP BY g.line_no, g.namespace, g.number HAVING count(DISTINCT l.personal_account) > 1
ORDER BY g.line_no, g.namespace, g.number LIMIT 100

-- name: count_changes
-- Rows of new accounts, and of known ones where something differs.
SELECT count(*) FILTER (WHERE o.is_new) AS added,
    count(*) FILTER (WHERE NOT o.is_new AND (o.renamed OR EXISTS (
        SELECT FROM touched t WHERE t.personal_account = o.personal_account))) AS changed
FROM account_of o
