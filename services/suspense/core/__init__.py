"""Decisions about suspended money that need no I/O: what an entry does to items, deadlines, suggestions and their reasons."""
