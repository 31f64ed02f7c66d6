"""A private PostgreSQL and a private Valkey under a data folder, and how to reach them (design §6)."""
