"""The sandbox's counterparties over HTTP: ``python -m kopeck.sandbox_process``, a child of kopeck/supervisor.py.

One socket, a fake under each first segment of the path: ``/bank/registers`` is ``/registers`` of the fake named bank. What the
fault profile loses is lost as on a network: the connection breaks without an answer. With a memory (kopeck/sandbox_memory.py) a
fake goes on where the last run ended, like the real one.
"""

import asyncio
import socket
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import structlog
import uvloop
from aiohttp import web

from connectors.sandbox.faults import Fake, FaultProfile, FaultyExchange
from kopeck.child_log import start_log
from kopeck.clock import utc_now
from kopeck.sandbox import make_fake
from kopeck.sandbox_calls import CallingFake, keep_calling
from kopeck.sandbox_memory import Memory, Remembering, RememberingCalls
from kopeck.supervisor import Lifeline
from schemas.exchange import ExchangeFailed, HttpRequest
from services.delivery.http import HttpExchange

BODY_BYTES_MAX = 32_000_000
STOP_TIMEOUT_S = 5

_log = structlog.get_logger("kopeck.sandbox")


class SandboxParty(msgspec.Struct, frozen=True, kw_only=True):
    """One fake: the path's first segment, its kind and options (kopeck/sandbox.py), its faults, the file of its memory."""

    name: str
    kind: str
    options: Mapping[str, Any] = {}
    faults: FaultProfile = FaultProfile()
    memory: str = ""


class SandboxOrders(msgspec.Struct, frozen=True, kw_only=True):
    """What the parent tells the sandbox."""

    listener_fd: int
    parties: tuple[SandboxParty, ...]
    seed: int
    log_level: str

    def __repr__(self) -> str:
        """Show no password."""
        return "SandboxOrders(…)"


class SandboxDoors:
    """Answers HTTP by the fakes; ``fakes`` are by name, for who wants to look into them, ``calling`` those with callbacks."""

    def __init__(self, parties: Sequence[SandboxParty], seed: int) -> None:
        self.fakes: dict[str, Fake] = {party.name: make_fake(party.kind, party.options) for party in parties}
        self.calling: dict[str, CallingFake] = {name: fake for name, fake in self.fakes.items() if isinstance(fake, CallingFake)}
        self._memories = {path: Memory(Path(path)) for path in dict.fromkeys(one.memory for one in parties) if path}
        answering = dict(self.fakes)
        for path, memory in self._memories.items():
            names = [party.name for party in parties if party.memory == path]
            memory.recall({name: self.fakes[name] for name in names})
            answering |= {name: Remembering(self.fakes[name], partial(memory.remember, name)) for name in names}
            self.calling |= {name: RememberingCalls(self.calling[name], name, memory) for name in names if name in self.calling}
        self._exchanges = {
            party.name: FaultyExchange(answering[party.name], party.faults, draw=Random(seed + place).randrange, now=utc_now)
            for place, party in enumerate(parties)
        }

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Give the fake's answer, or break the connection when the exchange is lost."""
        _, name, rest = (*request.raw_path.split("/", 2), "", "")[:3]
        if name not in self._exchanges:
            return web.Response(status=404)
        asked = HttpRequest(
            method=request.method,
            url=f"http://{request.host}/{rest}",
            headers=tuple((key.lower(), value) for key, value in request.headers.items()),
            body=await request.read(),
        )
        try:
            answer = await self._exchanges[name](asked)
        except ExchangeFailed:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)

    def close(self) -> None:
        """Close the memories."""
        for memory in self._memories.values():
            memory.close()


def _request(*parts: Any) -> web.BaseRequest:
    message, payload, protocol, writer, task = parts
    return web.BaseRequest(message, payload, protocol, writer, task, asyncio.get_running_loop(), client_max_size=BODY_BYTES_MAX)


async def open_doors(doors: SandboxDoors, listener: socket.socket) -> web.ServerRunner:
    """Answer on a listening socket until the runner that is returned is cleaned up."""
    server = web.Server(doors.answer, request_factory=_request)
    runner = web.ServerRunner(server, shutdown_timeout=STOP_TIMEOUT_S)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    return runner


async def serve_doors(doors: SandboxDoors, stop: asyncio.Event) -> None:
    """Send the fakes' callbacks until ``stop``."""
    async with HttpExchange() as exchange, asyncio.TaskGroup() as tasks:
        for name, fake in doors.calling.items():
            tasks.create_task(keep_calling(name, fake, exchange, utc_now, stop))
        await stop.wait()


async def _serve(lifeline: Lifeline, orders: SandboxOrders) -> None:
    lifeline.watch()
    doors = SandboxDoors(orders.parties, orders.seed)
    runner = await open_doors(doors, socket.socket(fileno=orders.listener_fd))
    lifeline.ready()
    _log.info("sandbox_ready", parties=[party.name for party in orders.parties])
    await serve_doors(doors, lifeline.stop)
    await runner.cleanup()
    doors.close()


def main() -> None:
    """Answer until the parent says stop or is gone."""
    lifeline = Lifeline()
    orders = msgspec.json.decode(lifeline.settings, type=SandboxOrders)
    start_log(orders.log_level)
    uvloop.run(_serve(lifeline, orders))


if __name__ == "__main__":
    main()
