"""Fingerprint of a notification: a fixed row of short digests, one a business field, versioned (design W5).

Layout, 26 bytes: version (1) | account (8) | amount (8) | designation (8) | kind (1). The account and the designation are
BLAKE2b digests of their text, the amount is itself. Two contents of one key are compared field by field, so that a conflict
can name the field.
"""

from hashlib import blake2b

from schemas.journal import EntryKind

VERSION = b"\x01"
_DIGEST_BYTES = 8
_FIELDS = (("version", 0, 1), ("account", 1, 9), ("amount", 9, 17), ("designation", 17, 25), ("kind", 25, 26))


def _short(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=_DIGEST_BYTES).digest()


_NOTHING_NAMED = _short("")


def fingerprint_of(*, kind: EntryKind, account: str, amount_kopecks: int, raw_amount: str, designation: str) -> bytes:
    """Return the 26 bytes for a decoded notification.

    ``account`` is the namespace and number as written; an unreadable amount (0 kopecks) is represented by its raw text.
    """
    amount = amount_kopecks.to_bytes(_DIGEST_BYTES, "big") if amount_kopecks > 0 else _short(raw_amount)
    named = _short(designation) if designation else _NOTHING_NAMED
    return b"".join((VERSION, _short(account), amount, named, kind.to_bytes(1, "big")))


def differing_field(offered: bytes, stored: bytes) -> str:
    """Name the first business field in which two fingerprints differ; ``version`` when their layouts differ."""
    for name, start, end in _FIELDS:
        if offered[start:end] != stored[start:end]:
            return name
    raise AssertionError("equal fingerprints do not differ")
