"""Balances of personal accounts, the turnover sheet (оборотно-сальдовая ведомость) and its check against the ledger."""
