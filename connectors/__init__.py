"""Wire protocols of counterparties: decode, verify, encode and deliver; no decisions (design §1, station 2)."""
