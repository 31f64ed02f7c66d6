"""Statement lines by ledger account and bank day, folded from the feed."""
