-- name: list_parked
-- Cases that wait for a person, or all of them, the oldest first.
SELECT p.parked, p.what, c.name AS channel, s.name AS space, p.external_id, p.content, p.seen_at, p.resolved_at, p.resolved_by
FROM intake.parked p
  LEFT JOIN reference.channel c ON c.channel = p.channel
  LEFT JOIN reference.operation_space s ON s.space = p.space
WHERE $1 OR p.resolved_at IS NULL ORDER BY p.parked LIMIT $2;

-- name: resolve_parked
-- Mark a case as resolved by a person; a case already resolved is left as it was.
UPDATE intake.parked SET resolved_at = clock_timestamp(), resolved_by = $2 WHERE parked = $1 AND resolved_at IS NULL RETURNING parked;
