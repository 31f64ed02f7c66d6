"""Meters and their readings: facts loaded from files, readings taken from everywhere, judged once and kept for good."""
