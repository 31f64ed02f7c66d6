"""What clearing counts for those who watch it."""

from prometheus_client import Counter

LINES = Counter("kopeck_bank_lines", "Lines of statements booked, by class.", ("line_class",))
VANISHED = Counter("kopeck_bank_lines_vanished", "Lines that a final statement no longer has: an alarm.", ("line_class",))
CONFLICTS = Counter("kopeck_bank_line_conflicts", "Lines told again with another content: an alarm.")
FAILED = Counter("kopeck_clearing_failures", "Lines and statements that a step failed with; each is tried again.", ("step",))
SCREENED = Counter("kopeck_bank_payers_screened", "Payers found on stop lists (115-ФЗ).")
