-- Ways in beside the terminals and the feed: acquirers' orders and events, and the ids by which one payment is known (design W5).

-- The ledger's own operation spaces: releases of suspense, refunds, and entries made from lines of a bank's statement. No
-- counterparty's space can have such a name, so none that is registered already is in the way.
INSERT INTO reference.operation_space (space, name) VALUES (4, 'ledger:suspense'), (5, 'ledger:refund'), (6, 'ledger:bank');

-- The ids by which one payment of an operation space is known, told together: alias leads to the id under which it is booked.
-- Insert-only; of several rows of an alias the newest counts, and an id that is booked itself leads nowhere. An id that leads to
-- itself is claimed: whoever hears of it under another name books it under this one.
CREATE TABLE intake.known_as (
    space int NOT NULL,
    alias text NOT NULL CONSTRAINT known_as_alias_length CHECK (octet_length(alias) BETWEEN 1 AND 128),
    external_id text NOT NULL CONSTRAINT known_as_id_length CHECK (octet_length(external_id) BETWEEN 1 AND 128),
    told bigint GENERATED ALWAYS AS IDENTITY,
    CONSTRAINT known_as_key PRIMARY KEY (space, alias, told));

-- The id under which a payment is or will be booked, NULL when nothing is known of it.
CREATE FUNCTION intake.payment_of(p_space int, p_id text) RETURNS text LANGUAGE plpgsql STABLE SET search_path = intake, pg_temp AS $$
DECLARE place text := p_id; next text; seen boolean := false;
BEGIN
  LOOP
    IF EXISTS (SELECT FROM ledger.payment_key k WHERE k.space = p_space AND k.external_id = place) THEN RETURN place; END IF;
    SELECT k.external_id INTO next FROM known_as k WHERE k.space = p_space AND k.alias = place ORDER BY k.told DESC LIMIT 1;
    IF NOT FOUND THEN RETURN CASE WHEN seen THEN place END; END IF;
    IF next = place THEN RETURN place; END IF;
    seen := true;
    place := next;
  END LOOP;
END $$;

-- The id under which each of some notifications of one space is to be booked, found or fixed before it is offered to the door.
-- p_turn and p_id are parallel: all ids of a notification have its turn, its own id first. other: a second payment that is booked
-- already and to which the same notification's ids lead; then nothing is fixed and nothing may be booked.
-- One at a time in a space, by a lock of its own taken before anything is read, so that two processes that hear of one payment
-- under different names at the same moment fix one. Without a flush: whatever is booked under the name is flushed after it, and
-- a name that a crash takes with it had nothing booked. Under an older snapshot than READ COMMITTED's the names that the holder
-- before left could not be seen: refused.
CREATE FUNCTION intake.name_payments(p_space int, p_turn int[], p_id text[])
RETURNS TABLE (turn int, external_id text, other text)
LANGUAGE plpgsql SET search_path = intake, pg_temp SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE told record; id text; root text; chosen text; second text; roots text[]; is_booked boolean;
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'payments are named under READ COMMITTED only' USING ERRCODE = 'KP006';
  END IF;
  PERFORM pg_advisory_xact_lock(1801547639, p_space);
  PERFORM set_config('synchronous_commit', 'off', true);
  INSERT INTO known_as (space, alias, external_id)
  SELECT DISTINCT p_space, s.id, s.id
  FROM (SELECT min(t.id) AS id FROM unnest(p_turn, p_id) AS t(turn, id) GROUP BY t.turn HAVING count(*) = 1) s
  WHERE NOT EXISTS (SELECT FROM ledger.payment_key k WHERE k.space = p_space AND k.external_id = s.id)
    AND NOT EXISTS (SELECT FROM known_as k WHERE k.space = p_space AND k.alias = s.id);
  RETURN QUERY SELECT s.turn, payment_of(p_space, s.id), NULL::text
  FROM (SELECT t.turn, min(t.id) AS id FROM unnest(p_turn, p_id) AS t(turn, id) GROUP BY t.turn HAVING count(*) = 1) s;
  FOR told IN
    SELECT t.turn, array_agg(t.id ORDER BY t.ord) AS ids FROM unnest(p_turn, p_id) WITH ORDINALITY AS t(turn, id, ord)
    GROUP BY t.turn HAVING count(*) > 1 ORDER BY t.turn
  LOOP
    chosen := NULL; second := NULL; roots := '{}'; is_booked := false;
    FOREACH id IN ARRAY told.ids LOOP
      root := coalesce(payment_of(p_space, id), id);
      CONTINUE WHEN root = ANY (roots);
      roots := roots || root;
      IF EXISTS (SELECT FROM ledger.payment_key k WHERE k.space = p_space AND k.external_id = root) THEN
        IF is_booked THEN second := coalesce(second, root); ELSE chosen := root; is_booked := true; END IF;
      ELSIF chosen IS NULL AND EXISTS (SELECT FROM known_as k WHERE k.space = p_space AND k.alias = root) THEN
        chosen := root;
      END IF;
    END LOOP;
    chosen := coalesce(chosen, told.ids[1]);
    IF second IS NULL THEN
      INSERT INTO known_as (space, alias, external_id)
      SELECT p_space, r.root, chosen FROM unnest(roots) AS r(root)
      WHERE r.root <> chosen OR NOT is_booked AND NOT EXISTS (SELECT FROM known_as k WHERE k.space = p_space AND k.alias = chosen);
    END IF;
    RETURN QUERY SELECT told.turn, chosen, second;
  END LOOP;
END $$;

-- What an acquirer told beside payments (holds, reversals, refunds …), once an event, in whatever order it came. amount in kopecks.
CREATE TABLE intake.acquirer_event (
    event bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    space int NOT NULL REFERENCES reference.operation_space,
    key text NOT NULL CONSTRAINT acquirer_event_key_length CHECK (octet_length(key) BETWEEN 1 AND 128),
    channel int NOT NULL REFERENCES reference.channel,
    act text NOT NULL CONSTRAINT acquirer_event_act CHECK (act IN ('approved', 'reversed', 'refunded', 'declined', 'other')),
    -- The acquirer's own id of the payment, and our order's number there.
    payment text NOT NULL,
    order_number text NOT NULL,
    amount bigint NOT NULL CONSTRAINT acquirer_event_amount CHECK (amount >= 0),
    event_at timestamptz,
    told_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT acquirer_event_once UNIQUE (space, key));
CREATE INDEX acquirer_event_of_payment ON intake.acquirer_event (space, payment);

-- A payment that a payer starts at an acquirer's page. The row stands before the acquirer hears of the order, so that whatever is
-- told of it finds its personal account. Its number is ours and never used again.
CREATE TABLE intake.web_order (
    web_order bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel int NOT NULL REFERENCES reference.channel,
    space int NOT NULL REFERENCES reference.operation_space,
    number text NOT NULL CONSTRAINT web_order_number_length CHECK (octet_length(number) BETWEEN 1 AND 36),
    -- In the channel's namespace.
    account text NOT NULL CONSTRAINT web_order_account_length CHECK (char_length(account) BETWEEN 1 AND 200),
    amount bigint NOT NULL CONSTRAINT web_order_amount CHECK (amount > 0),
    -- What the payer named, as schemas.notification.NamedDesignation's JSON; empty when nothing.
    designation text NOT NULL,
    return_url text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL CONSTRAINT web_order_life CHECK (expires_at > created_at),
    CONSTRAINT web_order_once UNIQUE (space, number));

-- Where an order stands, by its newest row: nothing is changed, so what the payer was told can be explained.
CREATE TABLE intake.web_order_state (
    web_order bigint NOT NULL REFERENCES intake.web_order,
    turn int NOT NULL,
    state text NOT NULL CONSTRAINT web_order_state_known CHECK (state IN ('made', 'registered', 'approved', 'paid', 'declined',
        'reversed', 'refunded', 'refused', 'expired')),
    -- The acquirer's id of the order and the address of its payment page, once they are known.
    payment text NOT NULL,
    page text NOT NULL,
    at timestamptz NOT NULL,
    kept_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT web_order_state_key PRIMARY KEY (web_order, turn));

-- Orders to ask the acquirer about, and when next; an order at rest has no row. A queue of work, like reference.table_due: nothing
-- is recorded in it.
CREATE TABLE reference.web_order_due (
    web_order bigint PRIMARY KEY REFERENCES intake.web_order,
    asks int NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL);
CREATE INDEX web_order_due_at ON reference.web_order_due (due_at);

-- Money that the acquirer is to give back of a payment, each by an order of delivery under a key of ours (externalRefundId).
CREATE TABLE intake.acquirer_refund (
    refund bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel int NOT NULL REFERENCES reference.channel,
    space int NOT NULL REFERENCES reference.operation_space,
    payment text NOT NULL CONSTRAINT acquirer_refund_payment_length CHECK (octet_length(payment) BETWEEN 1 AND 128),
    key text NOT NULL CONSTRAINT acquirer_refund_key CHECK (key ~ '^[!-~]{1,64}$'),
    amount bigint NOT NULL CONSTRAINT acquirer_refund_amount CHECK (amount > 0),
    asked_by text NOT NULL CONSTRAINT acquirer_refund_person CHECK (char_length(btrim(asked_by)) BETWEEN 1 AND 128),
    asked_at timestamptz NOT NULL,
    CONSTRAINT acquirer_refund_once UNIQUE (space, key));
CREATE INDEX acquirer_refund_of_payment ON intake.acquirer_refund (space, payment);
-- What the acquirer said in the end; a refusal leaves the sum free for another refund under another key.
CREATE TABLE intake.acquirer_refund_end (
    refund bigint PRIMARY KEY REFERENCES intake.acquirer_refund,
    is_done boolean NOT NULL,
    reason text NOT NULL,
    at timestamptz NOT NULL,
    kept_at timestamptz NOT NULL DEFAULT clock_timestamp());

REVOKE ALL ON FUNCTION intake.payment_of(int, text), intake.name_payments(int, int[], text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION intake.payment_of(int, text), intake.name_payments(int, int[], text[]) TO kopeck_gateway, kopeck_services;
GRANT SELECT ON intake.acquirer_refund, intake.acquirer_refund_end TO kopeck_services, kopeck_reader;
GRANT INSERT (channel, space, payment, key, amount, asked_by, asked_at) ON intake.acquirer_refund TO kopeck_services;
GRANT INSERT (refund, is_done, reason, at) ON intake.acquirer_refund_end TO kopeck_services;
GRANT SELECT ON intake.known_as, intake.acquirer_event, intake.web_order, intake.web_order_state
    TO kopeck_gateway, kopeck_services, kopeck_reader;
GRANT SELECT ON reference.web_order_due TO kopeck_services, kopeck_reader;
GRANT INSERT (space, alias, external_id) ON intake.known_as TO kopeck_gateway, kopeck_services;
GRANT INSERT (space, key, channel, act, payment, order_number, amount, event_at) ON intake.acquirer_event TO kopeck_gateway;
GRANT INSERT (channel, space, number, account, amount, designation, return_url, created_at, expires_at)
    ON intake.web_order TO kopeck_services;
GRANT INSERT (web_order, turn, state, payment, page, at) ON intake.web_order_state TO kopeck_services;
GRANT INSERT, UPDATE (asks, due_at), DELETE ON reference.web_order_due TO kopeck_services;
