"""The HTTP server of one gateway process: a route a channel, metrics, health."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from aiohttp import web

from connectors.banks.feed_errors import PROBLEM_CONTENT_TYPE
from gateway import metrics
from gateway.acquiring import EventTaker
from gateway.aliases import Names, NamingPipeline
from gateway.checks import Checks
from gateway.decoders import METHODS, PATHS, TAKEN, decoder_of
from gateway.parking import Parking
from gateway.pipeline import Pipeline
from gateway.routes.acquiring import AcquirerRoute
from gateway.routes.bank import BankRoutes
from gateway.routes.terminals import TerminalRoutes
from gateway.settings import GatewaySettings
from schemas.channel import Channel, ChannelKind
from schemas.ids import Space

Respond = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Rooms(msgspec.Struct, frozen=True, kw_only=True):
    """What the routes lead to. ``ready`` raises when the process must not be sent payments now.

    ``stopping`` tells that every answer must be the last on its connection.
    """

    pipeline: Pipeline
    names: Names
    events: EventTaker
    checks: Checks
    parking: Parking
    ready: Callable[[], Awaitable[None]]
    unready_errors: tuple[type[Exception], ...]
    stopping: Callable[[], bool]


class Routes:
    """Finds the route of a request by method and path, and turns refusals of form into problems by RFC 9457.

    A plain dictionary on aiohttp's low-level server: the paths are few and fixed, and an application's resolver and
    middlewares cost a fifth of what HTTP costs (docs/decisions/0007).
    """

    def __init__(self, stopping: Callable[[], bool]):
        self._stopping = stopping
        self._routes: dict[tuple[str, str], Respond] = {}
        self._methods: dict[str, list[str]] = {}

    def add(self, method: str, path: str, respond: Respond) -> None:
        """Answer ``method`` on ``path`` by ``respond``."""
        assert (method, path) not in self._routes, f"two routes for {method} {path}"
        self._routes[method, path] = respond
        self._methods.setdefault(path, []).append(method)

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request.

        Counterparties of a stopping process are asked to come back on a new connection, which a sibling or successor takes.
        """
        path = request.rel_url.raw_path
        respond = self._routes.get((request.method, path))
        if respond is None:
            response: web.StreamResponse = self._nowhere(path)
        else:
            try:
                response = await respond(request)
            except web.HTTPException as error:
                response = _problem(error.status, error.reason, {})
        if self._stopping():
            response.force_close()
        return response

    def _nowhere(self, path: str) -> web.Response:
        methods = self._methods.get(path)
        if methods is None:
            return _problem(404, "Not Found", {})
        return _problem(405, "Method Not Allowed", {"Allow": ", ".join(sorted(methods))})


def make_server(settings: GatewaySettings, rooms: Rooms, utc_now: Callable[[], datetime], **limits: Any) -> web.Server:
    """Build the HTTP server of the configured channels; ``limits`` are aiohttp's for a connection."""
    routes = Routes(rooms.stopping)
    spaces = {name: Space(number) for name, number in settings.spaces}
    for channel in settings.channels:
        _add_channel(routes, channel, rooms, (spaces, utc_now))
    routes.add("GET", "/metrics", _metrics)
    routes.add("GET", "/healthz", _healthz)
    routes.add("GET", "/readyz", _readyz(rooms))
    body_bytes_max = max((channel.body_bytes_max for channel in settings.channels), default=0) + 1
    loop = asyncio.get_running_loop()

    def request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
        return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=body_bytes_max)

    return web.Server(routes, request_factory=request, access_log=None, **limits)


def _add_channel(
    routes: Routes, channel: Channel, rooms: Rooms, bank: tuple[Mapping[str, Space], Callable[[], datetime]]
) -> None:
    pipeline = NamingPipeline(rooms.pipeline, rooms.names) if rooms.names.asks_all(channel) else rooms.pipeline
    match channel.kind:
        case ChannelKind.OSMP:
            answer = TerminalRoutes(channel, pipeline, rooms.checks).osmp
            routes.add("GET", f"/osmp/{channel.name}", answer)
            routes.add("POST", f"/osmp/{channel.name}", answer)
        case ChannelKind.SBER_ONLINE:
            routes.add("GET", f"/sber/{channel.name}", TerminalRoutes(channel, pipeline, rooms.checks).sber_online)
        case ChannelKind.BANK_FEED:
            told = BankRoutes(channel, pipeline, rooms.parking, *bank)
            routes.add("POST", f"/bank/{channel.name}/payments", told.payments)
            routes.add("POST", f"/bank/{channel.name}/statement-lines", told.statement_lines)
        case ChannelKind.RBS | ChannelKind.TBANK | ChannelKind.TOCHKA:
            decode = decoder_of(channel.kind, channel.acquirer, channel.secrets)
            acquirer = AcquirerRoute(channel, rooms.events, decode, TAKEN[channel.kind])
            for method in METHODS[channel.kind]:
                routes.add(method, f"/{PATHS[channel.kind]}/{channel.name}", acquirer.told)
        case ChannelKind.REGISTER | ChannelKind.STATEMENT:
            # They come as files or are fetched (gateway/intake.py).
            return


def _problem(status: int, title: str, headers: Mapping[str, str]) -> web.Response:
    body = msgspec.json.encode({"type": f"/problems/http-{status}", "title": title, "status": status})
    return web.Response(status=status, body=body, headers={**headers, "Content-Type": PROBLEM_CONTENT_TYPE})


async def _metrics(_request: web.BaseRequest) -> web.Response:
    return web.Response(body=metrics.render(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


async def _healthz(_request: web.BaseRequest) -> web.Response:
    return web.json_response({"status": "alive"})


def _readyz(rooms: Rooms) -> Respond:
    async def answer(_request: web.BaseRequest) -> web.Response:
        try:
            await rooms.ready()
        except rooms.unready_errors as error:
            return web.json_response({"status": "not ready", "reason": type(error).__name__}, status=503)
        return web.json_response({"status": "ready"})

    return answer
