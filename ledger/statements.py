"""Named SQL: statements live in ``.sql`` files, each with a name and one sentence of purpose (style rule 11)."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The folder that holds the packages: paths of statement files are given from here."""

_NAME = re.compile(r"^--[ \t]*name:[ \t]*(.*)$", re.MULTILINE)
_WORD = re.compile(r"[a-z][a-z0-9_]*")


class StatementError(ValueError):
    """A statement file is not in the promised form; the message names the file and the statement."""


def load_statements(path: str | Path) -> dict[str, str]:
    """Read a file of statements into name -> text.

    A statement starts with a line ``-- name: word``, then a comment line with its purpose, then the SQL. Before the first
    name only comments may stand. A relative path is taken from the folder of the packages.
    Raises StatementError for a missing purpose, an empty statement, a bad or repeated name.
    """
    file = ROOT / path
    before, *parts = _NAME.split(file.read_text("utf-8"))
    if _sql_of(before):
        raise StatementError(f"{file}: SQL stands before the first '-- name:'")
    statements: dict[str, str] = {}
    for name, text in zip(parts[::2], parts[1::2], strict=True):
        word = name.strip()
        if _WORD.fullmatch(word) is None or word in statements:
            raise StatementError(f"{file}: the name {word!r} is not a lower-case word of its own")
        purpose, _, sql = text.lstrip("\n").partition("\n")
        if not purpose.startswith("--") or not purpose.strip("- \t"):
            raise StatementError(f"{file}: statement {word!r} has no purpose line under its name")
        if not _sql_of(sql):
            raise StatementError(f"{file}: statement {word!r} is empty")
        statements[word] = sql.strip()
    return statements


def _sql_of(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--")).strip()
