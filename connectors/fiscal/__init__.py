"""Operators of tills: fiscal receipts out, fiscal signs back (protocols.md §8, §9)."""
