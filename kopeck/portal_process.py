"""The portal's process: ``python -m kopeck.portal_process``, a child of kopeck/supervisor.py."""

import socket

import msgspec
import structlog
import uvloop

from kopeck.child_log import start_log
from kopeck.clock import utc_now
from kopeck.supervisor import Lifeline
from portal.serving import PortalSettings, serve_portal

_log = structlog.get_logger("kopeck.portal")


class PortalOrders(msgspec.Struct, frozen=True, kw_only=True):
    """What the parent tells the portal: its settings, the number of the inherited listening socket, its log's level."""

    portal: PortalSettings
    listener_fd: int
    log_level: str


async def _serve(lifeline: Lifeline, orders: PortalOrders) -> None:
    lifeline.watch()
    listener = socket.socket(fileno=orders.listener_fd)
    listener.setblocking(False)

    def ready() -> None:
        lifeline.ready()
        _log.info("portal_ready")

    await serve_portal(orders.portal, listener, lifeline.stop, ready, utc_now)
    _log.info("portal_stopped")


def main() -> None:
    """Serve until the parent says stop or is gone."""
    lifeline = Lifeline()
    orders = msgspec.json.decode(lifeline.settings, type=PortalOrders)
    start_log(orders.log_level)
    uvloop.run(_serve(lifeline, orders))


if __name__ == "__main__":
    main()
