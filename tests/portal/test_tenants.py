"""Isolation stands in the database: what somebody with the portal's own password can and cannot read."""

import asyncpg
import pytest

from portal.access.credentials import hash_of
from portal.access.doors import SQL as DOORS
from tests.portal.conftest import SQL, PortalHouse


@pytest.fixture
async def portal(house: PortalHouse):  # type: ignore[no-untyped-def]
    """A connection with the portal's password."""
    connection = await asyncpg.connect(house.database.portal_dsn)
    yield connection
    await connection.close()


async def test_the_portal_reads_no_table(house: PortalHouse, portal: "asyncpg.Connection[asyncpg.Record]") -> None:
    tables = [row["format"] for row in await house.owner.fetch(SQL["secret_tables"])]
    assert len(tables) > 50
    readable = []
    for table in tables:
        try:
            if await portal.fetchval(SQL["may_read"], table):
                readable.append(table)
        except asyncpg.InsufficientPrivilegeError:
            continue
    assert readable == []


async def test_views_are_empty_without_a_pass(house: PortalHouse, portal: "asyncpg.Connection[asyncpg.Record]") -> None:
    assert await portal.fetchval(SQL["count_me"]) == 0


@pytest.mark.parametrize("forged", ["1/" + "0" * 64, "1", "x", "", "999999999999/" + "0" * 64, "1/" + "z" * 64])
async def test_a_pass_cannot_be_forged(portal: "asyncpg.Connection[asyncpg.Record]", forged: str) -> None:
    async with portal.transaction():
        await portal.execute(SQL["forge_pass"], forged)
        assert await portal.fetchval(SQL["count_me"]) == 0


async def test_a_pass_is_good_for_its_transaction_alone(house: PortalHouse, portal: "asyncpg.Connection[asyncpg.Record]") -> None:
    async with portal.transaction():
        await portal.fetchrow(DOORS["enter_client"], hash_of(house.keys["operator"]))
        kept = await portal.fetchval(SQL["current_pass"])
        assert await portal.fetchval(SQL["count_me"]) == 1
    assert await portal.fetchval(SQL["count_me"]) == 0
    async with portal.transaction():
        await portal.execute(SQL["forge_pass"], kept)
        assert await portal.fetchval(SQL["count_me"]) == 0
