"""Registers of payments: formats described as data, read line by line, with their control totals."""
