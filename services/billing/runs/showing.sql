-- What a run came to, house by house and line by line.

-- name: list_houses
-- Houses of a run, those that were not calculated first, at most $2.
SELECT h.house, h.state, h.reason, h.accounts, h.lines, h.amount FROM billing.run_house h
WHERE h.run = $1 ORDER BY h.state = 'done', h.house LIMIT $2

-- name: list_lines
-- Lines of one account of a run with the service's title, unit and payee.
SELECT l.service, t.title, t.unit, p.code AS recipient, t.pool, l.kind, l.volume, l.price, l.amount, l.of_period, l.explanation
FROM reference.personal_account n JOIN billing.line l ON l.run = $1 AND l.account = n.personal_account
    JOIN billing.run_account a ON a.run = l.run AND a.account = l.account
    JOIN billing.run_terms t ON t.run = l.run AND t.house = a.house AND t.service = l.service
    JOIN reference.recipient p ON p.recipient = t.recipient
WHERE n.namespace = $2 AND n.number = $3 ORDER BY l.nth

-- name: find_document
-- The document of one account of a run.
SELECT d.state, d.reason, d.number, d.period, d.charged_main, d.charged_repair, d.main, d.capital_repair, d.due_on
FROM reference.personal_account n JOIN billing.document d ON d.run = $1 AND d.account = n.personal_account
WHERE n.namespace = $2 AND n.number = $3
