"""How many connections a process holds: beyond that number a caller is told to come later, never left without an answer."""

import asyncio
import resource

import structlog
from aiohttp import web

from gateway import metrics

log = structlog.get_logger("gateway.connections")

FILES_BESIDE = 128
"""Descriptors kept for everything that is no served connection: databases, logs, callers being told to come later."""
LISTEN_S = 2.0
"""How long a caller that cannot be served may take to send its request."""
_BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def connections_allowed(wanted: int) -> int:
    """Raise the process's limit on open files for so many connections; return how many it then allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + FILES_BESIDE
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    raised = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
    if raised < needed:
        log.warning("connections.limited", wanted=wanted, open_files=raised)
    return max(1, raised - FILES_BESIDE)


class Turnstile:
    """Makes the protocol of each accepted connection: the application's, or one that answers 503 by itself."""

    def __init__(self, server: web.Server, connections_max: int):
        self._server = server
        self._connections_max = connections_max

    def __call__(self) -> asyncio.Protocol:
        """Return the protocol of a new connection."""
        if len(self._server.connections) < self._connections_max:
            return self._server()
        metrics.CONNECTIONS_REFUSED.inc()
        return _Busy()


class _Busy(asyncio.Protocol):
    """Waits for the request, for a reply sent before it would be lost with the reset; then answers and closes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._timer = asyncio.get_running_loop().call_later(LISTEN_S, transport.close)

    def data_received(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(_BUSY)
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._timer.cancel()
