"""The fake bank's own books: transit accounts with their money, orders under way, and what was posted.

Chances are drawn by a digest of the order and the seed, so a run does not depend on the order of requests. Time comes with every
request; what was due before it happens at its own moment, in the order of moments.
"""

import hashlib
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from heapq import heappop, heappush

import msgspec

from connectors.transfers.orders_1c import DAY_FORMAT, MOSCOW
from schemas.transfer import BankParty, Transfer, TransferState

PERMILLE = 1000
CLOSED_ACCOUNT = "Счёт получателя закрыт"
NO_MONEY = "Недостаточно средств на счёте"
STOPPED = "Операция приостановлена (115-ФЗ)"
STOPPED_FOR_GOOD = "Отказ в проведении операции (115-ФЗ)"
FIRST_BANK_NUMBER = 100_001


class BankOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the fake behaves. Chances are in a thousand; ``certificates`` are PEM texts whose signatures it believes.

    ``token`` empty takes anybody. ``statement_page`` is how many lines a page of the JSON statement has.
    """

    accounts: tuple[str, ...]
    certificates: tuple[str, ...] = ()
    token: str = ""
    seed: int = 0
    delay_ms: int = 3_000
    refused_permille: int = 0
    held_permille: int = 0
    held_ms: int = 60_000
    held_refused_permille: int = 500
    returned_permille: int = 0
    returned_after_ms: int = 86_400_000
    statement_page: int = 1_000

    def __repr__(self) -> str:
        """Name the accounts without the token."""
        return f"BankOptions({self.accounts!r})"


class BankOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order at the bank. ``key`` is the sender's id of it, ``due_at`` when something happens to it next."""

    key: str
    transfer: Transfer
    due_at: datetime
    state: TransferState = TransferState.ACCEPTED
    bank_number: str = ""
    bank_day: date | None = None
    reason: str = ""


class Posting(msgspec.Struct, frozen=True, kw_only=True):
    """A line of an account's statement. ``other`` is the payee of a debit, the payer of a credit."""

    id: str
    account: str
    day: date
    is_credit: bool
    amount_kopecks: int
    number: str
    document_day: date
    other: BankParty
    purpose: str


class Credit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Money that comes in: the cover of a channel's day. ``id`` makes it one credit however often it is told."""

    id: str
    account: str
    amount_kopecks: int
    payer: BankParty
    purpose: str
    number: str = "1"


class BankBooks:
    """Accounts, orders and postings. ``effects`` counts executions by order key; ``unfunded`` names orders beyond the balance."""

    def __init__(self, options: BankOptions) -> None:
        self._options = options
        self._orders: list[BankOrder] = []
        self._due: list[tuple[datetime, int, int]] = []
        self._waits = 0
        self._credits: set[str] = set()
        self.balances: dict[str, int] = dict.fromkeys(options.accounts, 0)
        self.postings: dict[str, list[Posting]] = defaultdict(list)
        self.effects: Counter[str] = Counter()
        self.unfunded: list[str] = []

    def take(self, key: str, transfer: Transfer, now: datetime) -> int:
        """Take an order and return its place; whether it came before is its channel's question."""
        due_at = now + timedelta(milliseconds=self._options.delay_ms)
        self._orders.append(BankOrder(key=key, transfer=transfer, due_at=due_at))
        place = len(self._orders) - 1
        self._wait(place, due_at)
        return place

    def order(self, place: int) -> BankOrder:
        """Return an order by its place."""
        return self._orders[place]

    def credit(self, credit: Credit, now: datetime) -> None:
        """Let money in, once by its id; an account the bank does not have is a KeyError."""
        self.advance(now)
        if credit.id in self._credits:
            return
        self._credits.add(credit.id)
        self._post(
            Posting(
                id=f"c-{credit.id}",
                account=credit.account,
                day=moscow_day(now),
                is_credit=True,
                amount_kopecks=credit.amount_kopecks,
                number=credit.number,
                document_day=moscow_day(now),
                other=credit.payer,
                purpose=credit.purpose,
            )
        )

    def advance(self, now: datetime) -> None:
        """Let everything happen that is due, in the order of its moments."""
        while self._due and self._due[0][0] <= now:
            moment, _, place = heappop(self._due)
            order = self._orders[place]
            if order.state is TransferState.EXECUTED:
                self._give_back(order, moment)
                continue
            self._orders[place] = changed = self._next(order)
            if changed.due_at > moment:
                self._wait(place, changed.due_at)

    def _wait(self, place: int, moment: datetime) -> None:
        self._waits += 1
        heappush(self._due, (moment, self._waits, place))

    def _next(self, order: BankOrder) -> BankOrder:
        chances = self._options
        if order.state is TransferState.HELD and self._chance(order, "after hold", chances.held_refused_permille):
            return _ended(order, TransferState.REJECTED, STOPPED_FOR_GOOD)
        if order.state is TransferState.ACCEPTED and self._chance(order, "refuse", chances.refused_permille):
            return _ended(order, TransferState.REJECTED, CLOSED_ACCOUNT)
        if order.state is TransferState.ACCEPTED and self._chance(order, "hold", chances.held_permille):
            until = order.due_at + timedelta(milliseconds=chances.held_ms)
            return msgspec.structs.replace(order, state=TransferState.HELD, reason=STOPPED, due_at=until)
        if order.transfer.amount_kopecks > self.balances[order.transfer.payer.account]:
            self.unfunded.append(order.key)
            return _ended(order, TransferState.REJECTED, NO_MONEY)
        return self._execute(order)

    def _execute(self, order: BankOrder) -> BankOrder:
        transfer, day = order.transfer, moscow_day(order.due_at)
        self.effects[order.key] += 1
        number = str(FIRST_BANK_NUMBER + self.effects.total() - 1)
        self._post(
            Posting(
                id=f"d-{number}",
                account=transfer.payer.account,
                day=day,
                is_credit=False,
                amount_kopecks=transfer.amount_kopecks,
                number=transfer.number,
                document_day=transfer.day,
                other=transfer.payee,
                purpose=transfer.purpose,
            )
        )
        executed = msgspec.structs.replace(order, state=TransferState.EXECUTED, bank_number=number, bank_day=day, reason="")
        if not self._chance(order, "return", self._options.returned_permille):
            return executed
        return msgspec.structs.replace(executed, due_at=order.due_at + timedelta(milliseconds=self._options.returned_after_ms))

    def _give_back(self, order: BankOrder, moment: datetime) -> None:
        transfer = order.transfer
        document = f"№ {transfer.number} от {transfer.day.strftime(DAY_FORMAT)}"
        self._post(
            Posting(
                id=f"r-{order.bank_number}",
                account=transfer.payer.account,
                day=moscow_day(moment),
                is_credit=True,
                amount_kopecks=transfer.amount_kopecks,
                number=order.bank_number,
                document_day=moscow_day(moment),
                other=transfer.payee,
                purpose=f"Возврат платежного поручения {document}: {CLOSED_ACCOUNT.lower()}. НДС не облагается",
            )
        )

    def _post(self, posting: Posting) -> None:
        self.balances[posting.account] += posting.amount_kopecks if posting.is_credit else -posting.amount_kopecks
        self.postings[posting.account].append(posting)

    def _chance(self, order: BankOrder, what: str, permille: int) -> bool:
        digest = hashlib.sha256(f"{self._options.seed}/{what}/{order.key}".encode()).digest()
        return int.from_bytes(digest[:8], "big") % PERMILLE < permille


def moscow_day(moment: datetime) -> date:
    """The bank's calendar day."""
    return moment.astimezone(MOSCOW).date()


def _ended(order: BankOrder, state: TransferState, reason: str) -> BankOrder:
    return msgspec.structs.replace(order, state=state, reason=reason)
