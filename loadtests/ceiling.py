"""The trivial responder that shows what the generator alone can do: its figure is the ceiling of every other one."""

import asyncio
import socket
from typing import cast

import uvloop

_BODY = b"<response><result>0</result></response>"
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(_BODY), _BODY)
BACKLOG = 1_024


class _Responder(asyncio.Protocol):
    """Answers whatever comes at once with the same success."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._transport.write(_ANSWER)


def listen() -> socket.socket:
    """A socket on a free port of this machine, connections to which wait until somebody serves it."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(BACKLOG)
    return listening


def serve(listening: socket.socket) -> None:
    """Answer on the socket, in the calling process, until the process is ended."""
    uvloop.run(_serve(listening))


async def _serve(listening: socket.socket) -> None:
    server = await asyncio.get_running_loop().create_server(_Responder, sock=listening)
    await server.serve_forever()
