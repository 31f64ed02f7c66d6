"""Connectors that carry transfer orders to banks and read what became of them (design W9; protocols.md §4, §5, §7a)."""
