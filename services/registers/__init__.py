"""Registers of payments: taken whole, booked line by line, and what became of every line."""
