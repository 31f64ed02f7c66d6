"""Fake counterparties with fault profiles: for the demo and for tests, never for money."""
