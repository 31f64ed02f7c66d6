"""Which encoding a file is in: seen from its bytes, never believed (protocols.md §5, §6)."""

import codecs
import re

from connectors.registers.register import unreadable

SAMPLE_CHARACTERS_MAX = 200_000
UTF8 = "utf-8"
DOS_END = "\x1a"
"""Some programs still end a text file with it."""

_EXPECTED = re.compile(r"[^\t\r\n -~А-Яа-яЁё№«»–—“”„…\xa0\x1a]")
_SWAPPED = re.compile(r"[а-яё][А-ЯЁ]")
"""A small letter before a capital one: Russian does not write so, and KOI8-R read as cp1251 always does."""


def decode_text(content: bytes, encodings: tuple[str, ...]) -> str:
    """Decode strictly, a byte order mark and a DOS end of file taken off; raises RegisterUnreadable as ``encoding_of`` does."""
    text = content.removeprefix(codecs.BOM_UTF8)
    return text.decode(encoding_of(text, encodings)).removesuffix(DOS_END)


def encoding_of(content: bytes, encodings: tuple[str, ...]) -> str:
    """Return the one of ``encodings`` in which the bytes read as Russian; raises RegisterUnreadable when there is none.

    Bytes above ASCII that are valid UTF-8 are UTF-8, whatever is promised: a file in another encoding than the format's is
    refused, for its names would be another's and its numbers might.
    """
    if content.isascii():
        return "ascii"
    if _decoded(content, UTF8) is not None:
        if UTF8 not in encodings:
            raise unreadable("encoding", f"the file is in UTF-8, the format in {' or '.join(encodings)}")
        return UTF8
    found = {encoding: decoded for encoding in encodings if (decoded := _decoded(content, encoding)) is not None}
    if not found:
        raise unreadable("encoding", f"the file is not in {' or '.join(encodings)}")
    return min(found, key=lambda encoding: strangeness(found[encoding]))


def strangeness(text: str) -> int:
    """How much of the text's beginning Russian does not write."""
    sample = text[:SAMPLE_CHARACTERS_MAX]
    return len(_EXPECTED.findall(sample)) + len(_SWAPPED.findall(sample))


def _decoded(content: bytes, encoding: str) -> str | None:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        return None
