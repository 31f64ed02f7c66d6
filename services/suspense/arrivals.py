"""Second halves of releases to another book: what departed is given to its account, or comes back (design W7).

A departure's row is made in the transaction of its entry, so none is forgotten; an arrival has its own key, so none is doubled.
While one is under way its in_transfer account is not nought and no day closes (services/days.py).
"""

import msgspec
import structlog

from ledger.feed import Connection
from ledger.release import FINAL, NotReleased, Reason, arrive, come_back
from ledger.statements import load_statements
from schemas.ids import Book, Sequence

_SQL = load_statements("services/suspense/decisions.sql")

TAKEN_MAX = 200

_log = structlog.get_logger("kopeck.suspense")

BACK = {
    Reason.ACCOUNT_UNKNOWN: "лицевого счёта больше нет",
    Reason.ACCOUNT_CLOSED: "лицевой счёт закрыт",
    Reason.ADVANCE_NOT_TAKEN: "счёт уже оплачен, аванс не принимается",
}
assert set(BACK) == FINAL, "whatever comes back has its reason in words"


class Arrivals(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the parts on their way; ``waiting``: place of the item and why it cannot arrive yet."""

    arrived: int
    came_back: int
    waiting: tuple[tuple[str, str], ...]


async def bring_arrivals(connection: Connection, parts_max: int = TAKEN_MAX) -> Arrivals:
    """Try every part on its way, each in a transaction of its own."""
    arrived = came_back = 0
    waiting: list[tuple[str, str]] = []
    for row in await connection.fetch(_SQL["list_on_their_way"], parts_max):
        key = (Book(row["book"]), Sequence(row["item"]), int(row["part"]))
        try:
            done = await _bring(connection, key)
        except NotReleased as error:
            waiting.append((f"{key[0]}:{key[1]}", str(error)))
            _log.warning("release_waits", item=f"{key[0]}:{key[1]}", part=key[2], reason=str(error))
            continue
        arrived += done is True
        came_back += done is False
    return Arrivals(arrived=arrived, came_back=came_back, waiting=tuple(waiting))


async def _bring(connection: Connection, key: tuple[Book, Sequence, int]) -> bool | None:
    """True: arrived; False: came back; None: another is at it, or was."""
    book = key[0]
    async with connection.transaction():
        row = await connection.fetchrow(_SQL["lock_on_its_way"], *key)
        if row is None:
            return None
        try:
            place = await arrive(connection, book, row["sequence"])
        except NotReleased as error:
            if error.reason not in FINAL:
                raise
            await _take_back(connection, key, row["sequence"], int(row["amount"]), BACK[error.reason])
            return False
        await connection.execute(_SQL["mark_arrived"], *key, *place)
    return True


async def _take_back(connection: Connection, key: tuple[Book, Sequence, int], departed: Sequence, amount: int, why: str) -> None:
    """Rows before heads: whoever decides about the item locks it first too."""
    book, item, _ = key
    await connection.fetchrow(_SQL["lock_item"], book, item)
    sequence = await come_back(connection, book, departed, why)
    await connection.execute(_SQL["mark_come_back"], *key, sequence, why)
    await connection.execute(_SQL["take_released"], book, item, -amount)
    _log.warning("release_came_back", item=f"{book}:{item}", part=key[2], reason=why)
