"""Lines of a text file as rows of fields: divided by a delimiter, quoted or not, or of fixed width."""

import csv
import io
from collections.abc import Iterator

from connectors.registers.description import RegisterFormat
from connectors.registers.encoding import decode_text
from connectors.registers.register import unreadable

Row = tuple[int, list[str]]
"""Number of the line, from 1, and its fields with the spaces around them taken off."""


def text_rows(content: bytes, described: RegisterFormat) -> Iterator[Row]:
    """Yield every line, blank ones too (no fields or empty ones); raises RegisterUnreadable.

    A fixed-width line is one field, its right spaces kept.
    """
    text = decode_text(content, described.encodings)
    if "\0" in text:
        raise unreadable("file", "holds a NUL character: it is no text")
    if described.quote:
        return _quoted(text, described)
    lines = enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1)
    if not described.delimiter:
        return ((number, [line] if line.strip() else []) for number, line in lines)
    return _divided(lines, described.delimiter)


def _divided(lines: Iterator[tuple[int, str]], delimiter: str) -> Iterator[Row]:
    for number, line in lines:
        yield number, [field.strip() for field in line.split(delimiter)]


def _quoted(text: str, described: RegisterFormat) -> Iterator[Row]:
    stream = io.StringIO(text, newline="")
    reader = csv.reader(stream, delimiter=described.delimiter, quotechar=described.quote, strict=True)
    try:
        for fields in reader:
            yield reader.line_num, [field.strip() for field in fields]
    except csv.Error as error:
        raise unreadable("line", f"its quotes do not fit: {error}", reader.line_num) from error
