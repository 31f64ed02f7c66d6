"""Statements read from a bank client: what they tell of orders becomes entries, once, and the rest is left to others."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from random import Random

import msgspec
import pytest

from connectors.sandbox.bank import FakeBank
from connectors.sandbox.bank_orders import BankOptions, Credit
from connectors.sandbox.faults import HEALTHY, FaultProfile, FaultyExchange
from connectors.transfers.client_bank import ClientBank, ClientBankSettings
from connectors.transfers.statement import Statement
from ledger.chart import AccountKind
from schemas.exchange import HttpAnswer, HttpRequest
from schemas.transfer import BankParty, TransferBatch, TransferState
from services.settlement.reading import ReadReport, days_to_read, offer_movements, read_statement_of
from services.settlement.statement import list_unrecognised
from tests.conftest import LedgerDatabase
from tests.services.settlement_town import DAY, NOW, TRANSIT_ACCOUNT, SettlementTown, settlement_town
from tests.services.test_settlement_bank import sent

S = TransferState
LATER = NOW + timedelta(hours=1)
COVERER = BankParty(name="Эквайер", inn="7700000000", kpp="", account="30232810000000000001", bic="044525593")


class Bank:
    """The sandbox's bank with the register's orders in it, and its client to read the statement by."""

    def __init__(self, faults: FaultProfile = HEALTHY, **options: int) -> None:
        self.fake = FakeBank(BankOptions(accounts=(TRANSIT_ACCOUNT,), delay_ms=1_000, **options))
        self._settings = ClientBankSettings(
            folder_url="http://bank/folder",
            statement_url="http://bank/statement?account={account}&from={from}&to={to}",
            signed=False,
        )
        self.now = LATER
        exchange = FaultyExchange(self.fake, faults, draw=Random(1).randrange, now=lambda: self.now)
        self.client = ClientBank(self._settings, exchange, None, lambda: self.now)

    def spoilt(self, right: str, wrong: str) -> ClientBank:
        """A client that gets the statement with one text in place of another."""

        async def exchange(request: HttpRequest) -> HttpAnswer:
            answer = self.fake.handle(request, self.now)
            assert right.encode("cp1251") in answer.body
            return msgspec.structs.replace(answer, body=answer.body.replace(right.encode("cp1251"), wrong.encode("cp1251")))

        return ClientBank(self._settings, exchange, None, lambda: self.now)

    async def take(self, town: SettlementTown) -> None:
        """Give the bank money and the register of the town."""
        credit = Credit(id="c1", account=TRANSIT_ACCOUNT, amount_kopecks=1_000, payer=COVERER, purpose="Покрытие")
        self.fake.credit(credit, NOW)
        batch = msgspec.json.decode((await sent(town)).content, type=TransferBatch)
        for transfer in batch.transfers:
            self.fake.books.take(transfer.key, transfer, NOW)


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[SettlementTown]:
    """Two orders of 700 and 300 kopecks in a register that has left."""
    async with settlement_town(ledger_database) as founded:
        await founded.pay(("heating", 700), ("cold_water", 300))
        await founded.cover(1_000)
        await founded.cut()
        await founded.send()
        yield founded


async def read(town: SettlementTown, bank: Bank) -> ReadReport:
    return await read_statement_of(town.services, bank.client, TRANSIT_ACCOUNT, days_to_read(bank.now), bank.now)


async def states(town: SettlementTown) -> list[TransferState]:
    return [TransferState(order["state"]) for order in await town.orders()]


async def test_debits_execute_orders_once_and_covers_are_left_to_others(town: SettlementTown) -> None:
    bank = Bank()
    await bank.take(town)
    assert await read(town, bank) == ReadReport(offered=2, recognised=2, left=1)
    assert await states(town) == [S.EXECUTED, S.EXECUTED]
    assert await town.balance(town.of_transit(AccountKind.OUTGOING)) == 0
    assert await read(town, bank) == ReadReport(offered=0, recognised=0, left=3), "read again, nothing is offered again"
    assert await list_unrecognised(town.services) == ()


async def test_money_that_comes_back_reopens_its_order(town: SettlementTown) -> None:
    bank = Bank(returned_permille=1000, returned_after_ms=60_000)
    await bank.take(town)
    assert await read(town, bank) == ReadReport(offered=4, recognised=4, left=1)
    assert await states(town) == [S.RETURNED, S.RETURNED]
    assert await town.balance(town.payable("heating")) == -700, "owed again"


async def test_a_bank_that_does_not_answer_is_read_the_next_time(town: SettlementTown) -> None:
    bank = Bank(FaultProfile(lost_before=1000))
    await bank.take(town)
    assert await read(town, bank) == ReadReport()
    assert await states(town) == [S.SENT, S.SENT]


async def test_a_statement_whose_sums_do_not_agree_is_not_believed(town: SettlementTown) -> None:
    bank = Bank()
    await bank.take(town)
    spoilt = bank.spoilt("ВсегоСписано=10.00", "ВсегоСписано=10.01")
    report = await read_statement_of(town.services, spoilt, TRANSIT_ACCOUNT, (DAY,), NOW)
    assert report == ReadReport() and await states(town) == [S.SENT, S.SENT]


async def test_an_account_that_is_not_ours_is_named(town: SettlementTown) -> None:
    bank = Bank()
    await bank.take(town)
    statement = await bank.client.statement(TRANSIT_ACCOUNT, DAY)
    assert isinstance(statement, Statement)
    foreign = tuple(msgspec.structs.replace(one, transit_account="40911810000000000999") for one in statement.movements)
    with pytest.raises(LookupError, match="40911810000000000999"):
        await offer_movements(town.services, foreign, NOW)


def test_days_are_the_bank_s() -> None:
    late = NOW.replace(hour=22)
    assert days_to_read(late) == (date(2026, 11, 23), date(2026, 11, 24), date(2026, 11, 25)), "past midnight in Moscow"
