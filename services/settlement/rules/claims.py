"""Terms of claims on recipients whose money was taken back after it had left (law.md 1.12)."""

CLAIM_DAYS = 7
"""A claim without a term is to be paid within seven days of its demand (ГК РФ ст. 314 п. 2, from memory)."""
