"""The month's people: operators of suspense, payers who ask their money back, acquirers that take it back unasked."""

import hashlib
from datetime import date, timedelta

from kopeck.commands.suspense import SealedPapers
from kopeck.demo.requisites import account_with_key
from ledger.journal import fetch_entry
from loadtests.month_acquirers import Acquirers
from loadtests.month_bank import Bank
from loadtests.month_house import SQL, Diverged, House
from loadtests.month_money import Money
from loadtests.month_parties import BANK_HELD, LINES, PARTIES, Way
from loadtests.month_record import Paid, Record, Truth
from loadtests.month_traffic import Payers, fee_of
from loadtests.orders_town import BIC
from schemas.ids import AccountId
from schemas.statement import StatementParty
from services.settlement.acquirer_refunds import book_acquirer_refunds
from services.settlement.refunds import (
    Application,
    Asked,
    Decided,
    decide_deduction,
    decide_reassignment,
    decide_refund,
    decide_reversal,
    guarantor_of,
)
from services.settlement.returns import Payee as RefundPayee
from services.settlement.returns import PayeeGiven, ask_return
from services.suspense.arrivals import bring_arrivals
from services.suspense.decisions import Assignment, Payee, Place, Return, assign, hold, return_to_payer
from services.suspense.queue import Item, list_waiting_items
from services.suspense.suggestions import suggest

OPERATOR, SECOND = "Иванова", "Петров"
RETURNED, HELD = 90, 60
"""Of a thousand suspended payments: given back to their payers, and (of the statement's) moved by the bank to its 47416."""
COVERED_AFTER = timedelta(days=7)
"""A payment as old as that has been covered, whatever holidays lay between."""
HELD_DAYS = 2


class People:
    """Decides every day about what waits, and takes some payments back."""

    def __init__(self, house: House, bank: Bank, money: Money, acquirers: Acquirers, *, faults: bool) -> None:
        self.house = house
        self.bank = bank
        self.money = money
        self.acquirers = acquirers
        self.payers: Payers = acquirers.payers
        self.record: Record = acquirers.record
        self.faults = faults
        self.papers = SealedPapers(house.sealer)
        self._held: list[tuple[int, Place, int]] = []
        self._taken: set[tuple[str, str]] = set()
        self._told_of: list[tuple[Paid, int]] = []
        self._spaces = {int(one.space): one.space_name for one in house.channels.values()}

    async def decide_suspense(self, day: date, *, last: bool = False) -> None:
        """Decide about everything that waits in suspense; ``day`` is the bank's open day. The bank holds nothing at the end."""
        await self._bring_back(day, last=last)
        held = {(place.book, place.sequence) for _, place, _ in self._held}
        for item in await list_waiting_items(self.house.services, day):
            if (item.book, item.sequence) in held:
                continue
            space = self._spaces[item.space]
            paid = self.record.paid.get((space, item.external_id))
            if paid is None or paid.truth is not Truth.SUSPENSE or paid.amount != item.remains:
                raise Diverged(f"item {item.place} of {space}/{item.external_id} of {item.remains} kopecks is not {paid}")
            place = Place(book=item.book, sequence=item.sequence, seen_remains=item.remains)
            if self.faults and not last and space == LINES and self.payers.happens(HELD):
                await self._hold(day, place, item)
            elif self.faults and not last and self.payers.happens(RETURNED):
                await self._give_back(place, space)
            else:
                await self._assign(place, item, paid)
        arrivals = await bring_arrivals(self.house.services)
        if arrivals.waiting:
            raise Diverged(f"a release does not arrive: {arrivals.waiting[0]}")
        await self.house.fold()

    async def _assign(self, place: Place, item: Item, paid: Paid) -> None:
        """To the account that was meant: whether the first suggestion names it is only counted."""
        found = await suggest(self.house.services, item, self.papers)
        first = bool(found) and found[0].account == paid.account
        self.record.counts["suspense by the first suggestion" if first else "suspense by hand"] += 1
        await assign(self.house.services, Assignment(place=place, account=AccountId(paid.account), by=OPERATOR), self.house.now)

    async def _give_back(self, place: Place, space: str) -> None:
        payee = None
        if space != LINES:
            payee = Payee(name=self.payers.name(), account=self._account(), bic=BIC)
        wanted = Return(place=place, by=OPERATOR, approved_by=SECOND, payee=payee)
        await return_to_payer(self.house.services, wanted, self.papers, self.house.now)
        self.record.counts["suspense returned"] += 1

    async def _hold(self, day: date, place: Place, item: Item) -> None:
        """The bank moves the money to its 47416, and an operator notes of which item."""
        self.bank.debit(day, item.remains, "Перенос невыясненной суммы", _held_party(), operation="17")
        await hold(self.house.services, place, OPERATOR, self.house.now)
        self._held.append((HELD_DAYS, place, item.remains))
        self.record.counts["held on 47416"] += 1

    async def _bring_back(self, day: date, *, last: bool) -> None:
        left = []
        for days, place, amount in self._held:
            if days > 0 and not last:
                left.append((days - 1, place, amount))
                continue
            self.bank.credit(day, amount, "Возврат невыясненной суммы на счёт", _held_party(), operation="17")
            await hold(self.house.services, Place(book=place.book, sequence=place.sequence), OPERATOR, self.house.now, back=True)
        self._held = left

    def _account(self) -> str:
        return account_with_key(f"408178100{self.payers.chance.randrange(10**10):011d}", BIC)

    async def correct(self, today: date) -> None:
        """Take a few payments back, each in its own way."""
        if not self.faults:
            return
        await self.house.fold()
        await self._reverse_told(today)
        await self._refund_by_order(today)
        await self._reassign(today)
        self._acquirers_take_back(today)

    def _draw(self, space: str, day: date, amount_max: int) -> Paid | None:
        """Draw a booked payment of a day that nobody has touched yet, of at most so many kopecks."""
        payments = self.record.by_day[space, day]
        for _ in range(min(20, len(payments))):
            paid = self.payers.chance.choice(payments)
            place = (paid.space, paid.key)
            fits = paid.truth is Truth.BOOKED and paid.amount <= amount_max
            if fits and place not in self._taken and place not in self.record.unheard:
                self._taken.add(place)
                return paid
        return None

    async def _reverse_told(self, today: date) -> None:
        """A terminal network asks to take a payment of today back: it sends so much less."""
        paid = self._draw("net", today, self.record.owed["net"][today].gross // 2)
        if paid is None:
            return
        book, sequence = await self.record.find_place(self.house, paid)
        asked = Asked(key=f"net/{paid.key}", book=book, sequence=sequence, by=OPERATOR, at=self.house.now)
        self._check(await decide_reversal(self.house.services, asked), paid.amount)
        self.record.keep("net", today, paid.amount)
        self.record.gone.add(("net", paid.key))
        self.record.counts["reversed before cover"] += 1

    async def _refund_by_order(self, today: date) -> None:
        """A payer asks for a part of an old payment back; it goes by an order."""
        paid = self._draw("sber", today - COVERED_AFTER, 10**9)
        if paid is None:
            return
        book, sequence = await self.record.find_place(self.house, paid)
        amount = paid.amount if self.payers.happens(300) else 1 + self.payers.chance.randrange(paid.amount)
        asked = Asked(key=f"sber/{paid.key}", book=book, sequence=sequence, by=OPERATOR, at=self.house.now, amount_kopecks=amount)
        decided = await decide_refund(self.house.services, asked)
        self._check(decided, amount)
        payee = RefundPayee(name=self.payers.name(), bank_account=self._account(), bic=BIC)
        given = PayeeGiven(book=decided.book, sequence=decided.sequence, payee=payee, by=OPERATOR, at=self.house.now)
        await ask_return(self.house.services, given, self.house.sealer)
        self.record.counts["refunds by order"] += 1

    async def _reassign(self, today: date) -> None:
        """A payer applies to have an old payment counted on another personal account."""
        paid = self._draw("post", today - COVERED_AFTER, 10**9)
        if paid is None:
            return
        book, sequence = await self.record.find_place(self.house, paid)
        other = AccountId(paid.account % self.payers.town.accounts + 1)
        asked = Asked(key=f"post/{paid.key}", book=book, sequence=sequence, by=OPERATOR, at=self.house.now)
        paper = Application(file_name="заявление.pdf", digest=hashlib.sha256(paid.key.encode()).digest())
        decided, _ = await decide_reassignment(self.house.services, asked, other, paper)
        self._check(decided, paid.amount)
        self.record.counts["reassigned"] += 1

    def _acquirers_take_back(self, today: date) -> None:
        """Reversals of today and refunds of old payments by the acquirers themselves, told by callbacks."""
        rbs, tbank, now = self.acquirers.rbs, self.acquirers.tbank, self.house.now
        if paid := self._draw("alfa", today, self.record.owed["alfa"][today].gross // 2):
            rbs.book.reverse(paid.key, now)
            self._keep(paid, paid.amount, fee=True)
            self.record.gone.add((paid.space, paid.key))
            self.record.counts["reversed by the acquirer"] += 1
        for space in ("alfa", "tbank"):
            most = self.record.owed[space][today].gross // 2
            paid = self._draw(space, today - COVERED_AFTER, most)
            if paid is None:
                continue
            amount = paid.amount if self.payers.happens(300) else 1 + self.payers.chance.randrange(paid.amount)
            if space == "alfa":
                rbs.book.refund(paid.key, amount, f"R{self.payers.number():09d}", now)
            else:
                tbank.refund(int(paid.key), amount, now)
                self._told_of.append((paid, amount))
            self._keep(paid, amount, fee=False)
            self.record.counts["refunds by the acquirer"] += 1

    def _keep(self, paid: Paid, amount: int, *, fee: bool) -> None:
        """The acquirer sends so much less for today, with the fee of what never was."""
        today = self.house.today
        rate = next(one.rate for one in PARTIES if one.space == paid.space)
        self.record.keep(paid.space, today, amount, fee_of(paid.amount, rate) if fee else 0)
        self.money.touch(paid.space, today)

    async def book_taken_back(self) -> None:
        """What acquirers told of money given back becomes entries."""
        await self.house.fold()
        self.record.counts["acquirers' events booked"] += await book_acquirer_refunds(self.house.services, self.house.now)
        await self.house.fold()

    async def look_up_refunds(self) -> None:
        """At night an operator looks up in T-Bank's cabinet what was given back, and books what no callback told of."""
        services, now = self.house.services, self.house.now
        space = self.house.channels["tbank"].space
        for paid, amount in self._told_of:
            if await services.fetchval(SQL["has_event"], space, paid.key, amount):
                continue
            book, sequence = await self.record.find_place(self.house, paid)
            guarantor = await guarantor_of(services, await fetch_entry(services, book, sequence))
            asked = Asked(
                key=f"tbank/{paid.key}",
                book=book,
                sequence=sequence,
                by=OPERATOR,
                at=now,
                amount_kopecks=amount,
                guarantor=guarantor,
            )
            decided = await decide_refund(services, asked)
            await decide_deduction(services, decided.book, decided.sequence, now)
            self.record.counts["refunds found by hand"] += 1
        self._told_of = []

    def _check(self, decided: Decided, amount: int) -> None:
        if not decided.is_new or decided.amount_kopecks != amount:
            raise Diverged(f"{amount} kopecks were to be taken back: {decided}")


def _held_party() -> StatementParty:
    return StatementParty(name="Банк", account=BANK_HELD, bic=BIC)


assert PARTIES[0].way is Way.DAYS
