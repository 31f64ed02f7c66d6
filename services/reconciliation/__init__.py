"""Daily reconciliation of the ledger with the banks' statements, and the closing of days and months."""
