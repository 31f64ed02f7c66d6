"""Reports of billing: read, and written for a spreadsheet, a table of values, or paper."""
