"""Fiscal receipts (54-ФЗ): which are issued, by whom, and what came back; orders to tills' operators are their children."""
