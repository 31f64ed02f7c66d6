"""The portal's HTTP server: pools of both roles, the API, health; stops once what it accepted is answered."""

import asyncio
import socket
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import datetime

import asyncpg
import msgspec
from aiohttp import web

from portal.access.doors import AccessDoors
from portal.access.tokens import TokenRoute
from portal.api.answering import Edges
from portal.api.app import make_api
from portal.api.v1.catalogue import OPERATIONS

CONNECTIONS_MAX = 8
CONNECT_TIMEOUT_S = 10
READ_TIMEOUT_MS = 5_000
"""No reading holds a snapshot longer (design W3); exports go page by page."""
SHUTDOWN_S = 15.0


class PortalSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Addresses of both roles: kopeck_portal reads, kopeck_services writes."""

    portal_dsn: str
    services_dsn: str

    def __repr__(self) -> str:
        """Show no password."""
        return "PortalSettings(…)"


async def serve_portal(
    settings: PortalSettings,
    listener: socket.socket,
    stop: asyncio.Event,
    ready: Callable[[], None],
    utc_now: Callable[[], datetime],
) -> None:
    """Serve until ``stop``; ``ready`` is called once requests are answered. Raises what PostgreSQL raises at the start."""
    async with AsyncExitStack() as stack:
        pools = [
            await stack.enter_async_context(
                asyncpg.create_pool(
                    dsn,
                    min_size=1,
                    max_size=CONNECTIONS_MAX,
                    timeout=CONNECT_TIMEOUT_S,
                    server_settings={"statement_timeout": str(READ_TIMEOUT_MS), "application_name": "kopeck-portal"},
                )
            )
            for dsn in (settings.portal_dsn, settings.services_dsn)
        ]
        app = make_api(
            OPERATIONS, AccessDoors(*pools), Edges(utc_now=utc_now, monotonic_ms=lambda: time.monotonic_ns() // 1_000_000)
        )
        app.router.add_get("/healthz", _healthz)
        app.router.add_post("/oauth2/token", TokenRoute(pools[1], utc_now).answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.SockSite(runner, listener).start()
        ready()
        await stop.wait()


async def _healthz(_request: web.Request) -> web.Response:
    return web.Response(text="ok\n")
