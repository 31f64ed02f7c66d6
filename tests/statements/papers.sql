-- What tests of payment documents and penalties do to a ledger that has no command of its own.

-- name: approve_requisites
-- A second person approves every version of requisites.
UPDATE reference.requisites SET approved_by = 'second', approved_at = now() WHERE approved_by IS NULL

-- name: forget_approval
-- One recipient's requisites are as if nobody had approved them.
UPDATE reference.requisites q SET approved_by = NULL, approved_at = NULL FROM reference.recipient r
WHERE r.recipient = q.recipient AND r.code = $1

-- name: spoil_charge
-- A charge of an account's period is tampered with.
UPDATE reference.charge SET amount = amount + 1 WHERE (personal_account, line) = (SELECT $1::bigint, min(c.line)
    FROM reference.charge c WHERE c.personal_account = $1 AND c.period = $2 AND c.kind = 0)

-- name: mend_charge
-- The charge is as it was.
UPDATE reference.charge SET amount = amount - 1 WHERE (personal_account, line) = (SELECT $1::bigint, min(c.line)
    FROM reference.charge c WHERE c.personal_account = $1 AND c.period = $2 AND c.kind = 0)

-- name: forget_bank
-- A bank is not loaded.
DELETE FROM billing.bank WHERE bic = $1

-- name: account
-- The number of an account by its own name.
SELECT personal_account FROM reference.personal_account WHERE namespace = $1 AND number = $2

-- name: published
-- What a run printed for an account by its own name, and what the document before printed and charged.
SELECT d.main, d.capital_repair, b.main AS main_before, b.charged_main + b.charged_repair AS charged_before
FROM reference.personal_account p JOIN billing.document d ON d.account = p.personal_account AND d.run = $1
    LEFT JOIN LATERAL (SELECT o.* FROM billing.document o WHERE o.account = d.account AND o.period < d.period
        ORDER BY o.period DESC, o.nth DESC LIMIT 1) b ON true
WHERE p.number = $2
