"""Clearing to transit: each line of a bank's statement gets one class, is matched with what was promised, and is booked."""
