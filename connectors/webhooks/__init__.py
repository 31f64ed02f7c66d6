"""Outgoing webhooks: the receivers that suppliers keep, as counterparties of delivery."""
