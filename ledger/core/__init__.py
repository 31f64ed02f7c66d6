"""The pure heart of the ledger: plain functions on frozen values, no clock, no chance, no I/O (design W10)."""
