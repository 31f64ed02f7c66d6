"""Acquirers and СБП: what they tell and how they are asked, as pure functions of bytes and sans-I/O clients."""
