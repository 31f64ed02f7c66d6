"""One gateway process: ``python -m kopeck.gateway_process``, a child of kopeck/supervisor.py."""

import asyncio
import socket
import sys

import msgspec
import uvloop

from gateway.owned_tasks import TaskFailed
from gateway.serve import serve
from gateway.settings import GatewaySettings
from kopeck.child_log import start_log
from kopeck.clock import utc_now
from kopeck.supervisor import Lifeline


class GatewayOrders(msgspec.Struct, frozen=True, kw_only=True):
    """What the parent tells a gateway: its settings, the number of the inherited listening socket, its log's level."""

    gateway: GatewaySettings
    listener_fd: int
    log_level: str


async def _serve(lifeline: Lifeline, orders: GatewayOrders) -> None:
    lifeline.watch()
    listener = socket.socket(fileno=orders.listener_fd)
    listener.setblocking(False)
    closing = asyncio.create_task(_close_when(lifeline.stop, listener))
    await serve(orders.gateway, listener, lifeline.stop, lifeline.ready, utc_now)
    await closing


async def _close_when(stop: asyncio.Event, listener: socket.socket) -> None:
    """Hold the shared socket no longer than it is served: once the last holder lets go, callers are refused, not kept waiting."""
    await stop.wait()
    listener.close()


def main() -> None:
    """Serve until the parent says stop or is gone; exit 1, as in order, when a task of the process ended by itself."""
    lifeline = Lifeline()
    orders = msgspec.json.decode(lifeline.settings, type=GatewayOrders)
    start_log(orders.log_level)
    try:
        uvloop.run(_serve(lifeline, orders))
    except TaskFailed:
        # Logged with its traceback when it happened.
        sys.exit(1)


if __name__ == "__main__":
    main()
