"""The hot path: one notification in, one answer out (design §1, stations 1-6)."""
