"""The columnar engine: charges of a whole town at once, by the same formulas as the plain engine of ``services/billing/core``."""
