"""The database as the API sees it: one transaction a request, entered by the caller's credential."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import asyncpg

from ledger.feed import Connection
from ledger.statements import load_statements
from portal.access.credentials import SECRET_CHARACTERS_MAX, hash_of
from portal.api.answering import Stored
from portal.api.operations import Caller, Scope
from portal.api.problems import Problem, ProblemType

SQL = load_statements("portal/access/doors.sql")

_SCOPES = {scope.value: scope for scope in Scope}


class AccessDoors:
    """``portal`` logs in as kopeck_portal, which sees tenants' views alone; ``services`` as kopeck_services, for writes."""

    def __init__(self, portal: "asyncpg.Pool[Any]", services: "asyncpg.Pool[Any]") -> None:
        self._portal, self._services = portal, services

    async def authenticate(self, bearer: str, now: datetime) -> Caller | None:
        """Return the holder of an API key, client secret or token. The database's clock decides what has expired, not ``now``."""
        if len(bearer) > SECRET_CHARACTERS_MAX:
            return None
        proof = hash_of(bearer)
        async with self._portal.acquire() as connection, connection.transaction(readonly=True):
            row = await connection.fetchrow(SQL["enter_client"], proof)
        if row is None:
            return None
        scopes = frozenset(_SCOPES[name] for name in row["scopes"] if name in _SCOPES)
        return Caller(
            number=row["organisation"],
            organisation=row["code"],
            kind=row["kind"],
            credential=row["credential"],
            scopes=scopes,
            proof=proof,
        )

    @asynccontextmanager
    async def reading(self, caller: Caller) -> AsyncIterator[Connection]:
        """Open one snapshot that the caller's rows are read in."""
        async with self._portal.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            await _enter(connection, caller)
            yield connection

    @asynccontextmanager
    async def writing(self, caller: Caller) -> AsyncIterator[Connection]:
        """Open a transaction with the services' rights; the views of ``tenant`` say there too what the caller may touch."""
        async with self._services.acquire() as connection, connection.transaction():
            await connection.execute(SQL["hurry"])
            await _enter(connection, caller)
            yield connection

    async def recall(self, connection: Connection, caller: Caller, key: str, fingerprint: bytes) -> Stored | None:
        """Claim the key, or return what it was answered; a claim that is under way elsewhere is waited for, then it is BUSY."""
        if await connection.fetchval(SQL["claim"], caller.number, key, fingerprint):
            return None
        row = await connection.fetchrow(SQL["recall"], caller.number, key)
        if row is None or row["status"] is None:
            raise Problem(ProblemType.IN_PROGRESS, headers={"Retry-After": "1"})
        return Stored(fingerprint=row["fingerprint"], status=row["status"], location=row["location"], body=row["body"])

    async def keep(self, connection: Connection, caller: Caller, key: str, stored: Stored) -> None:
        """Keep the answer in the transaction that it is the answer of."""
        await connection.execute(SQL["keep"], caller.number, key, stored.status, stored.location, stored.body)


async def _enter(connection: Connection, caller: Caller) -> None:
    """Enter by the credential again: one revoked since is refused here, whatever a process remembers."""
    row = await connection.fetchrow(SQL["enter_client"], caller.proof)
    if row is None or row["organisation"] != caller.number:
        raise Problem(ProblemType.UNAUTHENTICATED)
