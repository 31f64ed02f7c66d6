"""Acquirers and СБП beside their callbacks: web payments started, lost callbacks found by asking, money given back."""
