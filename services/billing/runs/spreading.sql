-- Work on a run done in parts.

-- name: commit_lazily
-- This transaction's commit does not wait until it is on the disk.
SELECT set_config('synchronous_commit', 'off', true)
