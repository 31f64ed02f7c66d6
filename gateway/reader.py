"""What the gateway reads from PostgreSQL beside the door: tables that the cache lacks, keys, what a terminal may show."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from gateway.cache import Name
from ledger import journal
from ledger.core.entry import MOSCOW
from ledger.rebuild import Ambiguous, Found, Unknown, read_tables
from ledger.statements import load_statements
from schemas.acquiring import AcquirerEvent
from schemas.channel import Channel
from schemas.ids import AccountId, ExternalId, PayeeNumber, Space, Transit
from schemas.notification import NamedDesignation

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

    async def name_payments(self, space: Space, ids: Mapping[int, Sequence[str]]) -> dict[int, tuple[ExternalId, str | None]]:
        """Find or fix the id under which each payment is booked: its turn -> (id, a second booked payment it leads to)."""
        turns = [turn for turn, told in ids.items() for _ in told]
        async with self._connection() as connection:
            rows = await connection.fetch(_SQL["name_payments"], space, turns, [one for told in ids.values() for one in told])
        return {turn: (ExternalId(external_id), other) for turn, external_id, other in rows}

    async def has_names(self, space: Space) -> bool:
        """Tell whether ids of a space have ever been told together."""
        async with self._connection() as connection:
            return bool(await connection.fetchval(_SQL["has_names"], space))

    async def find_web_order(self, space: Space, number: str) -> tuple[str, NamedDesignation | None] | None:
        """Return the account's number and the designation of one of our orders at an acquirer, or None."""
        async with self._connection() as connection:
            row = await connection.fetchrow(_SQL["find_web_order"], space, number)
        if row is None:
            return None
        return row[0], msgspec.json.decode(row[1], type=NamedDesignation) if row[1] else None

    async def keep_event(self, channel: Channel, event: AcquirerEvent) -> bool:
        """Keep an event that is no payment; False when its key is known already."""
        async with self._connection() as connection:
            return await connection.fetchval(_SQL["keep_event"], channel.space, channel.number, *_told(event)) is not None

    async def has_event(self, channel: Channel, event: AcquirerEvent) -> bool:
        """Tell whether this very event is kept."""
        async with self._connection() as connection:
            key, act, payment, _, amount, _ = _told(event)
            return bool(await connection.fetchval(_SQL["has_event"], channel.space, key, act, payment, amount))

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


def _told(event: AcquirerEvent) -> tuple[str, str, str, str, int, datetime | None]:
    return event.key, event.act.value, event.payment, event.order, event.amount_kopecks, event.event_at


async def _nothing(_connection: object) -> None:
    """Skip the session reset: no statement here leaves anything behind."""
