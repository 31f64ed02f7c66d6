-- Personal data of lines.

-- name: erase_line
-- Erase a line's text.
UPDATE bank.line SET sealed = NULL WHERE line = $1 AND sealed IS NOT NULL RETURNING line;

-- name: erase_before
-- Erase the text of lines before a day that need it no more.
WITH erased AS (
    UPDATE bank.line SET sealed = NULL WHERE day < $1 AND sealed IS NOT NULL
      AND (sequence IS NOT NULL OR class IN ('own_order', 'returned_order')) RETURNING 1)
SELECT count(*) FROM erased;
