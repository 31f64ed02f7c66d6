"""What a statement line is taken for and what it covers, as plain functions on frozen values: no I/O."""
