-- The book of record: journal, keys, heads, published tables and the only three doors to them (design W2-W7).

CREATE SCHEMA ledger;

-- Roles. The program runs as gateway, services or reader; nobody logs in as the door, which owns the functions and no table.
DO $$
DECLARE wanted text;
BEGIN
  FOREACH wanted IN ARRAY ARRAY['kopeck_door', 'kopeck_gateway', 'kopeck_services', 'kopeck_reader'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
    END IF;
  END LOOP;
  IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
    EXECUTE format('GRANT kopeck_door, kopeck_gateway, kopeck_services, kopeck_reader TO %I', current_user);
  END IF;
END $$;

-- One row a ledger: which incarnation this is and how many payers' books it was created with (W4, W8).
CREATE TABLE ledger.incarnation (
    only_one boolean PRIMARY KEY DEFAULT true CONSTRAINT incarnation_only_one CHECK (only_one),
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    books smallint NOT NULL CONSTRAINT incarnation_books CHECK (books BETWEEN 1 AND 1024),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp());

-- Only ever locked, never updated: nothing to bloat under a long snapshot (W3).
CREATE TABLE ledger.book_head (book smallint PRIMARY KEY);

-- The open operational day of each transit account; moved only by close_bank_day.
CREATE TABLE ledger.bank_day (
    transit int PRIMARY KEY,
    open_day date NOT NULL);

-- A moment of the ledger: the last sequence of every book when a day was closed (W3).
CREATE TABLE ledger.cut (
    cut bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transit int NOT NULL,
    day date NOT NULL,
    moment timestamptz NOT NULL,
    books smallint[] NOT NULL,
    sequences bigint[] NOT NULL,
    CONSTRAINT cut_once UNIQUE (transit, day),
    CONSTRAINT cut_books CHECK (cardinality(books) = cardinality(sequences)));

CREATE TABLE ledger.account_head (
    book smallint NOT NULL,
    personal_account bigint NOT NULL,
    version bigint NOT NULL,
    last_sequence bigint NOT NULL DEFAULT 0,
    digest bytea NOT NULL CONSTRAINT account_head_digest CHECK (octet_length(digest) = 32),
    valid_until timestamptz NOT NULL,
    CONSTRAINT account_head_key PRIMARY KEY (book, personal_account)) WITH (fillfactor = 70);

-- Base tables: what was published, kept for ever. The table at the head is the base plus the account's entries since.
CREATE TABLE ledger.base_table (
    book smallint NOT NULL,
    personal_account bigint NOT NULL,
    version bigint NOT NULL,
    content bytea NOT NULL,
    published_at timestamptz NOT NULL,
    published_by text NOT NULL,
    CONSTRAINT base_table_key PRIMARY KEY (book, personal_account, version));

-- Idempotency without expiry (W5). sequence NULL: a refusal, remembered like a payment.
CREATE TABLE ledger.payment_key (
    space int NOT NULL,
    external_id text NOT NULL CONSTRAINT payment_key_length CHECK (octet_length(external_id) BETWEEN 1 AND 128),
    book smallint NOT NULL,
    sequence bigint,
    outcome smallint NOT NULL,
    fingerprint bytea NOT NULL,
    CONSTRAINT payment_key_key PRIMARY KEY (space, external_id),
    CONSTRAINT payment_key_outcome CHECK ((sequence IS NULL) = (outcome <> 0)));

-- True when an entry's posting arrays are one-dimensional, of one length, free of NULL and zero, sum to nought and debit the amount.
CREATE FUNCTION ledger.entry_balanced(accounts bigint[], amounts bigint[], lines int[], amount bigint)
RETURNS boolean LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog AS $$
DECLARE total bigint := 0; debit bigint := 0; one bigint;
BEGIN
  IF amount IS NULL OR amount <= 0
     OR coalesce(array_ndims(accounts), 0) <> 1 OR coalesce(array_ndims(amounts), 0) <> 1 OR coalesce(array_ndims(lines), 0) <> 1
     OR cardinality(accounts) < 2 OR cardinality(accounts) <> cardinality(amounts) OR cardinality(lines) <> cardinality(amounts)
     OR array_position(accounts, NULL) IS NOT NULL OR array_position(lines, NULL) IS NOT NULL THEN
    RETURN false;
  END IF;
  FOREACH one IN ARRAY amounts LOOP
    IF one IS NULL OR one = 0 THEN RETURN false; END IF;
    total := total + one;
    IF one > 0 THEN debit := debit + one; END IF;
  END LOOP;
  RETURN total = 0 AND debit = amount;
END $$;
-- The SET clause forbids inlining and costs a little; the body names nothing outside pg_catalog, so it is safe without it.
ALTER FUNCTION ledger.entry_balanced(bigint[], bigint[], int[], bigint) RESET search_path;

-- One payment is one row (W2). designation: what the payer named, or in suspense the account as written; never a name or a phone.
CREATE TABLE ledger.journal (
    book smallint NOT NULL,
    sequence bigint NOT NULL,
    previous bigint NOT NULL,
    personal_account bigint,
    table_version bigint NOT NULL,
    amount bigint NOT NULL,
    event_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    value_date date NOT NULL,
    bank_day date NOT NULL,
    transit int NOT NULL,
    channel int NOT NULL,
    space int NOT NULL,
    kind smallint NOT NULL,
    reason smallint NOT NULL,
    external_id text NOT NULL,
    designation text NOT NULL,
    accounts bigint[] NOT NULL,
    amounts bigint[] NOT NULL,
    lines int[] NOT NULL,
    CONSTRAINT journal_key PRIMARY KEY (book, sequence),
    CONSTRAINT journal_place CHECK (sequence > 0 AND previous >= 0 AND previous < sequence),
    CONSTRAINT journal_suspense_reason CHECK (kind <> 2 OR reason <> 0),
    CONSTRAINT entry_balanced CHECK (ledger.entry_balanced(accounts, amounts, lines, amount)));

-- The gateway's door. One batch of one book, in one transaction; each entry is answered by itself:
-- 0 recorded | 1 refusal recorded | 2 duplicate (answered by what was stored) | 3 conflict | 4 stale (split again and retry).
-- p_refusal 0 records the entry, anything else remembers that refusal. An entry without a personal account takes no part in
-- the compare-and-set. A link of an account's chain holds only if it is fresh, first of its key in the batch, carries exactly
-- head version + its place, the first of them carries the head's digest, the table has not expired, and every earlier link held.
CREATE FUNCTION ledger.append(
    p_book smallint, p_space int[], p_external_id text[], p_fingerprint bytea[], p_refusal smallint[],
    p_account bigint[], p_version bigint[], p_before bytea[], p_after bytea[],
    p_kind smallint[], p_amount bigint[], p_event_at timestamptz[], p_value_date date[], p_transit int[], p_channel int[],
    p_reason smallint[], p_designation text[], p_accounts text[], p_amounts text[], p_lines text[])
RETURNS TABLE (ord int, status smallint, book smallint, sequence bigint, outcome smallint, reason smallint,
               recorded_at timestamptz, fingerprint bytea)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
#variable_conflict use_column
DECLARE head bigint; moment timestamptz;
BEGIN
  PERFORM FROM book_head h WHERE h.book = p_book FOR UPDATE;
  IF NOT FOUND THEN RAISE EXCEPTION 'unknown book %', p_book USING ERRCODE = 'KP001'; END IF;
  SELECT j.sequence, j.recorded_at INTO head, moment FROM journal j WHERE j.book = p_book ORDER BY j.sequence DESC LIMIT 1;
  head := coalesce(head, 0);
  moment := greatest(moment, (SELECT c.moment FROM cut c ORDER BY c.cut DESC LIMIT 1), clock_timestamp());
  RETURN QUERY
  WITH input AS MATERIALIZED (
      SELECT i.* FROM unnest(p_space, p_external_id, p_fingerprint, p_refusal, p_account, p_version, p_before, p_after, p_kind,
          p_amount, p_event_at, p_value_date, p_transit, p_channel, p_reason, p_designation, p_accounts, p_amounts, p_lines)
        WITH ORDINALITY AS i(space, external_id, fingerprint, refusal, account, version, before, after, kind,
          amount, event_at, value_date, transit, channel, reason, designation, accounts, amounts, lines, ord)),
  known AS MATERIALIZED (
      SELECT i.ord, i.fingerprint, i.refusal, i.account, i.version, i.before,
          k.space IS NOT NULL AS seen, k.book AS stored_book, k.sequence AS stored_sequence, k.outcome AS stored_outcome,
          k.fingerprint AS stored_print, h.version AS current, h.last_sequence, h.digest, h.valid_until,
          first_value(i.ord) OVER same_key AS first_ord, first_value(i.fingerprint) OVER same_key AS first_print,
          row_number() OVER (PARTITION BY i.account, i.refusal <> 0 ORDER BY i.ord) - 1 AS link
      FROM input i
        LEFT JOIN payment_key k ON k.space = i.space AND k.external_id = i.external_id
        LEFT JOIN account_head h ON h.book = p_book AND h.personal_account = i.account
      WINDOW same_key AS (PARTITION BY i.space, i.external_id ORDER BY i.ord)),
  chain AS MATERIALIZED (
      SELECT n.*, CASE WHEN n.refusal <> 0 OR n.account IS NULL THEN NOT n.seen AND n.first_ord = n.ord
          ELSE bool_and(NOT n.seen AND n.first_ord = n.ord AND coalesce(n.version = n.current + n.link, false)
                        AND (n.link > 0 OR n.before = n.digest) AND coalesce(moment < n.valid_until, false))
               OVER (PARTITION BY n.account, n.refusal <> 0 ORDER BY n.ord) END AS holds
      FROM known n),
  good AS MATERIALIZED (
      SELECT i.*, head + row_number() OVER (ORDER BY i.ord) AS sequence, c.last_sequence
      FROM chain c JOIN input i USING (ord) WHERE c.holds AND i.refusal = 0),
  refused AS MATERIALIZED (
      SELECT i.space, i.external_id, i.refusal, i.fingerprint FROM chain c JOIN input i USING (ord) WHERE c.holds AND i.refusal <> 0),
  moves AS (
      SELECT g.account, max(g.version) + 1 AS version, max(g.sequence) AS last_sequence,
          (array_agg(g.after ORDER BY g.ord DESC))[1] AS after
      FROM good g WHERE g.account IS NOT NULL GROUP BY g.account),
  moved AS (
      UPDATE account_head h SET version = m.version, digest = m.after, last_sequence = m.last_sequence
      FROM moves m WHERE h.book = p_book AND h.personal_account = m.account),
  keys AS (
      INSERT INTO payment_key (space, external_id, book, sequence, outcome, fingerprint)
      SELECT x.* FROM (SELECT g.space, g.external_id, p_book, g.sequence, 0::smallint, g.fingerprint FROM good g
            UNION ALL SELECT r.space, r.external_id, p_book, NULL, r.refusal, r.fingerprint FROM refused r) x ORDER BY 1, 2),
  entries AS (
      INSERT INTO journal (book, sequence, previous, personal_account, table_version, amount, event_at, recorded_at, value_date,
          bank_day, transit, channel, space, kind, reason, external_id, designation, accounts, amounts, lines)
      SELECT p_book, g.sequence, coalesce(lag(g.sequence) OVER (PARTITION BY g.account ORDER BY g.sequence), g.last_sequence, 0),
          g.account, coalesce(g.version, 0), g.amount, g.event_at, moment, g.value_date,
          (SELECT d.open_day FROM bank_day d WHERE d.transit = g.transit), g.transit, g.channel, g.space, g.kind, g.reason,
          g.external_id, g.designation, g.accounts::bigint[], g.amounts::bigint[], g.lines::int[]
      FROM good g)
  SELECT c.ord::int,
      (CASE WHEN c.holds THEN CASE WHEN c.refusal = 0 THEN 0 ELSE 1 END
            WHEN c.seen THEN CASE WHEN c.stored_print = c.fingerprint THEN 2 ELSE 3 END
            WHEN c.first_ord <> c.ord AND f.holds THEN CASE WHEN c.first_print = c.fingerprint THEN 2 ELSE 3 END
            ELSE 4 END)::smallint,
      CASE WHEN c.seen THEN c.stored_book WHEN g.ord IS NOT NULL THEN p_book END,
      CASE WHEN c.seen THEN c.stored_sequence ELSE g.sequence END,
      CASE WHEN c.seen THEN c.stored_outcome WHEN f.holds THEN f.refusal END,
      CASE WHEN c.seen THEN e.reason ELSE g.reason END,
      CASE WHEN c.seen THEN e.recorded_at WHEN g.ord IS NOT NULL THEN moment END,
      CASE WHEN c.seen AND c.stored_print <> c.fingerprint THEN c.stored_print
           WHEN NOT c.seen AND c.first_ord <> c.ord AND c.first_print <> c.fingerprint THEN c.first_print END
  FROM chain c
    LEFT JOIN chain f ON f.ord = c.first_ord
    LEFT JOIN good g ON g.ord = c.first_ord
    LEFT JOIN journal e ON e.book = c.stored_book AND e.sequence = c.stored_sequence;
END $$;

-- The builders' door (W6): publish base tables, at most 256 accounts of one book at a time. p_expected is the version from
-- which "paid so far" was computed, 0 for an account without a head. 0 published | 4 stale (rebuild and publish again).
CREATE FUNCTION ledger.publish(
    p_book smallint, p_account bigint[], p_expected bigint[], p_content bytea[], p_valid_until timestamptz[], p_publisher text)
RETURNS TABLE (ord int, status smallint, version bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
BEGIN
  IF cardinality(p_account) > 256 THEN RAISE EXCEPTION 'at most 256 accounts a publication' USING ERRCODE = 'KP002'; END IF;
  PERFORM FROM book_head h WHERE h.book = p_book FOR UPDATE;
  IF NOT FOUND THEN RAISE EXCEPTION 'unknown book %', p_book USING ERRCODE = 'KP001'; END IF;
  RETURN QUERY
  WITH input AS MATERIALIZED (
      SELECT i.*, row_number() OVER (PARTITION BY i.account ORDER BY i.ord) AS turn
      FROM unnest(p_account, p_expected, p_content, p_valid_until)
        WITH ORDINALITY AS i(account, expected, content, valid_until, ord)),
  found AS MATERIALIZED (
      SELECT i.*, h.version AS current, i.turn = 1 AND coalesce(h.version, 0) = i.expected AS holds
      FROM input i LEFT JOIN account_head h ON h.book = p_book AND h.personal_account = i.account),
  moved AS (
      UPDATE account_head h SET version = f.expected + 1, digest = sha256(f.content), valid_until = f.valid_until
      FROM found f WHERE f.holds AND f.current IS NOT NULL AND h.book = p_book AND h.personal_account = f.account),
  opened AS (
      INSERT INTO account_head (book, personal_account, version, digest, valid_until)
      SELECT p_book, f.account, 1, sha256(f.content), f.valid_until FROM found f WHERE f.holds AND f.current IS NULL),
  based AS (
      INSERT INTO base_table (book, personal_account, version, content, published_at, published_by)
      SELECT p_book, f.account, f.expected + 1, f.content, clock_timestamp(), p_publisher FROM found f WHERE f.holds)
  SELECT f.ord::int, (CASE WHEN f.holds THEN 0 ELSE 4 END)::smallint,
      CASE WHEN f.holds THEN f.expected + 1 ELSE coalesce(f.current, 0) END
  FROM found f;
END $$;

-- The day's door: close a transit account's operational day under all head locks, in ascending order, and store the cut (W3).
CREATE FUNCTION ledger.close_bank_day(p_transit int, p_day date, p_next date)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE opened date; made bigint; one smallint; last bigint; all_books smallint[] := '{}'; all_sequences bigint[] := '{}'; latest timestamptz;
BEGIN
  FOR one IN SELECT h.book FROM book_head h ORDER BY h.book LOOP
    PERFORM FROM book_head h WHERE h.book = one FOR UPDATE;
  END LOOP;
  SELECT d.open_day INTO opened FROM bank_day d WHERE d.transit = p_transit;
  IF opened IS DISTINCT FROM p_day THEN
    RAISE EXCEPTION 'the open day of transit account % is %, not %', p_transit, opened, p_day USING ERRCODE = 'KP003';
  END IF;
  IF p_next <= p_day THEN RAISE EXCEPTION 'the next day must follow %', p_day USING ERRCODE = 'KP004'; END IF;
  IF EXISTS (SELECT FROM intake.parked p WHERE p.transit = p_transit AND p.what = 'conflict' AND p.resolved_at IS NULL) THEN
    RAISE EXCEPTION 'an unresolved conflict blocks the closing of %', p_day USING ERRCODE = 'KP005';
  END IF;
  FOR one IN SELECT h.book FROM book_head h ORDER BY h.book LOOP
    SELECT coalesce(max(j.sequence), 0), greatest(latest, max(j.recorded_at)) INTO last, latest FROM journal j
      WHERE j.book = one AND j.sequence = (SELECT max(k.sequence) FROM journal k WHERE k.book = one);
    all_books := all_books || one;
    all_sequences := all_sequences || last;
  END LOOP;
  INSERT INTO cut (transit, day, moment, books, sequences)
    VALUES (p_transit, p_day, greatest(clock_timestamp(), latest, (SELECT max(c.moment) FROM cut c)), all_books, all_sequences)
    RETURNING cut INTO made;
  UPDATE bank_day d SET open_day = p_next WHERE d.transit = p_transit;
  RETURN made;
END $$;

-- What happened beside the journal and waits for a person: conflicts with both contents, stale timestamps, parked accounts.
CREATE SCHEMA intake;
CREATE TABLE intake.parked (
    parked bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    what text NOT NULL CONSTRAINT parked_what CHECK (what IN ('conflict', 'stale-timestamp', 'table')),
    transit int NOT NULL,
    channel int NOT NULL,
    space int NOT NULL,
    external_id text NOT NULL,
    content text NOT NULL CONSTRAINT parked_content_length CHECK (octet_length(content) <= 65536),
    content_digest bytea NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    resolved_at timestamptz,
    resolved_by text,
    CONSTRAINT parked_once UNIQUE (what, space, external_id, content_digest));

-- Privileges (W7): the door may write, the doors' callers may not.
GRANT USAGE ON SCHEMA ledger, intake TO kopeck_door, kopeck_gateway, kopeck_services, kopeck_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA ledger, intake TO kopeck_door, kopeck_gateway, kopeck_services, kopeck_reader;
GRANT UPDATE (book) ON ledger.book_head TO kopeck_door;
GRANT INSERT ON ledger.journal, ledger.payment_key, ledger.account_head, ledger.base_table, ledger.cut TO kopeck_door;
GRANT UPDATE (version, digest, last_sequence, valid_until) ON ledger.account_head TO kopeck_door;
GRANT UPDATE (open_day) ON ledger.bank_day TO kopeck_door;
GRANT INSERT ON intake.parked TO kopeck_gateway, kopeck_services;
GRANT UPDATE (resolved_at, resolved_by) ON intake.parked TO kopeck_services;

GRANT CREATE ON SCHEMA ledger TO kopeck_door;
ALTER FUNCTION ledger.append(smallint, int[], text[], bytea[], smallint[], bigint[], bigint[], bytea[], bytea[], smallint[], bigint[],
    timestamptz[], date[], int[], int[], smallint[], text[], text[], text[], text[]) OWNER TO kopeck_door;
ALTER FUNCTION ledger.publish(smallint, bigint[], bigint[], bytea[], timestamptz[], text) OWNER TO kopeck_door;
ALTER FUNCTION ledger.close_bank_day(int, date, date) OWNER TO kopeck_door;
REVOKE CREATE ON SCHEMA ledger FROM kopeck_door;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA ledger FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.append(smallint, int[], text[], bytea[], smallint[], bigint[], bigint[], bytea[], bytea[], smallint[],
    bigint[], timestamptz[], date[], int[], int[], smallint[], text[], text[], text[], text[]) TO kopeck_gateway, kopeck_services;
GRANT EXECUTE ON FUNCTION ledger.publish(smallint, bigint[], bigint[], bytea[], timestamptz[], text) TO kopeck_gateway, kopeck_services;
GRANT EXECUTE ON FUNCTION ledger.close_bank_day(int, date, date) TO kopeck_services;
GRANT EXECUTE ON FUNCTION ledger.entry_balanced(bigint[], bigint[], int[], bigint) TO kopeck_door, kopeck_services, kopeck_gateway, kopeck_reader;
