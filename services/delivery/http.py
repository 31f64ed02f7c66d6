"""The real Exchange: one HTTP request by aiohttp, its outcome told apart into «surely not sent» and «may have been sent»."""

import asyncio
import ssl
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Self

import aiohttp
import msgspec
import structlog
from aiohttp.abc import AbstractResolver
from yarl import URL

from schemas.exchange import ExchangeFailed, HttpAnswer, HttpRequest

READ_BYTES = 65_536

_log = structlog.get_logger("kopeck.exchange")


class HttpTerms(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of the exchanges with one counterparty; ``tls`` for a certificate of ours or a root of theirs.

    ``resolver`` for a counterparty that names its own address: it decides where a host name may lead.
    """

    connections_max: int = 64
    connect_ms: int = 5_000
    answer_bytes_max: int = 4_000_000
    keep_alive_s: int = 15
    tls: ssl.SSLContext | None = None
    resolver: AbstractResolver | None = None


class TlsFiles(msgspec.Struct, frozen=True, kw_only=True):
    """Paths of PEM files: our certificate with its key, and the roots the counterparty is trusted by (the system's if None)."""

    certificate: Path | None = None
    key: Path | None = None
    roots: Path | None = None


def client_tls(files: TlsFiles) -> ssl.SSLContext:
    """Make a context that checks the counterparty's certificate and host name; raises OSError for files that do not fit."""
    context = ssl.create_default_context(cafile=None if files.roots is None else str(files.roots))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if files.certificate is not None:
        context.load_cert_chain(files.certificate, files.key)
    return context


class HttpExchange:
    """Exchanges with one counterparty over kept connections: no redirects, no cookies, no proxy of the environment.

    ``async with`` it. Of a request only its method, its URL without the query, the status and the time are ever logged.
    """

    def __init__(self, terms: HttpTerms | None = None) -> None:
        self._terms = terms or HttpTerms()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        terms = self._terms
        trace = aiohttp.TraceConfig()
        # From here on bytes may leave: what fails before has surely not been seen by anybody.
        trace.on_connection_create_end.append(_connected)
        trace.on_connection_reuseconn.append(_connected)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=terms.connections_max,
                keepalive_timeout=terms.keep_alive_s,
                ssl=True if terms.tls is None else terms.tls,
                resolver=terms.resolver,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"user-agent": "Kopeck", "accept": "*/*"},
            skip_auto_headers=("content-type",),
            trust_env=False,
            trace_configs=[trace],
        )
        return self

    async def __aexit__(self, *_error: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def __call__(self, request: HttpRequest) -> HttpAnswer:
        """Make a request; see ``schemas.exchange.Exchange``. An answer over the limit of bytes counts as none."""
        if self._session is None:
            raise RuntimeError("the exchange is not open")
        address = _address(request.url)
        clock = asyncio.get_running_loop().time
        way, began = _Way(), clock()
        outcome: int | str = "cancelled"
        try:
            answer = await self._exchange(self._session, request, address, way)
            outcome = answer.status
            return answer
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            # Their texts may quote an address with its query.
            outcome = "timed out" if isinstance(error, TimeoutError) else type(error).__name__
            raise ExchangeFailed(outcome, sent=way.connected) from None
        except _TooLong as error:
            outcome = str(error)
            raise ExchangeFailed(outcome, sent=True) from None
        finally:
            took_ms = int((clock() - began) * 1000)
            _log.debug("exchange", request=repr(request), outcome=outcome, took_ms=took_ms)

    async def _exchange(self, session: aiohttp.ClientSession, request: HttpRequest, address: URL, way: "_Way") -> HttpAnswer:
        patience = aiohttp.ClientTimeout(total=request.timeout_ms / 1000, connect=self._terms.connect_ms / 1000)
        async with session.request(
            request.method,
            address,
            data=request.body or None,
            headers=request.headers,
            allow_redirects=False,
            timeout=patience,
            trace_request_ctx=way,
        ) as response:
            body = bytearray()
            async for chunk in response.content.iter_chunked(READ_BYTES):
                body += chunk
                if len(body) > self._terms.answer_bytes_max:
                    response.close()
                    raise _TooLong(f"an answer of more than {self._terms.answer_bytes_max} bytes")
            headers = tuple([(name.lower(), value) for name, value in response.headers.items()])
            return HttpAnswer(status=response.status, headers=headers, body=bytes(body))


def _address(url: str) -> URL:
    """The address as it stands, for a signature may cover it."""
    with suppress(ValueError):
        address = URL(url, encoded=True)
        # Its parts are read, and found wrong, only when they are asked for.
        if address.host and address.port:
            return address
    raise ExchangeFailed("not an address", sent=False)


class _Way:
    """How far a request has come."""

    def __init__(self) -> None:
        self.connected = False


class _TooLong(Exception):
    pass


async def _connected(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: object) -> None:
    context.trace_request_ctx.connected = True
