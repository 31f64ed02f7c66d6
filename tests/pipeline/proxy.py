"""A proxy between the gateway and a server on a unix socket: it cuts connections, holds replies back, slows them, refuses."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, quote, unquote, urlsplit, urlunsplit

CHUNK_BYTES = 65_536
TURNS_TO_ACCEPT = 3
"""Turns of the loop after which a connection that was being accepted has met its refusal."""


class Proxy:
    """Forwards bytes between ``own`` and ``upstream``, both paths of unix sockets, until it is told to do harm."""

    def __init__(self, upstream: Path, own: Path):
        self._upstream = upstream
        self._own = own
        self._links: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.delay_s = 0.0
        self.refusing = False
        self.connections = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._accept, self._own)
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.refusing = True
        self._server.close()
        await self.cut()
        for _ in range(TURNS_TO_ACCEPT):
            await asyncio.sleep(0)

    def hold(self) -> None:
        """Let requests through and keep every reply back."""
        self._flowing.clear()

    def release(self) -> None:
        """Let replies flow again, those kept back first."""
        self._flowing.set()

    def forsake(self) -> int:
        """Let the connections that stand now fall silent for ever, as when a machine is gone; new ones work. How many."""
        self._flowing.clear()
        self._flowing = asyncio.Event()
        self._flowing.set()
        return len(self._links)

    async def cut(self) -> None:
        """End every connection at once; replies kept back are lost."""
        links = tuple(self._links)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.refusing:
            writer.transport.abort()
            return
        link = asyncio.create_task(self._link(reader, writer))
        self._links.add(link)
        link.add_done_callback(self._links.discard)
        link.add_done_callback(lambda _: writer.transport.abort())

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream_reader, upstream_writer = await asyncio.open_unix_connection(self._upstream)
        except OSError:
            return
        ways = [
            asyncio.create_task(self._forward(reader, upstream_writer)),
            asyncio.create_task(self._forward_replies(upstream_reader, writer, self._flowing)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            upstream_writer.transport.abort()
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()

    async def _forward_replies(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flowing: asyncio.Event) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            await flowing.wait()
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            writer.write(chunk)
            await writer.drain()


@asynccontextmanager
async def before_postgresql(dsn: str, folder: Path) -> AsyncIterator[tuple[Proxy, str]]:
    """Put a proxy before the PostgreSQL of a DSN with a unix socket; yield it and the DSN that leads through it."""
    parts = urlsplit(dsn)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    socket_name = f".s.PGSQL.{query['port']}"
    async with Proxy(Path(query["host"]) / socket_name, folder / socket_name) as proxy:
        through = "&".join(f"{name}={quote(value, safe='')}" for name, value in {**query, "host": str(folder)}.items())
        yield proxy, urlunsplit(parts._replace(query=through))


@asynccontextmanager
async def before_redis(url: str, folder: Path) -> AsyncIterator[tuple[Proxy, str]]:
    """Put a proxy before the Redis of a unix:// URL; yield it and the URL that leads through it."""
    parts = urlsplit(url)
    own = folder / "cache.sock"
    async with Proxy(Path(unquote(parts.path)), own) as proxy:
        yield proxy, urlunsplit(parts._replace(path=quote(str(own))))
