"""A till operator that answers at once, so that it is never what is waited for: ATOL Online v5 by a bare responder.

It checks nothing of a receipt but its sum's presence (the sandbox's fake does, connectors/sandbox/atol.py); what it keeps is
which receipts it was given, how often, and for how much.
"""

import asyncio
import multiprocessing
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import cast
from urllib.request import urlopen

import msgspec
import uvloop

from kopeck.counterparties import CounterpartiesFile, CounterpartySection
from kopeck.running import OrdersHouse
from loadtests import ceiling
from loadtests.fixture import INN
from loadtests.orders_town import operator_of

LOGIN = "bench"
AT_ONCE = 32
"""Receipts of one creditor under way at once."""
COUNT_PATH = "/count"
COUNT_TIMEOUT_S = 10
_TOKEN = msgspec.json.encode({"error": None, "token": "bench", "timestamp": "24.11.2026 12:00:00"})
_NEVER = b"{}"


class Till(msgspec.Struct, frozen=True, kw_only=True):
    """Where it answers, and its process."""

    base_url: str
    pid: int

    def count(self) -> tuple[int, int]:
        """Receipts that it was given, and repeats of them."""
        with urlopen(f"{self.base_url}{COUNT_PATH}", timeout=COUNT_TIMEOUT_S) as answer:
            return msgspec.json.decode(answer.read(), type=tuple[int, int])


class _Sum(msgspec.Struct, frozen=True, kw_only=True):
    total: msgspec.Raw


class _Receipt(msgspec.Struct, frozen=True, kw_only=True):
    external_id: str
    receipt: _Sum


class _Book:
    """Receipts by the reference given for them: place and sum."""

    def __init__(self) -> None:
        self.taken: dict[str, tuple[int, bytes]] = {}
        self.repeats = 0

    def answer(self, method: bytes, path: str, body: bytes) -> bytes:
        """Answer a request of the protocol."""
        last = path.rpartition("/")[2]
        if path == COUNT_PATH:
            return msgspec.json.encode((len(self.taken), self.repeats))
        if last == "getToken":
            return _TOKEN
        if method == b"POST":
            return self._take(body)
        return self._report(last)

    def _take(self, body: bytes) -> bytes:
        given = msgspec.json.decode(body, type=_Receipt)
        reference = sha256(given.external_id.encode()).hexdigest()[:32]
        answer: dict[str, object] = {"uuid": reference, "status": "wait", "error": None}
        if reference in self.taken:
            self.repeats += 1
            answer["error"] = {"code": 33, "text": "", "type": "system"}
        else:
            self.taken[reference] = (len(self.taken) + 1, bytes(given.receipt.total))
        return msgspec.json.encode(answer)

    def _report(self, reference: str) -> bytes:
        if reference not in self.taken:
            return _NEVER
        place, total = self.taken[reference]
        payload = {
            "total": msgspec.Raw(total),
            "fn_number": "9999078900000001",
            "shift_number": 1,
            "receipt_datetime": "24.11.2026 12:00:00",
            "fiscal_receipt_number": place,
            "fiscal_document_number": place,
            "ecr_registration_number": "0000000005035122",
            "fiscal_document_attribute": place,
            "ofd_receipt_url": "",
        }
        return msgspec.json.encode({"uuid": reference, "error": None, "status": "done", "payload": payload})


class _Responder(asyncio.Protocol):
    """One connection; a request may come in pieces."""

    def __init__(self, book: _Book) -> None:
        self._book = book
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head, start = self._buffer[:end], end + 4
            length = _length_of(head)
            if len(self._buffer) < start + length:
                return
            body, self._buffer = self._buffer[start : start + length], self._buffer[start + length :]
            method, path, _ = head.split(b" ", 2)
            answer = self._book.answer(method, path.decode(), body)
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\n\r\n%s"
                % (len(answer), answer)
            )


def _length_of(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def serve(listening: socket.socket) -> None:
    """Answer on the socket, in the calling process, until the process is ended."""
    uvloop.run(_serve(listening))


async def _serve(listening: socket.socket) -> None:
    book = _Book()
    server = await asyncio.get_running_loop().create_server(lambda: _Responder(book), sock=listening)
    await server.serve_forever()


@contextmanager
def till_beside() -> Iterator[Till]:
    """A till in a process of its own."""
    listening = ceiling.listen()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(listening,), daemon=True)
    process.start()
    try:
        host, port = listening.getsockname()
        yield Till(base_url=f"http://{host}:{port}", pid=process.pid or 0)
    finally:
        process.terminate()
        process.join()
        listening.close()


def orders_house(till: Till, creditors: int, *, cut_every_s: int = 0) -> OrdersHouse:
    """How orders leave under load: receipts to a group of tills for each creditor, all at one operator.

    Registers of transfers are made and wait, for no bank is configured.
    """
    table = {"login": LOGIN, "password": LOGIN, "group_code": LOGIN, "inn": INN, "base_url": till.base_url}
    sections = [
        CounterpartySection(name=operator_of(number), kind="atol", at_once=AT_ONCE, table=table)
        for number in range(1, creditors + 1)
    ]
    return OrdersHouse(counterparties=CounterpartiesFile(counterparty=tuple(sections)), cut_every_s=cut_every_s)
