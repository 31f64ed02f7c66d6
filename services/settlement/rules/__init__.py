"""Rules of settlement as plain functions of frozen values: no input or output, no clock (the calendar: services/calendar.py)."""
