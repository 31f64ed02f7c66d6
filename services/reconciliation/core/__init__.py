"""What of a bank day is matched, missing, surplus or promised, as plain functions on frozen values: no I/O."""
