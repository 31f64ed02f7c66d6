"""What the sandbox's counterparties were told, kept in a file: they are pure, so telling them again restores them.

Only what may change a fake is kept, in the order in which it came, with its moment. A record is written before the fake answers:
a request whose answer was lost has been heard all the same.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import msgspec

from connectors.sandbox.faults import Fake
from schemas.exchange import HttpAnswer, HttpRequest

LENGTH_BYTES = 4
READING_ONLY = frozenset({"GET", "HEAD"})


class _Heard(msgspec.Struct, frozen=True, array_like=True):
    name: str
    now: datetime
    request: HttpRequest


_decoder = msgspec.msgpack.Decoder(_Heard)


class Memory:
    """A file of what was heard, in the process that answers."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def recall(self, fakes: Mapping[str, Fake]) -> int:
        """Tell the fakes everything again; how much it was. What a killed process left unfinished at the end is cut off."""
        heard, kept = 0, 0
        content = self._path.read_bytes() if self._path.exists() else b""
        while kept + LENGTH_BYTES <= len(content):
            end = kept + LENGTH_BYTES + int.from_bytes(content[kept : kept + LENGTH_BYTES])
            if end > len(content):
                break
            record = _decoder.decode(content[kept + LENGTH_BYTES : end])
            if record.name in fakes:
                fakes[record.name].handle(record.request, record.now)
            heard, kept = heard + 1, end
        self._file = self._path.open("r+b" if self._path.exists() else "w+b", buffering=0)
        self._file.truncate(kept)
        self._file.seek(kept)
        return heard

    def remember(self, name: str, request: HttpRequest, now: datetime) -> None:
        """Write down what a fake is about to hear."""
        assert self._file is not None, "recalled first"
        record = msgspec.msgpack.encode(_Heard(name, now, request))
        self._file.write(len(record).to_bytes(LENGTH_BYTES) + record)

    def close(self) -> None:
        """Close the file; a record is whole in it as soon as it is remembered."""
        if self._file is not None:
            self._file.close()


class Remembering:
    """A fake whose requests are remembered (connectors/sandbox/faults.Fake)."""

    def __init__(self, fake: Fake, remember: Callable[[HttpRequest, datetime], None]) -> None:
        self._fake = fake
        self._remember = remember

    def handle(self, request: HttpRequest, now: datetime) -> HttpAnswer:
        """Remember what may change the fake, then answer as it does."""
        if request.method not in READING_ONLY:
            self._remember(request, now)
        return self._fake.handle(request, now)
