-- Statements of delivery. Due times, leases and ages go by PostgreSQL's clock, so that workers' clocks need not agree.

-- name: create
-- Put new orders into the register, in the caller's transaction.
INSERT INTO delivery.outgoing (what, subject, counterparty, key, content, due_at)
SELECT n.what, n.subject, n.counterparty, n.key, n.content, coalesce(n.due_at, statement_timestamp())
FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::bytea[], $6::timestamptz[])
  WITH ORDINALITY AS n(what, subject, counterparty, key, content, due_at, place)
ORDER BY n.place
RETURNING number, counterparty, key;

-- name: notify
-- Wake the workers; inside a transaction PostgreSQL tells them at its commit.
SELECT pg_notify('kopeck_orders', '');

-- name: hasten
-- Let an accepted order be asked about at once; what is asked about now or sooner stays as it is.
UPDATE delivery.outgoing SET due_at = statement_timestamp()
WHERE counterparty = $1 AND key = $2 AND state = 1 AND lease IS NULL AND due_at > statement_timestamp() RETURNING number;

-- name: conclude
-- End an order by what its owner learnt otherwise; a worker that holds it will find its lease gone.
UPDATE delivery.outgoing
SET state = $2::smallint, sending = false, lease = NULL, leased_until = NULL, reference = $3, reason = $4, result = $5,
    accepted_at = CASE WHEN $2::smallint = 2 THEN coalesce(accepted_at, statement_timestamp()) ELSE accepted_at END,
    ended_at = statement_timestamp()
WHERE number = $1 AND (state IN (1, 4) OR state = 0 AND sending) RETURNING number;

-- name: list_due
-- Which of these counterparties have an order to work on now.
SELECT c.name FROM unnest($1::text[]) AS c(name)
WHERE EXISTS (SELECT FROM delivery.outgoing o
              WHERE o.counterparty = c.name AND o.state IN (0, 1) AND o.due_at <= statement_timestamp()
                AND (o.lease IS NULL OR o.leased_until <= statement_timestamp()))
  AND NOT EXISTS (SELECT FROM delivery.closed_counterparty x WHERE x.counterparty = c.name);

-- name: lease
-- Lease due orders of one counterparty, the longest due first; sending stands from now on for those not accepted yet.
-- unknown: it stood before, so that an earlier attempt may have reached the counterparty. Those the worker has in work itself
-- it does not lease again, whatever became of their leases.
WITH due AS MATERIALIZED (
    SELECT o.number, o.sending FROM delivery.outgoing o
    WHERE o.counterparty = $1 AND o.state IN (0, 1) AND o.due_at <= statement_timestamp()
      AND (o.lease IS NULL OR o.leased_until <= statement_timestamp() AND o.number <> ALL ($4::bigint[]))
      AND NOT EXISTS (SELECT FROM delivery.closed_counterparty x WHERE x.counterparty = $1)
    ORDER BY o.due_at LIMIT $2 FOR UPDATE OF o SKIP LOCKED)
UPDATE delivery.outgoing o
SET lease = gen_random_uuid(), leased_until = statement_timestamp() + $3::bigint * interval '1 millisecond',
    sending = o.sending OR o.state = 0, attempts = o.attempts + 1
FROM due d WHERE o.number = d.number
RETURNING o.number, o.what, o.subject, o.key, o.content, o.state, o.reference, o.attempts, o.lease, d.sending AS unknown,
    o.accepted_at IS NULL AS never_accepted, sha256(o.result) AS told, (extract(epoch FROM statement_timestamp() - o.created_at) * 1000)::bigint AS age_ms;

-- name: renew
-- Lengthen leases that are still held; those that are not come back missing.
UPDATE delivery.outgoing o SET leased_until = statement_timestamp() + $3::bigint * interval '1 millisecond'
FROM unnest($1::bigint[], $2::uuid[]) AS a(number, lease)
WHERE o.number = a.number AND o.lease = a.lease RETURNING o.number;

-- name: record
-- Write what became of leased orders, by compare of the lease; those whose lease is another's come back missing.
-- No due_ms: the counterparty cannot be asked, the owner concludes the order.
UPDATE delivery.outgoing o
SET state = a.state, reference = a.reference, attempts = a.attempts, sending = a.sending, lease = NULL, leased_until = NULL,
    due_at = CASE WHEN a.state IN (0, 1)
        THEN coalesce(statement_timestamp() + a.due_ms * interval '1 millisecond', 'infinity') ELSE o.due_at END,
    reason = a.reason, result = coalesce(a.result, o.result),
    accepted_at = CASE WHEN a.state IN (1, 2) THEN coalesce(o.accepted_at, statement_timestamp()) ELSE o.accepted_at END,
    ended_at = CASE WHEN a.state IN (2, 3, 5) THEN statement_timestamp() END
FROM unnest($1::bigint[], $2::uuid[], $3::smallint[], $4::text[], $5::int[], $6::boolean[], $7::bigint[], $8::text[], $9::bytea[])
  AS a(number, lease, state, reference, attempts, sending, due_ms, reason, result)
WHERE o.number = a.number AND o.lease = a.lease
RETURNING o.number, (extract(epoch FROM statement_timestamp() - o.created_at) * 1000)::bigint AS age_ms;

-- name: close
-- Stop sending to a counterparty until a person opens it; the first reason stays.
INSERT INTO delivery.closed_counterparty (counterparty, reason) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING counterparty;

-- name: open
-- Send to a counterparty again.
DELETE FROM delivery.closed_counterparty WHERE counterparty = $1 RETURNING reason;

-- name: list_closed
-- Counterparties to which nothing is sent.
SELECT counterparty, reason, closed_at FROM delivery.closed_counterparty ORDER BY closed_at, counterparty;

-- name: list_parked
-- Orders that wait for a person, all or of one owner, the oldest first.
SELECT number, what, subject, counterparty, key, reference, attempts, sending AS unknown, accepted_at IS NOT NULL AS accepted,
    reason, created_at
FROM delivery.outgoing WHERE state = 4 AND ($1 = '' OR what = $1) ORDER BY number LIMIT $2;

-- name: retry
-- Let a parked order go on: asked about where it may have been taken, unless a person knows that it was not.
UPDATE delivery.outgoing
SET state = CASE WHEN accepted_at IS NULL OR $3 THEN 0 ELSE 1 END, sending = sending AND accepted_at IS NULL AND NOT $3, attempts = 0,
    reference = CASE WHEN $3 THEN '' ELSE reference END, due_at = statement_timestamp(), reason = $2
WHERE number = $1 AND state = 4 RETURNING number;

-- name: cancel
-- End an order that is parked, or was never handed to a connector.
UPDATE delivery.outgoing SET state = 5, reason = $2, ended_at = statement_timestamp()
WHERE number = $1 AND (state = 4 OR state = 0 AND NOT sending AND lease IS NULL)
RETURNING number, what, subject, key, content, reference, greatest(attempts, 1) AS attempts;

-- name: measure
-- What is not done yet, by owner, counterparty and state, and the age of the oldest.
SELECT what, counterparty, state, count(*) AS orders,
    (extract(epoch FROM statement_timestamp() - min(created_at)) * 1000)::bigint AS oldest_ms
FROM delivery.outgoing WHERE state IN (0, 1) GROUP BY what, counterparty, state
UNION ALL
SELECT what, counterparty, state, count(*), (extract(epoch FROM statement_timestamp() - min(created_at)) * 1000)::bigint
FROM delivery.outgoing WHERE state = 4 GROUP BY what, counterparty, state;

-- name: audit
-- Orders in a state that no rule of delivery leads to, or with a lease that ended long ago and was seen by nobody.
SELECT f.number, f.counterparty, f.fault
FROM (SELECT o.number, o.counterparty, CASE
        WHEN o.state IN (0, 1) AND o.leased_until < statement_timestamp() - $1::bigint * interval '1 millisecond'
          AND NOT EXISTS (SELECT FROM delivery.closed_counterparty x WHERE x.counterparty = o.counterparty)
          THEN 'its lease ended and nobody took it over'
        WHEN o.state >= 2 AND o.lease IS NOT NULL THEN 'leased at rest'
        WHEN o.state = 0 AND o.due_at = 'infinity' THEN 'waiting for ever'
        WHEN o.state IN (1, 2, 3) AND o.sending THEN 'answered and yet unknown'
        WHEN o.state IN (1, 2) AND o.accepted_at IS NULL THEN 'taken at no time'
        WHEN o.state = 2 AND o.result IS NULL THEN 'done without a result'
        WHEN o.state >= 3 AND o.reason = '' THEN 'ended or parked without a reason'
      END AS fault
      FROM delivery.outgoing o) f
WHERE f.fault IS NOT NULL ORDER BY f.number LIMIT $2;
