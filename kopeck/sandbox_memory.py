"""What the sandbox's counterparties were told, kept in a file: they are pure, so telling them again restores them.

Only what may change a fake is kept, in the order in which it came, with its moment. A record is written before the fake answers:
a request whose answer was lost has been heard all the same. Of callbacks the answers are kept: what was taken is not sent again.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import msgspec

from connectors.sandbox.callbacks import DueCallback
from connectors.sandbox.faults import Fake
from kopeck.sandbox_calls import CallingFake
from schemas.exchange import HttpAnswer, HttpRequest

LENGTH_BYTES = 4
READING_ONLY = frozenset({"GET", "HEAD"})


class _Called(msgspec.Struct, frozen=True, array_like=True):
    number: int
    due_at: datetime
    answer: HttpAnswer | None


class _Heard(msgspec.Struct, frozen=True, array_like=True):
    name: str
    now: datetime
    request: HttpRequest | None
    called: _Called | None = None

    def tell(self, fake: Fake) -> None:
        """Tell a fake again what it heard."""
        if self.request is not None:
            fake.handle(self.request, self.now)
        elif self.called is not None and isinstance(fake, CallingFake):
            fake.callbacks_due(self.called.due_at)
            fake.callback_answered(self.called.number, self.called.answer, self.now)


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
                record.tell(fakes[record.name])
            heard, kept = heard + 1, end
        self._file = self._path.open("r+b" if self._path.exists() else "w+b", buffering=0)
        self._file.truncate(kept)
        self._file.seek(kept)
        return heard

    def remember(self, name: str, request: HttpRequest, now: datetime) -> None:
        """Write down what a fake is about to hear."""
        self._write(_Heard(name, now, request))

    def remember_call(self, name: str, called: tuple[int, datetime, HttpAnswer | None], now: datetime) -> None:
        """Write down what a fake is about to be told of its callback: (number, when it was due, the answer)."""
        self._write(_Heard(name, now, None, _Called(*called)))

    def _write(self, heard: _Heard) -> None:
        assert self._file is not None, "recalled first"
        record = msgspec.msgpack.encode(heard)
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


class RememberingCalls:
    """A fake with callbacks of its own whose answers are remembered (kopeck/sandbox_calls.CallingFake)."""

    def __init__(self, fake: CallingFake, name: str, memory: Memory) -> None:
        self._fake = fake
        self._name = name
        self._memory = memory
        self._due_at: dict[int, datetime] = {}

    def callbacks_due(self, now: datetime) -> tuple[DueCallback, ...]:
        """Return what is due."""
        due = self._fake.callbacks_due(now)
        self._due_at |= {callback.number: now for callback in due}
        return due

    def callback_answered(self, number: int, answer: HttpAnswer | None, now: datetime) -> None:
        """Remember the answer, then tell the fake."""
        self._memory.remember_call(self._name, (number, self._due_at.pop(number), answer), now)
        self._fake.callback_answered(number, answer, now)
