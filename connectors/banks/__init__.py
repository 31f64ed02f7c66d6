"""Banks: signed feeds of the transit account."""
