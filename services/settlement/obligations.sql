-- The obligations report (отчёт об обязательствах): what holders of advances owe others because of offsets.

-- name: list_obligations
-- Offsets on lines of a period from one recipient's advance to another's line, reversed ones left out, by creditor, holder, recipient
-- and service: kopecks offset; handed: what cuts gave; owed: what waits for the holder, which had been paid the advance; waiting: what
-- waits for the cover or the next cut; outside: what was paid before the ledger began, and is settled between them without us.
WITH made AS (
    SELECT j.* FROM ledger.payment_key k JOIN ledger.journal j ON j.book = k.book AND j.sequence = k.sequence
    WHERE k.space = 7 AND k.sequence IS NOT NULL AND j.kind = 6
      AND NOT EXISTS (SELECT FROM ledger.payment_key r WHERE r.space = 1
          AND r.external_id = j.book::text || ':' || j.sequence::text || '/1' AND r.sequence IS NOT NULL)),
leg AS (
    SELECT m.book, m.sequence, m.transit, m.personal_account, u.place, u.account, u.amount, u.line,
        max(u.place) FILTER (WHERE u.amount > 0) OVER (PARTITION BY m.book, m.sequence ORDER BY u.place) AS giver
    FROM made m CROSS JOIN LATERAL unnest(m.accounts, m.amounts, m.lines) WITH ORDINALITY AS u(account, amount, line, place)),
flow AS (
    SELECT l.book, l.sequence, l.personal_account, c.creditor, p.recipient AS holder, q.recipient, q.service, -l.amount AS amount,
        l.account >> 56 = 11 AS outside,
        coalesce((SELECT sum(t.amount) FROM settlement.moved t WHERE t.transit = l.transit AND t.book = l.book
            AND t.sequence = l.sequence AND t.place = l.place AND t.amount > 0), 0)::bigint AS handed,
        EXISTS (SELECT FROM settlement.claim x WHERE x.book = l.book AND x.sequence = l.sequence AND x."left" > 0) AS owed
    FROM leg l JOIN leg g ON g.book = l.book AND g.sequence = l.sequence AND g.place = l.giver
      JOIN reference.charge c ON c.personal_account = l.personal_account AND c.line = l.line AND c.period = $1
      JOIN reference.payee p ON p.payee = g.account & 1099511627775
      JOIN reference.payee q ON q.payee = l.account & 1099511627775
    WHERE l.amount < 0 AND p.recipient <> q.recipient)
SELECT c.code AS creditor, h.code AS holder, r.code AS recipient, r.name AS recipient_name, f.service,
    count(DISTINCT f.personal_account)::int AS accounts, sum(f.amount)::bigint AS offset_kopecks,
    sum(f.handed)::bigint AS handed_kopecks,
    coalesce(sum(f.amount - f.handed) FILTER (WHERE f.owed AND NOT f.outside), 0)::bigint AS owed_kopecks,
    coalesce(sum(f.amount - f.handed) FILTER (WHERE NOT f.owed AND NOT f.outside), 0)::bigint AS waiting_kopecks,
    coalesce(sum(f.amount) FILTER (WHERE f.outside), 0)::bigint AS outside_kopecks
FROM flow f JOIN reference.recipient c ON c.recipient = f.creditor JOIN reference.recipient h ON h.recipient = f.holder
  JOIN reference.recipient r ON r.recipient = f.recipient
WHERE $2::text IS NULL OR h.code = $2
GROUP BY c.code, h.code, r.code, r.name, f.service ORDER BY c.code, h.code, r.code, f.service;
