"""Seeded traffic, benchmarks and the proofs that follow them; nothing here is imported by the program."""
