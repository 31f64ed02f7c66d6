"""How the demo's money comes onto the transit account: clearing's rules recognise every order that the demo lets come."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import cast

import aiohttp
import msgspec
import pytest

from connectors.registers.register import Register
from connectors.sandbox.rbs_orders import Order, OrderBook
from connectors.sandbox.registers import SentPayment, SentRegister, write_sent
from kopeck.demo.acquirers import FEE_PERMILLE, RBS
from kopeck.demo.bank import PAYER, SandboxBank
from kopeck.demo.clearing import demo_rules
from kopeck.demo.covering import OPERATIONS, REGISTERS, SPACES, Covering, fee_of, payer_of
from kopeck.demo.payers import Paid
from kopeck.demo.recipients import OPERATOR, TRANSIT_ACCOUNT
from kopeck.demo.registers import RegisterDesk, RegisterWay
from kopeck.demo.traffic import mistype
from kopeck.register_loading import read_file
from schemas.transfer import BankParty
from services.clearing.core.classify import Reading, read_line
from services.clearing.core.rules import Believed, Numbers, read_rules, ready
from services.clearing.core.verdict import Line, LineClass

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
NUMBERS = Numbers(
    transits={TRANSIT_ACCOUNT: 1}, spaces={name: place for place, name in enumerate(SPACES, 7)}, recipients={OPERATOR: 3}
)
OPERATION = {
    "rbs": "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9",
    "tbank": "1795528407",
    "tochka": "A026A36F0BAA383C345B6036B3318AEE",
}


class Came(msgspec.Struct, frozen=True, kw_only=True):
    amount: int
    purpose: str
    payer: BankParty
    number: str


class Bank:
    """A bank that takes everything."""

    def __init__(self) -> None:
        self.came: list[Came] = []

    async def credit(
        self, session: object, key: str, amount_kopecks: int, purpose: str, paper: tuple[BankParty, str] = (PAYER, "1")
    ) -> None:
        self.came.append(Came(amount=amount_kopecks, purpose=purpose, payer=paper[0], number=paper[1]))


class Registers:
    """A desk that books every register, or none."""

    def __init__(self, *, takes: bool = True) -> None:
        self.sent: list[tuple[str, str, int]] = []
        self._takes = takes

    async def load(self, way: RegisterWay, number: str, paid: tuple[Paid, ...], now: datetime) -> bool:
        self.sent.append((way.channel, number, sum(one.amount_kopecks for one in paid)))
        return self._takes


def paid(operation: str, amount: int = 100_050, *, seconds_ago: int = 300) -> Paid:
    return Paid(operation=operation, account="8000000011", amount_kopecks=amount, at=NOW - timedelta(seconds=seconds_ago))


def cover(bank: Bank, registers: Registers, memory: Path) -> Covering:
    return Covering(cast(SandboxBank, bank), cast(RegisterDesk, registers), memory, lambda: NOW)


async def let_come(money: Covering, turns: int) -> None:
    for turn in range(1, turns + 1):
        await money.let_come(cast(aiohttp.ClientSession, None), turn)


def read(purpose: str, payer: BankParty) -> Reading:
    """Read a line by the demo's rules."""
    rules, _, faults = read_rules([msgspec.json.encode(rule) for rule in demo_rules()], NUMBERS)
    assert not faults
    line = Line(
        line=1, transit=1, bank_id="1", day=date(2026, 11, 24), is_credit=True, amount=1, account=payer.account, purpose=purpose
    )
    return read_line(line, [ready(rule, NUMBERS) for rule in rules])


def test_covers_are_believed_from_the_statement() -> None:
    _, believed, faults = read_rules([msgspec.json.encode(rule) for rule in demo_rules()], NUMBERS)
    assert not faults
    assert believed == [Believed(transit=TRANSIT_ACCOUNT, since=date(2026, 1, 1), believed="statement")]


@pytest.mark.parametrize("space", OPERATIONS)
async def test_an_acquirer_s_order_names_what_it_covers(space: str, tmp_path: Path) -> None:
    bank = Bank()
    money = cover(bank, Registers(), tmp_path / "owed.json")
    money.note(space, paid(OPERATION[space]))
    await let_come(money, 1)
    (came,) = bank.came
    reading = read(came.purpose, came.payer)
    rule = reading.rules[LineClass.COVER]
    assert (rule.space, reading.hints.operations) == (NUMBERS.spaces[space], (OPERATION[space],))
    fee = fee_of(100_050, OPERATIONS[space].fee_permille)
    assert came.amount == 100_050 - fee and (reading.hints.fee or 0) == fee
    assert (rule.bearer == NUMBERS.recipients[OPERATOR]) is (space == RBS) is (fee > 0)


async def test_an_acquirer_pays_only_when_lost_callbacks_were_found(tmp_path: Path) -> None:
    bank = Bank()
    money = cover(bank, Registers(), tmp_path / "owed.json")
    money.note(RBS, paid(OPERATION[RBS], seconds_ago=OPERATIONS[RBS].after_s - 1))
    await let_come(money, 3)
    assert not bank.came


@pytest.mark.parametrize("space", REGISTERS)
async def test_a_register_is_brought_by_one_order_of_its_number(space: str, tmp_path: Path) -> None:
    bank, registers = Bank(), Registers()
    money = cover(bank, registers, tmp_path / "owed.json")
    for place in range(3):
        money.note(space, paid(f"179552840{place}"))
    await let_come(money, 4)
    ((channel, number, total),) = registers.sent
    (came,) = bank.came
    assert (channel, total, came.amount, came.number) == (REGISTERS[space].channel, 300_150, 300_150, number)
    assert read(came.purpose, came.payer).rules[LineClass.COVER].space == NUMBERS.spaces[space]


async def test_money_comes_only_for_a_register_that_was_booked(tmp_path: Path) -> None:
    bank, registers = Bank(), Registers(takes=False)
    money = cover(bank, registers, tmp_path / "owed.json")
    money.note("sber", paid("1"))
    await let_come(money, 4)
    assert len(registers.sent) == 2 and not bank.came


async def test_what_is_still_to_come_comes_in_the_next_run(tmp_path: Path) -> None:
    first = cover(Bank(), Registers(takes=False), tmp_path / "owed.json")
    first.note("sber", paid("1", 700))
    first.note("tochka", paid(OPERATION["tochka"], 300, seconds_ago=1))
    first.save()
    bank = Bank()
    await let_come(cover(bank, Registers(), tmp_path / "owed.json"), 2)
    assert Counter(came.amount for came in bank.came) == {700: 1}
    assert tmp_path.joinpath("owed.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("way", REGISTERS.values(), ids=list(REGISTERS))
def test_registers_are_written_as_they_are_read(way: RegisterWay, tmp_path: Path) -> None:
    moment = datetime(2026, 11, 24, 12, 0, 5)
    sent = SentRegister(
        number="512",
        day=moment.date(),
        payments=(SentPayment(operation="17955284010001", account="8000000011", amount_kopecks=12_345, moment=moment),),
        order_number="512",
    )
    path = tmp_path / "register.txt"
    path.write_bytes(write_sent(way.format, sent))
    register: Register = read_file(path, way.format)[1]
    (line,) = register.lines
    assert (line.operation, line.account, line.amount_kopecks) == ("17955284010001", "8000000011", 12_345)
    assert register.order_number == "512"


def test_the_acquirer_keeps_what_its_order_says() -> None:
    book = OrderBook("seed", FEE_PERMILLE, lambda operation, now: None)
    for amount in (1, 27, 28, 83, 12_345, 99_999):
        order = Order(
            order_id="", number=f"K{amount}", amount_kopecks=amount, is_held=False,
            made_at=NOW, expires_at=NOW + timedelta(hours=1), changed_at=NOW,
        )  # fmt: skip
        book.pay(book.register(order).order_id, NOW)
    rows = book.register_of(date(2026, 11, 24))
    assert [row.fee_kopecks for row in rows] == [fee_of(row.amount_kopecks, FEE_PERMILLE) for row in rows]


def test_every_space_has_a_payer_of_its_own() -> None:
    assert len({payer_of(space).account for space in SPACES}) == len(SPACES)


@pytest.mark.parametrize(("number", "same"), [("8000020070", False), ("8011111111", True)])
def test_a_slip_of_the_pen_swaps_two_digits(number: str, same: bool) -> None:
    written = mistype(number, Random(1))
    assert sorted(written) == sorted(number) and (written == number) is same
    assert written[:2] == number[:2]
