"""An HTTP/1.1 load generator that runs in a process of its own and only against this machine.

Requests are rendered before the clock starts; an answer is parsed no further than its status, its length and its result.
Closed loop: each connection sends its next request when the answer to the last has come. Fixed rate: every request has
an intended moment, and its latency runs from that moment whether or not a connection was free (no coordinated omission).
"""

import asyncio
import gc
import re
import resource
import time
from array import array
from collections import deque
from datetime import datetime
from enum import IntEnum
from typing import cast
from zlib import crc32

import msgspec
import uvloop

from loadtests.traffic import Doors, Plan, payments_of, rendered

HOSTS = ("127.0.0.1", "localhost", "::1")
CONNECTIONS_MAX = 4_096
ANSWER_TIMEOUT_S = 15
CONNECT_TIMEOUT_S = 10
RECONNECTS_MAX = 1_000
RECONNECT_PAUSE_S = 0.05
SAMPLES_MAX = 5
TICK_S = 0.001
UNKNOWN_ACCOUNT_RESULT = 5
"""OSMP's code for an unknown account: the only refusal that seeded traffic can meet."""

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_RESULT = re.compile(rb"<result>([0-9]+)</result>")
_RETRIED = frozenset({1, 90})


class Verdict(IntEnum):
    """What the answer to one request said. Only the first two are final."""

    UNSENT = 0
    ACCEPTED = 1
    REFUSED = 2
    TRY_AGAIN = 3
    UNEXPECTED = 4
    CUT = 5
    UNANSWERED = 6


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """One phase. ``rate`` is requests a second, 0 for a closed loop; the phase ends by ``plan.count`` or ``duration_s``."""

    plan: Plan
    doors: Doors
    at: datetime
    connections: int
    rate: int
    duration_s: int


class LoadReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a phase gave, parallel to the plan: verdicts, latencies in µs and CRC-32 of the answers' bodies.

    ``elapsed_us`` runs from the first request to the last answer inside the phase, ``answered`` of them came in it.
    """

    verdicts: bytes
    latencies: "array[int]"
    checksums: "array[int]"
    answered: int
    elapsed_us: int
    cpu_us: int
    samples: tuple[str, ...]


class _Run:
    """The state shared by the connections of one phase."""

    def __init__(self, requests: list[bytes], load: Load) -> None:
        self.requests = requests
        self.rate = load.rate
        self.verdicts = bytearray(len(requests))
        self.latencies = array("Q", bytes(8 * len(requests)))
        self.checksums = array("Q", bytes(8 * len(requests)))
        self.samples: list[str] = []
        self.connections: set[_Connection] = set()
        self.idle: deque[_Connection] = deque()
        self.waiting: deque[tuple[int, int]] = deque()
        self.failures = 0
        self.following = 0
        self.in_flight = 0
        self.started = 0
        self.sending = False
        self.answered = 0
        self.last_answer = 0
        self.done = asyncio.Event()

    def start(self) -> None:
        """Start the clock; every connection of a closed loop sends its first request."""
        self.sending = True
        self.started = self.last_answer = time.perf_counter_ns()
        for _ in range(len(self.idle)):
            self.next_for(self.idle.popleft())

    def stop(self) -> None:
        """Send nothing new."""
        self.sending = False
        self._finish_when_over()

    def take(self) -> int:
        """The index of the next request, -1 when there is none."""
        if not self.sending or self.following == len(self.requests):
            self.sending = False
            return -1
        self.following += 1
        return self.following - 1

    def next_for(self, connection: "_Connection") -> None:
        """Give a free connection its work: the longest waiting request, the next of a closed loop, or rest."""
        if self.waiting:
            connection.send(*self.waiting.popleft())
        elif self.rate or not self.started:
            self.idle.append(connection)
        elif (index := self.take()) >= 0:
            connection.send(index, time.perf_counter_ns())
        self._finish_when_over()

    def offer(self, index: int, due: int) -> None:
        """Send a request of a fixed rate, or let it wait for a free connection; ``due`` is its intended moment."""
        if self.idle:
            self.idle.popleft().send(index, due)
        else:
            self.waiting.append((index, due))

    def settle(self, index: int, verdict: Verdict, since: int, body: bytes) -> None:
        """Note the answer to a request."""
        now = time.perf_counter_ns()
        self.in_flight -= 1
        self.verdicts[index] = verdict
        self.latencies[index] = (now - since) // 1_000
        self.checksums[index] = crc32(body)
        if self.sending and verdict <= Verdict.REFUSED:
            self.answered += 1
            self.last_answer = now
        if verdict is Verdict.UNEXPECTED and len(self.samples) < SAMPLES_MAX:
            self.samples.append(body[:300].decode("utf-8", "replace"))

    def close(self) -> None:
        """End the phase: what has no answer by now is unanswered."""
        self.sending = False
        for index, due in self.waiting:
            self.in_flight += 1
            self.settle(index, Verdict.UNANSWERED, due, b"")
        self.waiting.clear()
        for connection in tuple(self.connections):
            connection.abandon()

    def _finish_when_over(self) -> None:
        if self.started and not self.sending and not self.in_flight and not self.waiting:
            self.done.set()


class _Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request in flight; ``lost`` is set when it has ended."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._index = -1
        self._since = 0
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self.lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._run.connections.add(self)
        self._run.next_for(self)

    def send(self, index: int, since: int) -> None:
        """Send a request; its latency runs from ``since`` (perf_counter_ns)."""
        assert self._transport is not None
        self._index, self._since = index, since
        self._run.in_flight += 1
        self._transport.write(self._run.requests[index])

    def data_received(self, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
        head_end = data.find(b"\r\n\r\n")
        match = _LENGTH.search(data, 0, head_end + 2) if head_end >= 0 else None
        if match is None or len(data) < head_end + 4 + int(match[1]):
            self._buffer = data
            return
        self._buffer = b""
        self._settle(verdict_of(data, head_end), data[head_end + 4 :])
        self._run.next_for(self)

    def connection_lost(self, error: Exception | None) -> None:
        run = self._run
        run.connections.discard(self)
        if self in run.idle:
            run.idle.remove(self)
        if self._index >= 0:
            self._settle(Verdict.CUT, b"")
        self.lost.set()
        if not run.sending:
            run.stop()

    def abandon(self) -> None:
        """Close; a request in flight stays unanswered."""
        if self._index >= 0:
            self._settle(Verdict.UNANSWERED, b"")
        if self._transport is not None:
            self._transport.abort()

    def _settle(self, verdict: Verdict, body: bytes) -> None:
        index, self._index = self._index, -1
        self._run.settle(index, verdict, self._since, body)


def verdict_of(answer: bytes, head_end: int) -> Verdict:
    """Read what an HTTP answer says; ``head_end`` is where its empty line starts. HTTP 429 and 503 ask for a repeat."""
    status = answer[9:12]
    if status in (b"429", b"503"):
        return Verdict.TRY_AGAIN
    if status != b"200":
        return Verdict.UNEXPECTED
    result = _RESULT.search(answer, head_end)
    if result is None:
        return Verdict.ACCEPTED if answer.find(b'"recorded"', head_end) > 0 else Verdict.UNEXPECTED
    code = int(result[1])
    if code == 0:
        return Verdict.ACCEPTED
    if code in _RETRIED:
        return Verdict.TRY_AGAIN
    return Verdict.REFUSED if code == UNKNOWN_ACCOUNT_RESULT else Verdict.UNEXPECTED


def run_load(load: Load) -> LoadReport:
    """Run one phase to its end, in the calling process; ValueError for another machine or too many connections."""
    if load.doors.host not in HOSTS:
        raise ValueError(f"load is generated only against this machine, not {load.doors.host}")
    if not 0 < load.connections <= CONNECTIONS_MAX:
        raise ValueError(f"connections must be 1 … {CONNECTIONS_MAX}")
    requests = rendered(payments_of(load.plan), load.doors, load.at)
    gc.collect()
    gc.freeze()
    return uvloop.run(_drive(requests, load))


async def _drive(requests: list[bytes], load: Load) -> LoadReport:
    run = _Run(requests, load)
    async with asyncio.TaskGroup() as group:
        for _ in range(load.connections):
            group.create_task(_keep_connected(run, load.doors))
        await _all_connected(run, load.connections)
        cpu_before = _cpu_us()
        run.start()
        timer = asyncio.get_running_loop().call_later(load.duration_s, run.stop)
        if load.rate:
            await _pace(run)
        try:
            async with asyncio.timeout(load.duration_s + ANSWER_TIMEOUT_S):
                await run.done.wait()
        except TimeoutError:
            run.samples.append(f"{run.in_flight + len(run.waiting)} requests had no answer in {ANSWER_TIMEOUT_S} s")
        timer.cancel()
        cpu_us = _cpu_us() - cpu_before
        run.close()
    return LoadReport(
        verdicts=bytes(run.verdicts),
        latencies=run.latencies,
        checksums=run.checksums,
        answered=run.answered,
        elapsed_us=(run.last_answer - run.started) // 1_000,
        cpu_us=cpu_us,
        samples=tuple(run.samples),
    )


async def _keep_connected(run: _Run, doors: Doors) -> None:
    """Hold one connection, opening it again while the phase sends; a host that refuses too often ends the phase."""
    loop = asyncio.get_running_loop()
    while not run.started or run.sending:
        try:
            _, connection = await loop.create_connection(lambda: _Connection(run), doors.host, doors.port)
            await connection.lost.wait()
        except OSError:
            await asyncio.sleep(RECONNECT_PAUSE_S)
        run.failures += 1
        if run.failures > RECONNECTS_MAX:
            raise ConnectionError(f"{doors.host}:{doors.port} refused or cut more than {RECONNECTS_MAX} connections")


async def _all_connected(run: _Run, connections: int) -> None:
    async with asyncio.timeout(CONNECT_TIMEOUT_S):
        while len(run.connections) < connections:
            await asyncio.sleep(TICK_S)


async def _pace(run: _Run) -> None:
    """Offer requests at their intended moments, evenly spaced."""
    offered = 0
    while run.sending:
        due = run.started + offered * 1_000_000_000 // run.rate
        if due > time.perf_counter_ns():
            await asyncio.sleep(TICK_S)
        elif (index := run.take()) >= 0:
            run.offer(index, due)
            offered += 1


def _cpu_us() -> int:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return round((usage.ru_utime + usage.ru_stime) * 1_000_000)
