"""Suspense (невыясненные): what waits for its owner, why it may be whose, and what a person decided."""
