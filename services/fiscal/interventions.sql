-- What people did with receipts.

-- name: note
-- What a person did with one receipt.
INSERT INTO fiscal.intervention (receipt, what, done_by, done_at) VALUES ($1, $2, $3, $4);

-- name: note_stopped
-- What a person did with those of some receipts that stand in a state.
INSERT INTO fiscal.intervention (receipt, what, done_by, done_at)
SELECT s.receipt, $3, $4, $5 FROM fiscal.stopped s WHERE s.state = $1 AND s.receipt = ANY ($2::bigint[]) ORDER BY s.receipt;
