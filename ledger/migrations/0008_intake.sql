-- Ways in beside the terminals and the feed: acquirers' orders and events, and the ids by which one payment is known (design W5).

-- The ledger's own operation spaces: releases of suspense, refunds, and entries made from lines of a bank's statement.
INSERT INTO reference.operation_space (space, name) VALUES (4, 'suspense'), (5, 'refund'), (6, 'bank');
