"""A cut is one transaction: the connection dies at its N-th statement, and either all of the cut is there or nothing."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from ledger.chart import AccountKind
from services.settlement.orders import make_orders
from services.settlement.registers import send_registers
from tests.conftest import LedgerDatabase
from tests.services.settlement_town import NOW, SQL, SettlementTown, settlement_town

STATEMENTS_MAX = 200


class DyingConnection:
    """A connection whose backend is ended just before its N-th statement."""

    def __init__(self, connection: Any, killer: Any, fatal: int) -> None:
        self._connection = connection
        self._killer = killer
        self._fatal = fatal
        self.statements = 0

    async def _count(self) -> None:
        self.statements += 1
        if self.statements == self._fatal:
            await self._killer.fetchval(SQL["terminate_others"], self._connection.get_server_pid())

    async def fetch(self, *arguments: Any) -> Any:
        await self._count()
        return await self._connection.fetch(*arguments)

    async def fetchrow(self, *arguments: Any) -> Any:
        await self._count()
        return await self._connection.fetchrow(*arguments)

    async def fetchval(self, *arguments: Any) -> Any:
        await self._count()
        return await self._connection.fetchval(*arguments)

    async def execute(self, *arguments: Any) -> Any:
        await self._count()
        return await self._connection.execute(*arguments)

    def transaction(self, **options: Any) -> Any:
        return self._connection.transaction(**options)


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[SettlementTown]:
    async with settlement_town(ledger_database) as founded:
        yield founded


async def test_a_cut_dies_whole_at_every_statement(town: SettlementTown) -> None:
    await town.pay(("heating", 700), ("cold_water", 300), ("capital_repair", 50))
    await town.cover(1_050)
    await town.fold()
    nothing = dict(await town.owner.fetchrow(SQL["all_of_settlement"]))
    fatal, died = 1, True
    while died:
        assert fatal < STATEMENTS_MAX
        connection = await asyncpg.connect(town.database.services_dsn)
        dying = DyingConnection(connection, town.owner, fatal)
        try:
            report = await make_orders(dying, town.transit, NOW)  # type: ignore[arg-type]
            died = False
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError):
            assert dict(await town.owner.fetchrow(SQL["all_of_settlement"])) == nothing
            fatal += 1
        finally:
            connection.terminate()
    assert fatal > 20, "a cut has that many statements at least"
    assert report.ordered == 1_050
    await town.assert_sound()


async def test_a_register_dies_whole_at_every_statement(town: SettlementTown) -> None:
    await town.pay(("heating", 700), ("cold_water", 300))
    await town.cover(1_000)
    await town.cut()
    nothing = dict(await town.owner.fetchrow(SQL["all_of_settlement"]))
    fatal, died = 1, True
    while died:
        assert fatal < STATEMENTS_MAX
        connection = await asyncpg.connect(town.database.services_dsn)
        try:
            sent = await send_registers(DyingConnection(connection, town.owner, fatal), town.transit, NOW)  # type: ignore[arg-type]
            died = False
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError):
            assert dict(await town.owner.fetchrow(SQL["all_of_settlement"]))["outgoing"] in (0, 1)
            if dict(await town.owner.fetchrow(SQL["all_of_settlement"]))["outgoing"]:
                break
            assert dict(await town.owner.fetchrow(SQL["all_of_settlement"])) == nothing
            fatal += 1
        finally:
            connection.terminate()
    else:
        assert sent == ("1-261124-1",)
    assert len(await town.owner.fetch(SQL["outgoing"])) == 1
    assert [order["state"] for order in await town.orders()] == [2, 2]
    assert await town.balance(town.of_transit(AccountKind.OUTGOING)) == -1_000
    await town.assert_sound()
