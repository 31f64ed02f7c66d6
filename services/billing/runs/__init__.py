"""A month's life: drafting, checks, approval by a second person, publication into the ledger's reference data, closing."""
