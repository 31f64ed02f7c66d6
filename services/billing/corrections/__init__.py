"""Corrections of closed months, carried by the open one: what is to be recalculated, by how much, and what persons decide."""
