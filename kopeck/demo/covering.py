"""How the money of each operation space comes onto the transit account: as registers with one order, or operation by operation.

The bank's statement tells of it, and clearing reads that. Three counterparties tell of the same payments by a register as well, a
fourth (the bank's counter) by nothing else; each register is brought by one order, whose number stands in it. Acquirers pay some
time after the payment: by then a lost callback was found.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from itertools import count
from pathlib import Path

import aiohttp
import msgspec
import structlog

from kopeck.clock import Clock
from kopeck.demo.acquirers import FEE_PERMILLE, RBS, TBANK, TOCHKA
from kopeck.demo.bank import BankUnmoved, SandboxBank
from kopeck.demo.network import MOSCOW
from kopeck.demo.payers import Paid
from kopeck.demo.recipients import BANK_BIC
from kopeck.demo.registers import RegisterDesk, RegisterWay
from kopeck.demo.requisites import account_with_key
from kopeck.embedded.folder import write_private
from schemas.transfer import BankParty

COVER_S = 15
REGISTER_S = 30
COUNTER = "counter"
REGISTERS = {
    "terminals": RegisterWay(channel="demo-terminals-register", format="kopeck"),
    "sber": RegisterWay(channel="demo-sber-register", format="sber"),
    "bank-feed": RegisterWay(channel="demo-bank-register", format="kopeck"),
    COUNTER: RegisterWay(channel="demo-counter", format="sber"),
}
"""By operation space: the channel for which its register is loaded, and the format in which it is written."""


class OperationWay(msgspec.Struct, frozen=True, kw_only=True):
    """How an acquirer pays: so long after a payment, so many in one order; ``fee_permille`` is kept back."""

    after_s: int
    at_once: int
    words: str
    fee_permille: int = 0


OPERATIONS = {
    RBS: OperationWay(after_s=75, at_once=3, words="Возмещение по договору эквайринга, операции", fee_permille=FEE_PERMILLE),
    TBANK: OperationWay(after_s=30, at_once=8, words="Возмещение по операциям"),
    TOCHKA: OperationWay(after_s=30, at_once=1, words="Зачисление по СБП, операция"),
}
NAMES = {
    "terminals": "Платёжные терминалы",
    "sber": "Сбербанк Онлайн",
    "bank-feed": "Расчёты по принятым переводам",
    COUNTER: "Кассы банка",
    RBS: "Эквайер RBS",
    TBANK: "Эквайер Т-Банк",
    TOCHKA: "Расчёты СБП",
}
SPACES = tuple(NAMES)

_log = structlog.get_logger("kopeck.traffic")


def payer_of(space: str) -> BankParty:
    """Return from whose account a space's money comes: by it clearing knows the space."""
    account = account_with_key(f"30232810{SPACES.index(space) + 1:012d}", BANK_BIC)
    return BankParty(name=NAMES[space], inn="", kpp="", account=account, bic=BANK_BIC)


def fee_of(amount_kopecks: int, permille: int) -> int:
    """Return what an acquirer keeps of a payment, rounded half-up."""
    return (amount_kopecks * permille + 500) // 1_000


class Covering:
    """Notes what was paid and lets the money come; ``covered`` counts orders that came.

    ``memory`` is a file of what is still to come: the next run lets it come.
    """

    def __init__(self, bank: SandboxBank, registers: RegisterDesk, memory: Path, utc_now: Clock) -> None:
        self.covered = 0
        self._bank = bank
        self._registers = registers
        self._utc_now = utc_now
        self._memory = memory
        self._waiting: defaultdict[str, list[Paid]] = defaultdict(list)
        if memory.exists():
            self._waiting |= msgspec.json.decode(memory.read_bytes(), type=dict[str, list[Paid]])
        self._numbers = count(int(utc_now().timestamp()) % 100_000)

    def note(self, space: str, paid: Paid) -> None:
        """Remember what the counterparty of a space owes us."""
        self._waiting[space].append(paid)

    def save(self) -> None:
        """Write down what is still to come."""
        write_private(self._memory, msgspec.json.encode(dict(self._waiting)))

    async def run(self, session: aiohttp.ClientSession, stop: asyncio.Event) -> None:
        """Let money come until ``stop``."""
        for turn in count(1):
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), COVER_S)
            if stop.is_set():
                return
            await self.let_come(session, turn)

    async def let_come(self, session: aiohttp.ClientSession, turn: int) -> None:
        """Do what is done every COVER_S; registers of two spaces come in one turn, those of the others in the next."""
        for space in OPERATIONS:
            await self._pay_operations(session, space)
        for place, space in enumerate(REGISTERS):
            if (turn + place) % (REGISTER_S // COVER_S) == 0:
                await self._send_register(session, space)
        self.save()

    async def _pay_operations(self, session: aiohttp.ClientSession, space: str) -> None:
        way = OPERATIONS[space]
        ripe_at = self._utc_now() - timedelta(seconds=way.after_s)
        for paid in _portions([one for one in self._waiting[space] if one.at <= ripe_at], way.at_once):
            gross = sum(one.amount_kopecks for one in paid)
            fee = sum(fee_of(one.amount_kopecks, way.fee_permille) for one in paid)
            purpose = f"{way.words} {', '.join(one.operation for one in paid)}"
            if fee:
                purpose += f". Удержана комиссия {fee // 100}-{fee % 100:02d}"
            if gross > fee and await self._credit(session, space, gross - fee, purpose, str(next(self._numbers))):
                self._forget(space, paid)

    async def _send_register(self, session: aiohttp.ClientSession, space: str) -> None:
        """The register first, then its money: a cover finds what it covers."""
        paid = tuple(self._waiting[space])
        if not paid:
            return
        number, now = str(next(self._numbers)), self._utc_now()
        if not await self._registers.load(REGISTERS[space], number, paid, now):
            return
        purpose = f"Перечисление принятых платежей за {now.astimezone(MOSCOW):%d.%m.%Y} по реестру"
        if await self._credit(session, space, sum(one.amount_kopecks for one in paid), purpose, number):
            self._forget(space, paid)

    async def _credit(self, session: aiohttp.ClientSession, space: str, amount: int, purpose: str, number: str) -> bool:
        key = f"{space}-{number}-{self._utc_now():%Y%m%d%H%M%S}"
        try:
            await self._bank.credit(session, key, amount, purpose, (payer_of(space), number))
        except BankUnmoved as error:
            _log.warning("bank_unmoved", reason=str(error))
            return False
        self.covered += 1
        return True

    def _forget(self, space: str, paid: Iterable[Paid]) -> None:
        gone = {one.operation for one in paid}
        self._waiting[space] = [one for one in self._waiting[space] if one.operation not in gone]


def _portions(paid: Sequence[Paid], at_once: int) -> list[Sequence[Paid]]:
    return [paid[start : start + at_once] for start in range(0, len(paid), at_once)]
