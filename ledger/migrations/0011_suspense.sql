-- Suspense (невыясненные): what waits for its owner, and what was decided.

SELECT 1;
