-- Money taken back: refunds, reassignments, and what they leave owed.

SELECT 1;
