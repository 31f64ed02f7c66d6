-- Looking an account up by its name.

-- name: find_account
-- An account and its provider.
SELECT personal_account, provider FROM reference.personal_account WHERE namespace = $1 AND number = $2
