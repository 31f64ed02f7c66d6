"""Banks' statements: every format read into one, and believed only when its sums agree."""
