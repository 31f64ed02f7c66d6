"""Decisions about receipts as plain functions on frozen values: no I/O."""
