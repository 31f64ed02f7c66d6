"""Verbs of people's decisions: whose the money is, what goes back, what leaves the house."""

from ledger.core.refund import NothingLeft
from ledger.journal import fetch_entry
from ledger.reassign import NotReassigned, Reassign, arrive, depart
from ledger.refund import refund_wanted, reversal_wanted, take_back
from ledger.release import NotReleased
from schemas.ids import Book, Sequence
from schemas.money import kopecks_from_roubles
from schemas.notification import NamedDesignation
from services.settlement.inspection import Wanted, list_transfers
from services.settlement.orders import make_orders
from services.settlement.registers import send_registers
from services.suspense.decisions import Assignment, NotDecided, Place, assign
from services.suspense.queue import Item, find_item, list_waiting_items
from services.suspense.suggestions import find_accounts, suggest
from tests.scenarios.plain_bank import BankVerbs
from tests.scenarios.plain_base import roubles
from tests.scenarios.plain_text import ScenarioFault, Step

ITEMS_MAX = 100


class DecisionVerbs(BankVerbs):
    """What people decide, and what leaves."""

    async def do_suspense(self, step: Step) -> str:
        """``suspense => 2 items 150.00``: what waits for its owner."""
        items = await self._items()
        return f"{len(items)} items {roubles(sum(item.remains for item in items))}"

    async def do_suggested(self, step: Step) -> str:
        """``suggested N => 1001``: the accounts that the N-th item may belong to, the likeliest first."""
        return ", ".join([one.name for one in await suggest(self.services, await self._item(step))]) or "nobody"

    async def do_assign(self, step: Step) -> str:
        """``assign N ACCOUNT [amount=…] [period=…] [seen=…] by=…``: of the items that wait, the N-th."""
        item = await self._item(step)
        accounts = await find_accounts(self.services, step.words[1], max(item.value_date, self.now.date()))
        named = NamedDesignation(period=step.get("period")) if step.get("period") else None
        amount = kopecks_from_roubles(step.get("amount")) if step.get("amount") else None
        seen = kopecks_from_roubles(step.get("seen")) if step.get("seen") else item.remains
        wanted = Assignment(
            place=Place(book=item.book, sequence=item.sequence, seen_remains=seen),
            account=accounts[0],
            by=step.get("by", "Иванова"),
            amount_kopecks=amount,
            named=named,
        )
        try:
            await assign(self.services, wanted, self.now)
        except (NotDecided, NotReleased):
            return "refused"
        return "released"

    async def do_refund(self, step: Step) -> str:
        """``refund PAYMENT [amount]``: after cover, owed to the payer."""
        return await self._take_back(step, refund_wanted)

    async def do_reverse(self, step: Step) -> str:
        """``reverse PAYMENT [amount]``: before cover, promised no more."""
        return await self._take_back(step, reversal_wanted)

    async def do_reassign(self, step: Step) -> str:
        """``reassign PAYMENT ACCOUNT``: all that is left of it goes to another account."""
        book, sequence = self.place_of(step.words[0])
        (account,) = await find_accounts(self.services, step.words[1], self.now.date())
        try:
            departed = await depart(
                self.services, Reassign(book=Book(book), sequence=Sequence(sequence), account=account), self.now
            )
        except (NotReassigned, NothingLeft):
            return "refused"
        await arrive(self.services, await fetch_entry(self.services, departed.book, departed.sequence))
        return roubles(departed.amount_kopecks)

    async def do_cut(self, step: Step) -> str:
        """``cut => heat 12.00, uk 5.00``: orders made from what is funded, sent at once."""
        await self.fold()
        report = await make_orders(self.services, self.transit, self.now)
        await send_registers(self.services, self.transit, self.now)
        if report.cut is None:
            return "nothing"
        views = [one for one in await list_transfers(self.services, Wanted(), ITEMS_MAX) if one.key in report.orders]
        return ", ".join(sorted(f"{one.recipient} {roubles(one.amount_kopecks)}" for one in views)) or "nothing ordered"

    async def do_orders(self, step: Step) -> str:
        """``orders => heat executed 12.00``: every order and where it stands."""
        views = await list_transfers(self.services, Wanted(), ITEMS_MAX)
        return ", ".join(sorted(f"{one.recipient} {one.state} {roubles(one.amount_kopecks)}" for one in views)) or "none"

    async def _take_back(self, step: Step, wanted_of) -> str:  # type: ignore[no-untyped-def]
        book, sequence = self.place_of(step.words[0])
        amount = kopecks_from_roubles(step.words[1]) if len(step.words) > 1 else None
        try:
            wanted = await wanted_of(self.services, Book(book), Sequence(sequence), amount)
            corrected = await take_back(self.services, wanted, self.now)
        except NothingLeft:
            return "nothing left"
        return roubles(corrected.amount_kopecks)

    async def _items(self) -> tuple[Item, ...]:
        await self.fold()
        return await list_waiting_items(self.services, self.now.date(), overdue=False, items_max=ITEMS_MAX)

    async def _item(self, step: Step) -> Item:
        items = await self._items()
        place = int(step.words[0])
        if not 0 < place <= len(items):
            raise ScenarioFault(f"{step.number}: {len(items)} items wait")
        found = await find_item(self.services, items[place - 1].book, items[place - 1].sequence, self.now.date())
        assert found is not None, "it was listed"
        return found
