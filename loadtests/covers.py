"""The bank's statement beside a load: what channels have promised is covered at once, by the feed's real door."""

import asyncio
from contextlib import suppress
from itertools import count
from typing import Any, TypeAlias

import aiohttp
import asyncpg

from kopeck.clock import utc_now
from kopeck.demo.network import BankFeed, Endpoint
from ledger.statements import load_statements
from loadtests.channels import BANK, BANK_SECRET, TERMINALS, TRANSIT
from loadtests.town import NAMESPACE

Connection: TypeAlias = "asyncpg.Connection[Any]"

COVER_S = 0.25
_SQL = load_statements("loadtests/statements/orders.sql")


class CoverRefused(RuntimeError):
    """A statement line was refused for good."""


async def keep_covering(dsn: str, base_url: str, spaces: dict[int, str], stop: asyncio.Event) -> None:
    """Cover every promise within COVER_S of its commit, until ``stop`` and once more after it; raises CoverRefused."""
    connection: Connection = await asyncpg.connect(dsn)
    try:
        await _cover_until(stop, connection, base_url, spaces)
    finally:
        await connection.close()


async def _cover_until(stop: asyncio.Event, connection: Connection, base_url: str, spaces: dict[int, str]) -> None:
    async with aiohttp.ClientSession() as session:
        feed = BankFeed(session, _endpoint(base_url))
        read, lines = 0, count(1)
        last = False
        while not last:
            last = stop.is_set()
            for row in await connection.fetch(_SQL["list_promises"], read):
                await _cover(feed, f"line-{next(lines)}", spaces[row["space"]], row["amount"])
                read = max(read, row["upto"])
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 0 if last else COVER_S)


async def _cover(feed: BankFeed, key: str, space: str, amount_kopecks: int) -> None:
    at = utc_now()
    while (taken := await feed.cover(key, space, amount_kopecks, at)) is None:
        await asyncio.sleep(COVER_S)
    if not taken:
        raise CoverRefused(f"{key} of {space}: {amount_kopecks} kopecks")


def _endpoint(base_url: str) -> Endpoint:
    place = f"{base_url}/bank/{BANK}"
    return Endpoint(
        name=BANK,
        kind="bank_feed",
        url=f"{place}/payments",
        manner="reporting",
        namespace=NAMESPACE,
        space=BANK,
        transit_account=TRANSIT,
        secret=BANK_SECRET,
        statement_url=f"{place}/statement-lines",
    )


SPACE_NAMES = (TERMINALS, BANK)
"""Operation spaces are named as their channels, in this order."""
