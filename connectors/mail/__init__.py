"""Mail servers that take letters to payers, as counterparties of delivery."""
