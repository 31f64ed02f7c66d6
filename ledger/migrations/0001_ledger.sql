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

-- The open operational day of each transit account; moved only by close_bank_day. The services may give a new transit account
-- its first day, which must be a day that can be closed.
CREATE TABLE ledger.bank_day (
    transit int PRIMARY KEY CONSTRAINT bank_day_transit CHECK (transit BETWEEN 1 AND 65535),
    open_day date NOT NULL CONSTRAINT bank_day_finite CHECK (isfinite(open_day)));

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
-- head version + its place and the digest that the link before it (the first: the head) leaves, the table has not expired, and
-- every earlier link held. NULL holds nothing: it is stale or refused by a constraint. The batch is never joined to itself:
-- with hash and merge joins off that would cost the square of its size. Every look-up is a LATERAL one row at a time and heads
-- move by ON CONFLICT, so that no plan kept from an empty ledger can read a table or an index from end to end. Under an older snapshot than READ COMMITTED's the head,
-- the keys and the bank day could be read as they were before the lock: refused.
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
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'the door works under READ COMMITTED only' USING ERRCODE = 'KP006';
  END IF;
  PERFORM FROM book_head h WHERE h.book = p_book FOR UPDATE;
  IF NOT FOUND THEN RAISE EXCEPTION 'unknown book %', p_book USING ERRCODE = 'KP001'; END IF;
  SELECT j.sequence, j.recorded_at INTO head, moment FROM journal j WHERE j.book = p_book ORDER BY j.sequence DESC LIMIT 1;
  head := coalesce(head, 0);
  moment := greatest(moment, (SELECT c.moment FROM cut c ORDER BY c.cut DESC LIMIT 1), clock_timestamp());
  RETURN QUERY
  WITH known AS (
      SELECT i.*, i.refusal IS DISTINCT FROM 0::smallint AS refuses,
          k.space IS NOT NULL AS seen, k.book AS stored_book, k.sequence AS stored_sequence, k.outcome AS stored_outcome,
          k.fingerprint AS stored_print, h.version AS current, h.last_sequence, h.digest, h.valid_until,
          row_number() OVER (PARTITION BY i.space, i.external_id ORDER BY i.ord) AS turn
      FROM unnest(p_space, p_external_id, p_fingerprint, p_refusal, p_account, p_version, p_before, p_after, p_kind,
          p_amount, p_event_at, p_value_date, p_transit, p_channel, p_reason, p_designation, p_accounts, p_amounts, p_lines)
        WITH ORDINALITY AS i(space, external_id, fingerprint, refusal, account, version, before, after, kind,
          amount, event_at, value_date, transit, channel, reason, designation, accounts, amounts, lines, ord)
        LEFT JOIN LATERAL (SELECT o.* FROM payment_key o WHERE o.space = i.space AND o.external_id = i.external_id LIMIT 1) k ON true
        LEFT JOIN LATERAL (SELECT o.* FROM account_head o WHERE o.book = p_book AND o.personal_account = i.account LIMIT 1) h ON true),
  linked AS (
      SELECT n.*, n.turn = 1 AND NOT n.seen AS fresh, row_number() OVER chain - 1 AS link, lag(n.after) OVER chain AS left_by
      FROM known n WINDOW chain AS (PARTITION BY n.account, n.refuses ORDER BY n.ord)),
  chained AS (
      SELECT l.*, CASE WHEN l.refuses OR l.account IS NULL THEN l.fresh
          ELSE bool_and(l.fresh AND coalesce(l.version = l.current + l.link AND moment < l.valid_until
                                             AND l.before = CASE WHEN l.link = 0 THEN l.digest ELSE l.left_by END, false))
               OVER (PARTITION BY l.account, l.refuses ORDER BY l.ord) END AS holds
      FROM linked l),
  placed AS MATERIALIZED (
      SELECT c.*, c.holds AND NOT c.refuses AS books,
          head + count(*) FILTER (WHERE c.holds AND NOT c.refuses) OVER (ORDER BY c.ord ROWS UNBOUNDED PRECEDING) AS sequence
      FROM chained c),
  moved AS (
      INSERT INTO account_head AS h (book, personal_account, version, last_sequence, digest, valid_until)
      SELECT DISTINCT ON (p.account) p_book, p.account, p.version + 1, p.sequence, p.after, p.valid_until
      FROM placed p WHERE p.books AND p.account IS NOT NULL ORDER BY p.account, p.ord DESC
      ON CONFLICT ON CONSTRAINT account_head_key DO UPDATE
        SET version = excluded.version, last_sequence = excluded.last_sequence, digest = excluded.digest),
  keys AS (
      INSERT INTO payment_key (space, external_id, book, sequence, outcome, fingerprint)
      SELECT p.space, p.external_id, p_book, CASE WHEN p.books THEN p.sequence END, p.refusal, p.fingerprint
      FROM placed p WHERE p.holds ORDER BY 1, 2),
  entries AS (
      INSERT INTO journal (book, sequence, previous, personal_account, table_version, amount, event_at, recorded_at, value_date,
          bank_day, transit, channel, space, kind, reason, external_id, designation, accounts, amounts, lines)
      SELECT p_book, p.sequence,
          CASE WHEN p.account IS NULL THEN 0
               ELSE coalesce(lag(p.sequence) OVER (PARTITION BY p.account ORDER BY p.ord), p.last_sequence) END,
          p.account, coalesce(p.version, 0), p.amount, p.event_at, moment, p.value_date,
          (SELECT d.open_day FROM bank_day d WHERE d.transit = p.transit), p.transit, p.channel, p.space, p.kind, p.reason,
          p.external_id, p.designation, p.accounts::bigint[], p.amounts::bigint[], p.lines::int[]
      FROM placed p WHERE p.books),
  answered AS (
      SELECT p.ord, p.holds, p.refuses, p.seen, p.turn, p.fingerprint, p.stored_book, p.stored_sequence, p.stored_outcome, p.stored_print,
          first_value(p.holds) OVER same_key AS known_now, first_value(p.fingerprint) OVER same_key AS print_now,
          first_value(p.refusal) OVER same_key AS outcome_now,
          first_value(CASE WHEN p.books THEN p.sequence END) OVER same_key AS sequence_now,
          first_value(CASE WHEN p.books THEN p.reason END) OVER same_key AS reason_now
      FROM placed p WINDOW same_key AS (PARTITION BY p.space, p.external_id ORDER BY p.ord))
  SELECT a.ord::int,
      (CASE WHEN a.holds THEN CASE WHEN a.refuses THEN 1 ELSE 0 END
            WHEN a.seen THEN CASE WHEN a.stored_print = a.fingerprint THEN 2 ELSE 3 END
            WHEN a.known_now THEN CASE WHEN a.print_now = a.fingerprint THEN 2 ELSE 3 END
            ELSE 4 END)::smallint,
      CASE WHEN a.seen THEN a.stored_book WHEN a.known_now THEN p_book END,
      CASE WHEN a.seen THEN a.stored_sequence ELSE a.sequence_now END,
      CASE WHEN a.seen THEN a.stored_outcome WHEN a.known_now THEN a.outcome_now END,
      CASE WHEN a.seen THEN e.reason ELSE a.reason_now END,
      CASE WHEN a.seen THEN e.recorded_at WHEN a.sequence_now IS NOT NULL THEN moment END,
      CASE WHEN a.seen AND a.stored_print IS DISTINCT FROM a.fingerprint THEN a.stored_print
           WHEN NOT a.seen AND a.known_now AND a.print_now IS DISTINCT FROM a.fingerprint THEN a.print_now END
  FROM answered a
    LEFT JOIN LATERAL (SELECT o.reason, o.recorded_at FROM journal o
                       WHERE o.book = a.stored_book AND o.sequence = a.stored_sequence LIMIT 1) e ON true;
END $$;

-- The builders' door (W6): publish base tables, at most 256 accounts of one book at a time. p_expected is the version from
-- which "paid so far" was computed, 0 for an account without a head. 0 published | 4 stale (rebuild and publish again).
CREATE FUNCTION ledger.publish(
    p_book smallint, p_account bigint[], p_expected bigint[], p_content bytea[], p_valid_until timestamptz[], p_publisher text)
RETURNS TABLE (ord int, status smallint, version bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
#variable_conflict use_column
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'the door works under READ COMMITTED only' USING ERRCODE = 'KP006';
  END IF;
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
      FROM input i
        LEFT JOIN LATERAL (SELECT o.version FROM account_head o WHERE o.book = p_book AND o.personal_account = i.account LIMIT 1) h ON true),
  moved AS (
      INSERT INTO account_head AS h (book, personal_account, version, digest, valid_until)
      SELECT p_book, f.account, f.expected + 1, sha256(f.content), f.valid_until FROM found f WHERE f.holds ORDER BY f.account
      ON CONFLICT ON CONSTRAINT account_head_key DO UPDATE
        SET version = excluded.version, digest = excluded.digest, valid_until = excluded.valid_until),
  based AS (
      INSERT INTO base_table (book, personal_account, version, content, published_at, published_by)
      SELECT p_book, f.account, f.expected + 1, f.content, clock_timestamp(), p_publisher FROM found f WHERE f.holds)
  SELECT f.ord::int, (CASE WHEN f.holds THEN 0 ELSE 4 END)::smallint,
      CASE WHEN f.holds THEN f.expected + 1 ELSE coalesce(f.current, 0) END
  FROM found f;
END $$;

-- The day's door: close a transit account's operational day under all head locks, in ascending order, and store the cut (W3).
CREATE FUNCTION ledger.close_bank_day(p_transit int, p_day date, p_next date)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp SET enable_seqscan = off SET jit = off AS $$
DECLARE opened date; made bigint; one smallint; last bigint; all_books smallint[] := '{}'; all_sequences bigint[] := '{}'; moment timestamptz; latest timestamptz;
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'the door works under READ COMMITTED only' USING ERRCODE = 'KP006';
  END IF;
  FOR one IN SELECT h.book FROM book_head h ORDER BY h.book LOOP
    PERFORM FROM book_head h WHERE h.book = one FOR UPDATE;
  END LOOP;
  SELECT d.open_day INTO opened FROM bank_day d WHERE d.transit = p_transit;
  IF opened IS NULL OR opened IS DISTINCT FROM p_day THEN
    RAISE EXCEPTION 'the open day of transit account % is %, not %', p_transit, opened, p_day USING ERRCODE = 'KP003';
  END IF;
  IF p_next IS NULL OR p_next <= p_day THEN RAISE EXCEPTION 'the next day must follow %', p_day USING ERRCODE = 'KP004'; END IF;
  IF EXISTS (SELECT FROM intake.parked p WHERE p.transit = p_transit AND p.what = 'conflict' AND p.resolved_at IS NULL) THEN
    RAISE EXCEPTION 'an unresolved conflict blocks the closing of %', p_day USING ERRCODE = 'KP005';
  END IF;
  FOR one IN SELECT h.book FROM book_head h ORDER BY h.book LOOP
    SELECT j.sequence, greatest(latest, j.recorded_at) INTO last, moment FROM journal j
      WHERE j.book = one ORDER BY j.sequence DESC LIMIT 1;
    all_books := all_books || one;
    all_sequences := all_sequences || coalesce(last, 0);
    latest := coalesce(moment, latest);
  END LOOP;
  INSERT INTO cut (transit, day, moment, books, sequences)
    VALUES (p_transit, p_day, greatest(clock_timestamp(), latest, (SELECT c.moment FROM cut c ORDER BY c.cut DESC LIMIT 1)), all_books, all_sequences)
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
GRANT INSERT (what, transit, channel, space, external_id, content, content_digest) ON intake.parked
    TO kopeck_gateway, kopeck_services;
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
