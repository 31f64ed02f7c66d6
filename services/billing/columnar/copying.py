"""Rows of a statement straight into columns: COPY as CSV, parsed by polars, makes no Python object a value."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from services.billing.runs.sources import Connection

_TRUE = "t"
BOOLEAN = pl.Boolean


async def copy_frame(
    connection: Connection, statement: str, arguments: tuple[Any, ...], columns: Mapping[str, type[pl.DataType]]
) -> pl.DataFrame:
    """Return the rows of a statement, whose columns are, in their order, those named with their types.

    Text that is empty stays empty, NULL is null; an array comes as its text (``array_of``).
    """
    parts: list[bytes] = []

    async def keep(part: bytes) -> None:
        parts.append(part)

    await connection.copy_from_query(statement, *arguments, output=keep, format="csv")
    if not any(parts):
        return pl.DataFrame(schema=dict(columns))
    texts = {name: pl.String if kind is BOOLEAN else kind for name, kind in columns.items()}
    frame = pl.read_csv(b"".join(parts), has_header=False, schema=texts)
    return frame.with_columns(pl.col(name) == _TRUE for name, kind in columns.items() if kind is BOOLEAN)


def array_of(text: str) -> list[str]:
    """Return the elements of an array of text as PostgreSQL writes it: ``{cold,"a b"}``; no element is NULL."""
    found: list[str] = []
    element, is_quoted, is_escaped = "", False, False
    for letter in text[1:-1]:
        if is_escaped:
            element, is_escaped = element + letter, False
        elif letter == "\\":
            is_escaped = True
        elif letter == '"':
            is_quoted = not is_quoted
        elif letter == "," and not is_quoted:
            found.append(element)
            element = ""
        else:
            element += letter
    return [*found, element] if text != "{}" else []
