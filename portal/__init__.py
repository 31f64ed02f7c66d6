"""Looking in: the public API, the suppliers' portal and the operators' console (design §5)."""
