"""Delivery: leased orders, a connector call with the order's own key, the answer and its consequences in one transaction (W9)."""
