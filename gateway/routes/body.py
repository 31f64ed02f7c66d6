"""Reading a request's body within a time: half a message must not hold a connection, or a stopping process, for ever."""

import asyncio

from aiohttp import web

BODY_PATIENCE_S = 10.0


async def read_body(request: web.BaseRequest) -> bytes:
    """Return the body; one that does not arrive in time raises HTTPRequestTimeout, one too large what aiohttp raises."""
    if request.content.is_eof():
        return await request.read()
    try:
        async with asyncio.timeout(BODY_PATIENCE_S):
            return await request.read()
    except TimeoutError as error:
        raise web.HTTPRequestTimeout from error
