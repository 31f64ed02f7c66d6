"""Scenarios in plain text: what comes in, what is done, and what must be in the books afterwards (tests/scenarios/texts/*.txt).

A file holds scenarios, each after a line ``== title``. A step is a line ``verb word … key=value … => what must come of it``;
words with spaces stand in double quotes. Indented lines are the rows of the step above them. ``#`` begins a comment.
"""

import shlex
from pathlib import Path

import msgspec

TITLE, COMES, COMMENT = "== ", "=>", "#"


class ScenarioFault(Exception):
    """The text cannot be read, or what it says did not happen; the message names file and line."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """Words of a line, and its ``key=value`` pairs."""

    number: int
    words: tuple[str, ...]
    named: dict[str, str]

    def get(self, key: str, default: str = "") -> str:
        """Return a named value."""
        return self.named.get(key, default)


class Step(Row, frozen=True, kw_only=True):
    """A verb with its words; ``comes`` is what stands behind the arrow, None when nothing is said of it."""

    verb: str
    rows: tuple[Row, ...]
    comes: str | None


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """A title and its steps."""

    file: str
    title: str
    steps: tuple[Step, ...]


def read_scenarios(path: Path) -> tuple[Scenario, ...]:
    """Read a file; raises ScenarioFault."""
    scenarios: list[tuple[str, list[Step]]] = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith(COMMENT):
            continue
        if line.startswith(TITLE):
            scenarios.append((line.removeprefix(TITLE).strip(), []))
        elif not scenarios:
            raise ScenarioFault(f"{path.name}:{number}: stands before the first title")
        elif line[0].isspace():
            _add_row(path, scenarios[-1][1], number, line)
        else:
            scenarios[-1][1].append(_step(number, line))
    titles = [title for title, _ in scenarios]
    if len({*titles}) < len(titles) or not titles:
        raise ScenarioFault(f"{path.name}: has no scenario, or two of one title")
    return tuple([Scenario(file=path.name, title=title, steps=tuple(steps)) for title, steps in scenarios])


def _add_row(path: Path, steps: list[Step], number: int, line: str) -> None:
    if not steps:
        raise ScenarioFault(f"{path.name}:{number}: a row without a step")
    words, named = _words(line)
    row = Row(number=number, words=words, named=named)
    steps[-1] = msgspec.structs.replace(steps[-1], rows=(*steps[-1].rows, row))


def _step(number: int, line: str) -> Step:
    asked, arrow, comes = line.partition(COMES)
    words, named = _words(asked)
    told = comes.strip() if arrow else None
    return Step(number=number, verb=words[0], words=words[1:], named=named, rows=(), comes=told)


def _words(line: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """Split a line; ``key="two words"`` is one pair. A word with «=» that is not a pair is quoted whole: ``"=5"``."""
    words: list[str] = []
    named: dict[str, str] = {}
    for word in shlex.split(line, posix=True):
        key, equals, value = word.partition("=")
        if equals and key.isidentifier() and key.isascii():
            named[key] = value
        else:
            words.append(word)
    return tuple(words), named
