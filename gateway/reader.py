"""What the gateway reads from PostgreSQL beside the door: tables that the cache lacks, keys, what a terminal may show."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg

from gateway.cache import Name
from ledger import journal
from ledger.core.entry import MOSCOW
from ledger.rebuild import Ambiguous, Found, Unknown, read_tables
from ledger.statements import load_statements
from schemas.ids import AccountId, ExternalId, PayeeNumber, Space, Transit

_SQL = load_statements("gateway/gateway.sql")
_PARK = load_statements("ledger/statements/journal.sql")["park"]

Answer = Found | Unknown | Ambiguous

CONNECTIONS_MAX = 4
READ_TIMEOUT_S = 5.0

POSTGRESQL_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
"""What a read may raise when PostgreSQL does not answer; only a retryable answer may follow."""


class Reader:
    """A few connections with nothing to remember between statements."""

    def __init__(self, pool: "asyncpg.Pool[Any]"):
        self._pool = pool

    @classmethod
    async def open(cls, dsn: str) -> "Reader":
        """Open the pool; raises what asyncpg raises when PostgreSQL does not answer."""
        return cls(
            await asyncpg.create_pool(
                dsn, min_size=1, max_size=CONNECTIONS_MAX, command_timeout=READ_TIMEOUT_S, timeout=READ_TIMEOUT_S, reset=_nothing
            )
        )

    async def close(self) -> None:
        """Close the connections, at once if they do not close by themselves."""
        self._pool.terminate()

    async def read_tables(self, names: Sequence[Name], moment: datetime) -> Mapping[Name, Answer]:
        """Return each named account's table at its head, or why there is none; names are looked up as of ``moment``."""
        async with self._connection() as connection:
            return await read_tables(connection, names, moment.astimezone(MOSCOW).date())

    async def find_key(self, space: Space, external_id: ExternalId) -> bool:
        """Tell whether anything is stored under a payment key."""
        async with self._connection() as connection:
            return await journal.find_key(connection, space, external_id) is not None

    async def list_payees(self) -> dict[tuple[str, str], PayeeNumber]:
        """Return the register of payees."""
        async with self._connection() as connection:
            return {(code, service): payee for code, service, payee in await connection.fetch(_SQL["list_payees"])}

    async def find_shown(self, account: AccountId) -> tuple[str, str]:
        """Return the masked name and address of an account; empty texts when there are none."""
        async with self._connection() as connection:
            row = await connection.fetchrow(_SQL["find_shown"], account)
        return (row[0], row[1]) if row is not None else ("", "")

    async def park(self, what: str, transit: Transit, key: tuple[int, Space, ExternalId], content: str) -> None:
        """Keep a case for a person; ``key`` is (channel, space, external id)."""
        async with self._connection() as connection:
            await connection.execute(_PARK, what, transit, *key, content)

    async def ping(self) -> None:
        """Raise unless PostgreSQL answers."""
        async with self._connection() as connection:
            await connection.execute(_SQL["ping"])

    async def notify(self) -> None:
        """Wake the consumers."""
        async with self._connection() as connection:
            await connection.execute(_SQL["notify"])

    def _connection(self) -> "asyncpg.pool.PoolAcquireContext[Any]":
        """Take a connection; the limit holds for waiting for one and, when its statement was given up, for letting it go."""
        return self._pool.acquire(timeout=READ_TIMEOUT_S)


async def _nothing(_connection: object) -> None:
    """Skip the session reset: no statement here leaves anything behind."""
