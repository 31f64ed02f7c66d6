"""The API as an aiohttp application: operations, their description, the explorer, tokens."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import msgspec
from aiohttp import web
from aiohttp.typedefs import Middleware

from portal.api.answering import BODY_BYTES_MAX, Answering, Doors, Edges
from portal.api.openapi import describe
from portal.api.operations import Operation
from portal.api.problems import Problem, ProblemType

EXPLORER = Path(__file__).parent / "explorer.html"
_SECURITY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

Respond = Callable[[web.Request], Awaitable[web.StreamResponse]]


def make_api(operations: Sequence[Operation], doors: Doors, edges: Edges) -> web.Application:
    """Build the application; paths start at ``/v1``."""
    answering = Answering(doors, edges)
    app = web.Application(middlewares=[_nowhere_of(answering)], client_max_size=BODY_BYTES_MAX)
    for operation in operations:
        app.router.add_route(operation.method, operation.path, answering.route(operation))
    description = msgspec.json.encode(describe(operations))
    app.router.add_get("/v1/openapi.json", _fixed(description, "application/json"))
    app.router.add_get("/v1/docs", _fixed(EXPLORER.read_bytes(), "text/html"))
    for name, kind in (("explorer.js", "text/javascript"), ("explorer.css", "text/css")):
        app.router.add_get(f"/v1/{name}", _fixed((EXPLORER.parent / name).read_bytes(), kind))
    return app


def _fixed(content: bytes, content_type: str) -> Respond:
    async def respond(_request: web.Request) -> web.Response:
        return web.Response(body=content, content_type=content_type, charset="utf-8", headers=_SECURITY)

    return respond


def _nowhere_of(answering: Answering) -> Middleware:
    """Turn what the router refuses by itself into problems."""

    @web.middleware
    async def nowhere(request: web.Request, handler: Respond) -> web.StreamResponse:
        error = request.match_info.http_exception
        if error is None:
            return await handler(request)

        async def refuse(_told: dict[str, str]) -> web.Response:
            if isinstance(error, web.HTTPMethodNotAllowed):
                raise Problem(ProblemType.METHOD_NOT_ALLOWED, headers={"Allow": ", ".join(sorted(error.allowed_methods))})
            raise Problem(ProblemType.NOT_FOUND)

        return await answering.answer(request, refuse)

    return nowhere
