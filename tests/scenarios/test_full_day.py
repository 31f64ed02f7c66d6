"""A whole day from notification to executed transfer, on the real processes: at its end every kopeck is where it must be."""

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from kopeck.clock import utc_now
from kopeck.demo.recipients import OPERATOR, TRANSIT_ACCOUNT
from kopeck.demo.town import CURRENT
from ledger.chart import AccountKind
from schemas.transfer import TransferState
from services.delivery.audit import audit_orders
from services.fiscal.totals import verify_receipts
from services.settlement.audit import audit_settlement
from tests.scenarios.day_books import SQL, DayBooks, read_books
from tests.scenarios.small_town import SmallTown, in_small_town

ROOT = Path(__file__).resolve().parents[2]
PAYMENTS = 150
CHANNELS = ("osmp", "sber_online", "bank_feed")
UNKNOWN = "7900000001"
UNKNOWN_KOPECKS = (77_700, 5)
SHORTFALL = 12_345
"""Kopecks that the bank's feed promised and its statement does not cover, on purpose."""
ORGANISATION = 1
DAY_TIMEOUT_S = 75
POLL_S = 0.1

Payment = tuple[str, str, str, int]


@pytest.mark.parametrize("killed", [False, True], ids=["undisturbed", "orders-killed"])
async def test_a_day_closes_with_every_kopeck_explained(tmp_path: Path, killed: bool) -> None:
    async def play(town: SmallTown) -> None:
        await live_the_day(town, killed=killed)
        await check_the_day(town)
        await check_verify(town, tmp_path / "data")

    await in_small_town(tmp_path / "data", play)


async def live_the_day(town: SmallTown, *, killed: bool) -> None:
    """Pay in two waves, cover each; the second leaves a shortfall. Orders die, if they do, with both kinds under way."""
    payments = await plan_payments(town)
    half = len(payments) // 2
    await town.pay_all(payments[:half])
    assert not await town.pay("osmp", "90001", UNKNOWN, 100_000)
    await town.cover(dict(town.taken))
    if killed:
        await pay_while_orders_die(town, payments[half:])
    else:
        await town.pay_all(payments[half:])
    taken = town.taken.copy()
    await town.pay_all(payments[:: len(payments) // 6])
    town.taken = taken
    owed = taken - town.covered
    await town.cover({space: amount - (SHORTFALL if space == "bank-feed" else 0) for space, amount in owed.items()})
    await until_done(town)


async def plan_payments(town: SmallTown) -> list[Payment]:
    """Printed totals, parts, more than is owed, capital repair alone and with the rest; organisations by the bank's feed."""
    accounts = await town.owner.fetch(SQL["list_accounts"], CURRENT)
    payments: list[Payment] = []
    for place in range(PAYMENTS):
        account = accounts[place % len(accounts)]
        main, capital = account["main"], account["capital"]
        sums = (main, main, main + capital, main // 3 + 1, capital or main, main, 2 * main + capital + 7, main)
        business = account["payer_kind"] == ORGANISATION
        kind = "bank_feed" if business else CHANNELS[place % len(CHANNELS)]
        payments.append((kind, str(10_000 + place), account["number"], sums[place % len(sums)]))
    suspense = [("bank_feed", str(20_000 + place), UNKNOWN, amount) for place, amount in enumerate(UNKNOWN_KOPECKS)]
    assert any(one["payer_kind"] == ORGANISATION for one in accounts[:PAYMENTS])
    return [*suspense, *payments]


async def pay_while_orders_die(town: SmallTown, payments: list[Payment]) -> None:
    """Kill -9 what makes and delivers orders, transfers and receipts under way; what was held may be taken over at once."""

    async def transfers_are_out() -> bool:
        row = await town.owner.fetchrow(SQL["count_under_way"])
        return bool(row["transfers"] and row["registered"])

    async def receipts_are_held() -> bool:
        return bool((await town.owner.fetchrow(SQL["count_under_way"]))["leased"])

    async def stopped_with_receipts() -> bool:
        """Stop them, so that what they hold is still held when they are killed; let them go on when it is nothing."""
        send(signal.SIGSTOP)
        if await receipts_are_held():
            return True
        send(signal.SIGCONT)
        return False

    async def replaced() -> bool:
        return len({*town.orders_pids} - {*dead}) == len(dead)

    def send(order: signal.Signals) -> None:
        for pid in dead:
            os.kill(pid, order)

    await until(transfers_are_out)
    dead = town.orders_pids
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(town.pay_all(payments))
        await until(stopped_with_receipts)
        send(signal.SIGKILL)
        assert await receipts_are_held()
    await until(replaced)
    await town.owner.execute(SQL["end_leases"])


async def until_done(town: SmallTown) -> None:
    """Wait until nothing is on its way and nothing funded waits."""
    rest: list[str] = []

    async def done() -> bool:
        rest[:] = [f"{row['what']}: {row['count']}" for row in await town.owner.fetch(SQL["list_unfinished"])]
        books = await read_books(town.owner)
        ready = -books.total(AccountKind.PAYABLE) - sum(leg[1] for one in books.unfunded() for leg in books.legs(one))
        rest.append(f"not ordered: {ready}")
        return rest == ["not ordered: 0"] and not books.balances(AccountKind.OUTGOING)

    await until(done, rest)


async def until(condition: Callable[[], Awaitable[bool]], rest: Sequence[str] = ()) -> None:
    """Poll a condition; ``rest`` is told when its time is over."""
    deadline = asyncio.get_running_loop().time() + DAY_TIMEOUT_S
    while not await condition():
        assert asyncio.get_running_loop().time() < deadline, rest
        await asyncio.sleep(POLL_S)


async def check_the_day(town: SmallTown) -> None:
    """Hold the ledger, the sandbox's bank and its tills against one another, to the kopeck."""
    books = await read_books(town.owner)
    assert len(books.payments()) == PAYMENTS
    assert books.clearing() == {"bank-feed": SHORTFALL}
    assert books.total(AccountKind.SUSPENSE) == -sum(UNKNOWN_KOPECKS)
    assert await town.owner.fetch(SQL["list_carried"]) == []
    check_identity(books)
    await check_bank(town, books)
    await check_receipts(town, books)
    settlement = await audit_settlement(town.owner, utc_now().date())
    assert (settlement.faults, settlement.overdue) == ((), ())
    assert await verify_receipts(town.owner) == ((), ())
    assert await audit_orders(town.owner) == ()


def check_identity(books: DayBooks) -> None:
    """Payables are exactly the legs of unfunded payments; nothing is outgoing; the daily identity holds (design §4)."""
    owed: Counter[int] = Counter()
    for entry in books.unfunded():
        for payee, amount, _, _ in books.legs(entry):
            owed[payee] += amount
    assert owed and {payee: -amount for payee, amount in books.balances(AccountKind.PAYABLE).items()} == dict(owed)
    assert not books.balances(AccountKind.OUTGOING) and not books.balances(AccountKind.FEE)
    assert books.total(AccountKind.TRANSIT) + books.total(AccountKind.CLEARING) == sum(owed.values()) + sum(UNKNOWN_KOPECKS)


async def check_bank(town: SmallTown, books: DayBooks) -> None:
    """The bank has executed every order once, holds what the ledger says, and has paid each recipient what it is due."""
    orders = await town.owner.fetch(SQL["list_transfers"])
    bank = town.bank.books
    assert {one["state"] for one in orders} == {TransferState.EXECUTED}
    assert dict(bank.effects) == {one["key"]: 1 for one in orders} and not bank.unfunded
    assert bank.balances[TRANSIT_ACCOUNT] == books.total(AccountKind.TRANSIT) > 0
    debits = [one for one in bank.postings[TRANSIT_ACCOUNT] if not one.is_credit]
    credits = [one for one in bank.postings[TRANSIT_ACCOUNT] if one.is_credit]
    assert sum(one.amount_kopecks for one in credits) == town.covered.total()
    received: Counter[str] = Counter()
    for posting in debits:
        received[posting.other.account] += posting.amount_kopecks
    ordered: Counter[str] = Counter()
    by_recipient: Counter[int] = Counter()
    capital: Counter[int] = Counter()
    for order in orders:
        ordered[order["bank_account"]] += order["amount"]
        by_recipient[order["recipient"]] += order["amount"]
        capital[order["recipient"]] += order["amount"] if order["class"] == "capital_repair" else 0
    due, due_capital, commission = books.due()
    operator = await town.owner.fetchval(SQL["find_recipient"], OPERATOR)
    assert received == ordered and by_recipient == due
    assert +capital == due_capital and due_capital
    assert due[operator] == commission > 0


async def check_receipts(town: SmallTown, books: DayBooks) -> None:
    """Every receipt that is owed was registered once, for the sum of its legs; no till has any other."""
    receipts = await town.owner.fetch(SQL["list_receipts"])
    made: Counter[tuple[int, int, int]] = Counter()
    for one in receipts:
        assert one["operation"] == "sell" and one["signed"] == one["total"], one
        made[one["book"], one["sequence"], one["issuer"]] += one["total"]
    assert made == books.receipts_owed() and made
    subjects = {row["key"]: row["subject"] for row in await town.owner.fetch(SQL["list_order_keys"])}
    at_tills = sorted((subjects[one.receipt.key], one.receipt.total_kopecks) for one in town.registered)
    assert at_tills == sorted((one["number"], one["total"]) for one in receipts)


async def check_verify(town: SmallTown, folder: Path) -> None:
    """The command agrees, while everything runs."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("KOPECK_")}
    command = [sys.executable, "-m", "kopeck", "verify", "--data", str(folder)]
    verified = await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert verified.stdout.startswith("verified: ")
