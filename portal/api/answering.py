"""A request's way through the API: who asks, may they, how often, what exactly, once; and the answer's headers.

Nothing below this file knows HTTP, and nothing above it knows what an operation does.
"""

import hashlib
import secrets
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

import asyncpg
import msgspec
import structlog
from aiohttp import web

from ledger.feed import Connection
from portal.api.decoding import check_text, decode_body, decode_query, query_lists
from portal.api.limits import Buckets, RateLimit
from portal.api.operations import Call, Caller, Created, Operation
from portal.api.problems import PROBLEM_CONTENT_TYPE, FieldFault, Problem, ProblemType, Told, language_of, problem_body

BODY_BYTES_MAX = 8_000_000
KEY_CHARACTERS = range(8, 129)
REALM = 'Bearer realm="kopeck"'
_BUSY = (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError)
_AWAY = (asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError, asyncpg.InterfaceError, OSError, TimeoutError)

_log = structlog.get_logger("kopeck.api")


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """What a write was answered, kept under its Idempotency-Key. ``fingerprint`` is of the request."""

    fingerprint: bytes
    status: int
    location: str
    body: bytes


class Doors(Protocol):
    """What the API needs of the house (portal/access)."""

    async def authenticate(self, bearer: str, now: datetime) -> Caller | None:
        """Return who holds this credential, or None for one that is unknown, expired or revoked."""

    def reading(self, caller: Caller) -> AbstractAsyncContextManager[Connection]:
        """Open a read-only transaction that sees the caller's rows alone."""

    def writing(self, caller: Caller) -> AbstractAsyncContextManager[Connection]:
        """Open a transaction with the rights that a write needs; it is rolled back when the block raises."""

    async def recall(self, connection: Connection, caller: Caller, key: str, fingerprint: bytes) -> Stored | None:
        """Return what was kept under the caller's key, or claim it; waits for another transaction that holds it."""

    async def keep(self, connection: Connection, caller: Caller, key: str, stored: Stored) -> None:
        """Keep the answer under the claimed key, in the write's own transaction."""


class Edges(msgspec.Struct, frozen=True, kw_only=True):
    """What comes in from outside: the time of day, a clock for limits, the limits."""

    utc_now: Callable[[], datetime]
    monotonic_ms: Callable[[], int]
    rate_limit: RateLimit = RateLimit()


class DryRun(msgspec.Struct, frozen=True, kw_only=True):
    """What every write takes beside its own parameters."""

    dry_run: bool = False


class _RolledBack(Exception):
    """Ends a dry run's transaction; its answer is kept outside."""


class Answering:
    """Answers requests of operations."""

    def __init__(self, doors: Doors, edges: Edges) -> None:
        self._doors, self._edges = doors, edges
        self._buckets = Buckets(edges.rate_limit)

    def route(self, operation: Operation) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Return aiohttp's handler of an operation."""

        async def respond(request: web.Request) -> web.Response:
            return await self.answer(request, lambda told: self._carry_out(operation, request, told))

        return respond

    async def answer(self, request: web.Request, work: Callable[[dict[str, str]], Awaitable[web.Response]]) -> web.Response:
        """Run ``work`` and turn what it raises into a problem; ``told`` collects headers that every answer gets."""
        request_id = secrets.token_hex(8)
        told = {"X-Request-Id": request_id, "Cache-Control": "private, no-cache", "Vary": "Accept-Language, Authorization"}
        try:
            response = await work(told)
        except Problem as problem:
            response = _refuse(problem, request, told)
        except web.HTTPRequestEntityTooLarge:
            response = _refuse(Problem(ProblemType.TOO_LARGE), request, told)
        except _BUSY as error:
            _log.warning("api_busy", request_id=request_id, error=type(error).__name__)
            response = _refuse(Problem(ProblemType.IN_PROGRESS, headers={"Retry-After": "1"}), request, told)
        except _AWAY as error:
            _log.error("api_unavailable", request_id=request_id, error=type(error).__name__)
            response = _refuse(Problem(ProblemType.UNAVAILABLE, headers={"Retry-After": "5"}), request, told)
        # Whatever failed, the caller gets a problem whose number the log knows, and nothing of the error itself.
        except Exception:
            _log.exception("api_failed", request_id=request_id, path=request.rel_url.raw_path)
            response = _refuse(Problem(ProblemType.INTERNAL), request, told)
        response.headers.update(told)
        return response

    async def _carry_out(self, operation: Operation, request: web.Request, told: dict[str, str]) -> web.Response:
        caller = await self._caller(request, told)
        if operation.scope not in caller.scopes:
            scope = operation.scope.value
            raise Problem(ProblemType.SCOPE_MISSING, Told(f"Нужно право {scope}", f"The scope {scope} is needed"))
        if operation.is_write:
            return await self._write(operation, request, caller)
        call = self._call(operation, request, caller)
        async with self._doors.reading(caller) as connection:
            answer = await operation.handler(msgspec.structs.replace(call, connection=connection))
        body = msgspec.json.encode(answer.body if isinstance(answer, Created) else answer)
        return _conditional(request, body)

    async def _caller(self, request: web.Request, told: dict[str, str]) -> Caller:
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        caller = None
        if scheme.lower() == "bearer" and bearer.strip():
            caller = await self._doors.authenticate(bearer.strip(), self._edges.utc_now())
        if caller is None:
            raise Problem(ProblemType.UNAUTHENTICATED, headers={"WWW-Authenticate": REALM})
        allowance = self._buckets.take(caller.credential, self._edges.monotonic_ms())
        told |= allowance.headers(self._edges.rate_limit)
        if allowance.wait_s:
            raise Problem(ProblemType.TOO_MANY_REQUESTS)
        return caller

    def _call(self, operation: Operation, request: web.Request, caller: Caller, body: msgspec.Struct | None = None) -> Call:
        query = query_lists(request.query.items())
        is_dry_run = operation.is_write and decode_query({"dry_run": query.pop("dry_run", [])}, DryRun).dry_run
        path = {name: check_text(part, "path", f"/{name}") for name, part in request.match_info.items()}
        return Call(
            caller=caller,
            connection=None,  # given once its transaction is open
            path=path,
            query=decode_query(query, operation.query),
            body=body,
            now=self._edges.utc_now(),
            is_dry_run=is_dry_run,
        )

    async def _write(self, operation: Operation, request: web.Request, caller: Caller) -> web.Response:
        key = _idempotency_key(request)
        content = await request.read()
        body = None
        if operation.body is not None:
            if request.content_type != "application/json":
                raise Problem(ProblemType.UNSUPPORTED_MEDIA_TYPE)
            body = decode_body(content, operation.body)
        call = self._call(operation, request, caller, body)
        fingerprint = hashlib.sha256(b"\0".join([operation.name.encode(), request.rel_url.raw_path.encode(), content])).digest()
        stored, replayed = None, False
        try:
            async with self._doors.writing(caller) as connection:
                if not call.is_dry_run:
                    stored = await self._doors.recall(connection, caller, key, fingerprint)
                    replayed = stored is not None
                if stored is None:
                    answer = await operation.handler(msgspec.structs.replace(call, connection=connection))
                    stored = _stored(answer, operation.status, fingerprint)
                    if call.is_dry_run:
                        raise _RolledBack
                    await self._doors.keep(connection, caller, key, stored)
        except _RolledBack:
            assert stored is not None and call.is_dry_run
        if stored.fingerprint != fingerprint:
            raise Problem(ProblemType.IDEMPOTENCY_KEY_REUSED)
        headers = {"Idempotency-Replayed": "true"} if replayed else {"Dry-Run": "true"} if call.is_dry_run else {}
        if stored.location:
            headers["Location"] = stored.location
        return web.Response(status=stored.status, body=stored.body, content_type="application/json", headers=headers)


def _stored(answer: msgspec.Struct | Created, status: int, fingerprint: bytes) -> Stored:
    if isinstance(answer, Created):
        body = msgspec.json.encode(answer.body)
        return Stored(fingerprint=fingerprint, status=answer.status, location=answer.location, body=body)
    return Stored(fingerprint=fingerprint, status=status, location="", body=msgspec.json.encode(answer))


def _idempotency_key(request: web.Request) -> str:
    keys = request.headers.getall("Idempotency-Key", [])
    if not keys:
        raise Problem(ProblemType.IDEMPOTENCY_KEY_MISSING)
    key = keys[0]
    if len(keys) > 1 or len(key) not in KEY_CHARACTERS or not key.isascii() or not key.isprintable():
        detail = Told("Один заголовок, 8–128 знаков ASCII", "One header of 8 to 128 ASCII characters")
        fault = FieldFault(place="header", pointer="/Idempotency-Key", detail=detail)
        raise Problem(ProblemType.INVALID, None, (fault,))
    return key


def _conditional(request: web.Request, body: bytes) -> web.Response:
    """Answer 304 to a caller who has this very body (RFC 9110 §13.1.2)."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    known = [one.strip().removeprefix("W/") for one in request.headers.get("If-None-Match", "").split(",")]
    if tag in known or "*" in known:
        return web.Response(status=304, headers={"ETag": tag})
    return web.Response(body=body, content_type="application/json", headers={"ETag": tag})


def _refuse(problem: Problem, request: web.Request, told: dict[str, str]) -> web.Response:
    language = language_of(request.headers.get("Accept-Language", ""))
    body = problem_body(problem, language, told["X-Request-Id"])
    headers = {**problem.headers, "Content-Language": language}
    return web.Response(status=problem.kind.status, body=body, content_type=PROBLEM_CONTENT_TYPE, headers=headers)
