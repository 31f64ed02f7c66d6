"""Turnover and balance of every ledger account, folded from the feed."""
