"""Penalties (пени) charged month by month: drafts, checks, two persons, publication as charges of their own documents."""
