"""The public API, version 1: operations declared once, served and described from the same types (docs/api.md)."""
