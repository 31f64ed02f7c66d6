"""Advances set off against the charges of published documents (docs/billing-offsets.md)."""
