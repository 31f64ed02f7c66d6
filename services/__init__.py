"""The ecosystem: one folder a service, each a consumer of the ledger or a door for reference data."""
