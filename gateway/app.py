"""The HTTP application of one gateway process: a route a channel, metrics, health."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

import msgspec
from aiohttp import web
from aiohttp.typedefs import Middleware

from connectors.banks.feed_errors import PROBLEM_CONTENT_TYPE
from gateway import metrics
from gateway.checks import Checks
from gateway.parking import Parking
from gateway.pipeline import Pipeline
from gateway.routes.bank import BankRoutes
from gateway.routes.terminals import TerminalRoutes
from gateway.settings import GatewaySettings
from schemas.channel import Channel, ChannelKind
from schemas.ids import Space

Respond = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Rooms(msgspec.Struct, frozen=True, kw_only=True):
    """What the routes lead to. ``ready`` raises when the process must not be sent payments now.

    ``stopping`` tells that every answer must be the last on its connection.
    """

    pipeline: Pipeline
    checks: Checks
    parking: Parking
    ready: Callable[[], Awaitable[None]]
    unready_errors: tuple[type[Exception], ...]
    stopping: Callable[[], bool]


def make_app(settings: GatewaySettings, rooms: Rooms, utc_now: Callable[[], datetime]) -> web.Application:
    """Build the application for the configured channels."""
    app = web.Application(
        client_max_size=max((channel.body_bytes_max for channel in settings.channels), default=0) + 1,
        middlewares=[in_our_words(rooms.stopping)],
    )
    spaces = {name: Space(number) for name, number in settings.spaces}
    for channel in settings.channels:
        _add_channel(app, channel, rooms, (spaces, utc_now))
    app.router.add_get("/metrics", _metrics)
    app.router.add_get("/healthz", _healthz)
    app.router.add_get("/readyz", _readyz(rooms))
    return app


def _add_channel(
    app: web.Application, channel: Channel, rooms: Rooms, bank: tuple[Mapping[str, Space], Callable[[], datetime]]
) -> None:
    match channel.kind:
        case ChannelKind.OSMP:
            answer = TerminalRoutes(channel, rooms.pipeline, rooms.checks).osmp
            app.router.add_get(f"/osmp/{channel.name}", answer, allow_head=False)
            app.router.add_post(f"/osmp/{channel.name}", answer)
        case ChannelKind.SBER_ONLINE:
            answer = TerminalRoutes(channel, rooms.pipeline, rooms.checks).sber_online
            app.router.add_get(f"/sber/{channel.name}", answer, allow_head=False)
        case ChannelKind.BANK_FEED:
            routes = BankRoutes(channel, rooms.pipeline, rooms.parking, *bank)
            app.router.add_post(f"/bank/{channel.name}/payments", routes.payments)
            app.router.add_post(f"/bank/{channel.name}/statement-lines", routes.statement_lines)


def in_our_words(stopping: Callable[[], bool]) -> Middleware:
    """Turn the framework's own refusals (no such route, wrong method, body too large) into problems by RFC 9457.

    Counterparties of a stopping process are asked to come back on a new connection, which a sibling or successor takes.
    """

    @web.middleware
    async def answer(request: web.Request, handler: Respond) -> web.StreamResponse:
        try:
            response = await handler(request)
        except web.HTTPException as error:
            response = _problem(error.status, error.reason, dict(error.headers))
        if stopping():
            response.force_close()
        return response

    return answer


def _problem(status: int, title: str, headers: Mapping[str, str]) -> web.Response:
    body = msgspec.json.encode({"type": f"/problems/http-{status}", "title": title, "status": status})
    kept = {name: value for name, value in headers.items() if name.lower() in ("allow", "retry-after")}
    return web.Response(status=status, body=body, headers={**kept, "Content-Type": PROBLEM_CONTENT_TYPE})


async def _metrics(_request: web.Request) -> web.Response:
    return web.Response(body=metrics.render(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


async def _healthz(_request: web.Request) -> web.Response:
    return web.json_response({"status": "alive"})


def _readyz(rooms: Rooms) -> Respond:
    async def answer(_request: web.Request) -> web.Response:
        try:
            await rooms.ready()
        except rooms.unready_errors as error:
            return web.json_response({"status": "not ready", "reason": type(error).__name__}, status=503)
        return web.json_response({"status": "ready"})

    return answer
