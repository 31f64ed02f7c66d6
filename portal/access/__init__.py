"""Who may look in: organisations, people, keys and sessions (docs/access.md; the rules stand in 0022_access.sql too)."""
