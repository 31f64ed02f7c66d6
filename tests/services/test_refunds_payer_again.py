"""A payer who was given money back pays again from the same account: no return of ours, and no word of his in clear text."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from schemas.ids import ExternalId
from schemas.statement import StatementEntry, StatementParty
from schemas.transfer import Transfer, TransferBatch
from services.settlement.registers import send_registers
from tests.conftest import LedgerDatabase
from tests.services.clearing_town import SQL as CLEARING_SQL
from tests.services.settlement_town import DAY, NOW, SettlementTown, settlement_town
from tests.services.test_clearing_orders import executed, told
from tests.services.test_refunds import SEALER, pay_back, refund
from tests.services.test_settlement_bank import sent

WORDS = "Квартплата Иванова"


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[SettlementTown]:
    async with settlement_town(ledger_database) as founded:
        yield founded


async def given_back(town: SettlementTown) -> Transfer:
    """An executed order of a refund."""
    first = await town.pay(("heating", 700), ("cold_water", 300))
    await town.cover(1_000)
    await pay_back(town, await refund(town, first, 1_000))
    await town.cut()
    await send_registers(town.services, town.transit, NOW, SEALER)
    (transfer,) = msgspec.json.decode((await sent(town)).content, type=TransferBatch).transfers
    await told(town, executed(transfer))
    return transfer


def paid_by(transfer: Transfer, amount: int, purpose: str) -> StatementEntry:
    return StatementEntry(
        bank_id=ExternalId("c1"),
        day=DAY,
        is_credit=True,
        amount_kopecks=amount,
        number="500",
        document_day=DAY,
        operation="01",
        counterparty=StatementParty(name="Иванов Иван Иванович", account=transfer.payee.account),
        purpose=purpose,
    )


async def test_the_same_sum_for_a_flat_with_the_order_s_number_is_no_return(town: SettlementTown) -> None:
    transfer = await given_back(town)
    again = paid_by(transfer, 1_000, f"{WORDS}, кв. {transfer.number}, л/с 0001001")
    rows = await told(town, executed(transfer), again)
    assert rows[1]["class"] != "returned_order"
    assert await town.owner.fetchval(CLEARING_SQL["count_text"], WORDS) == 0


async def test_what_the_bank_calls_a_return_is_one_and_keeps_no_payer_s_words(town: SettlementTown) -> None:
    transfer = await given_back(town)
    back = paid_by(transfer, 1_000, f"Возврат по п/п {transfer.number}: {WORDS}")
    rows = await told(town, executed(transfer), back)
    assert rows[1]["class"] == "returned_order"
    assert await town.owner.fetchval(CLEARING_SQL["count_text"], WORDS) == 0
