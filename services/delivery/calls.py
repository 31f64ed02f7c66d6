"""Calls into code that is not delivery's own: connectors and desks. Whatever comes out of them is told apart here."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg

from ledger.feed import Connection
from schemas.delivery import Accepted, Answer, Done, Outgoing, Refused, Unknown
from services.delivery.desk import Desk

UNREACHABLE = (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError, asyncpg.PostgresError)
"""PostgreSQL is away or does not do what delivery itself asks of it: the same must be tried again as it is."""
CONTENDED = (
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    asyncpg.InsufficientResourcesError,
)
"""The transaction met others or took too long: it may succeed when tried again, better alone."""


def heed_cancellation() -> None:
    """Raise CancelledError in a task that was cancelled: a connection lost meanwhile puts its own error in that one's place."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


class Bug(Exception):
    """A connector or a desk did what it must never do. ``reason`` is fit for a reader's eyes: it quotes nothing."""

    def __init__(self, reason: str, cause: Exception) -> None:
        super().__init__(reason)
        self.reason = reason
        self.__cause__ = cause


async def call(method: Callable[[Outgoing], Awaitable[Answer]], order: Outgoing, call_ms_max: int) -> Answer:
    """Call a connector's send or ask; raises Bug. An answer that does not come in time is Unknown."""
    try:
        async with asyncio.timeout(call_ms_max / 1000) as patience:
            answer = await method(order)
            if not isinstance(answer, Answer):
                raise TypeError(f"{type(answer).__name__} is no answer")
            return answer
    # A delivery loop: a bug on the way of one order must not stop the others.
    except Exception as error:
        if isinstance(error, TimeoutError) and patience.expired():
            return Unknown(reason=f"the connector had no answer in {call_ms_max} ms")
        raise Bug(f"the connector failed: {type(error).__name__}", error) from error


async def settle(desk: Desk, connection: Connection, order: Outgoing, answer: Done | Refused | Accepted) -> None:
    """Call a desk; raises Bug, or of UNREACHABLE and CONTENDED what happened to its transaction."""
    try:
        await desk.settle(connection, order, answer)
    # A delivery loop: a bug in one owner's consequences must not stop the other orders.
    except Exception as error:
        if isinstance(error, CONTENDED):
            raise
        if connection.is_closed():
            raise asyncpg.InterfaceError("the connection was lost under an owner's desk") from error
        raise Bug(f"the owner's desk failed: {type(error).__name__}", error) from error
