"""The book of record: an append-only, gapless, balanced journal and the tables by which payments are split."""
