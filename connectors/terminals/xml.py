"""Text inside the XML of an answer: escaped, and free of what XML 1.0 forbids."""

import re

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'

_SPECIAL = re.compile("[&<>\"'\t\n\r]|[^\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
REPLACEMENT = "\ufffd"


def escape(text: str) -> str:
    """Return the text fit for an element or an attribute; characters that XML 1.0 § 2.2 forbids become U+FFFD."""
    if text.isalnum():
        return text
    return _SPECIAL.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    return _ESCAPES.get(match.group(), REPLACEMENT)


def element(name: str, text: str) -> str:
    """Return one element with escaped text; ``name`` is ours and is not escaped."""
    return f"<{name}>{escape(text)}</{name}>"
