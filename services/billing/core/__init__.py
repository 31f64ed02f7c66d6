"""Billing's pure part: the law's formulas over facts of one house and month, without I/O."""
