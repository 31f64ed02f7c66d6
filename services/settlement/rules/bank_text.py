"""Text as banks take it: one line of characters that code page 1251 has (protocols.md §5)."""

import unicodedata

ENCODING = "cp1251"
UNKNOWN = "?"
"""Stands for a character with no counterpart: seen by whoever reads, unlike a silent gap."""

_REPLACED = str.maketrans(
    {
        "₽": "руб.",
        "−": "-",
        "‐": "-",
        "‑": "-",
        "‒": "-",
        "―": "-",
        "⁄": "/",
        "′": "'",
        "‛": "'",
        "″": '"',
        "‟": '"',
        "≤": "<=",
        "≥": ">=",
        "×": "x",
    }
)


def bank_text(text: str) -> str:
    """Return the text with every character in cp1251: look-alikes by the table, accents dropped, the rest as «?».

    Line ends, control characters and every kind of space become one space; characters without width go.
    """
    replaced = unicodedata.normalize("NFC", text).translate(_REPLACED)
    return " ".join("".join([_known(character) for character in replaced]).split())


def fits_bank(text: str) -> bool:
    """Whether the text is what ``bank_text`` would leave as it is."""
    return bank_text(text) == text


def _known(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cf":  # soft hyphens, marks of direction, joiners
        return ""
    if category in ("Cc", "Zs", "Zl", "Zp"):
        return " "
    if _encodable(character):
        return character
    bare = "".join([part for part in unicodedata.normalize("NFKD", character) if not unicodedata.combining(part)])
    return bare if bare and _encodable(bare) else UNKNOWN


def _encodable(text: str) -> bool:
    try:
        text.encode(ENCODING)
    except UnicodeEncodeError:
        return False
    return True
