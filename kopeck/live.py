"""What a running house shows: payments with their splits, balances, lag. It reads through the reader role and /metrics only.

A few short statements and one scrape in two seconds, by primary key or over what was folded: the load is not felt.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress

import aiohttp
import asyncpg
import msgspec
from prometheus_client.parser import text_string_to_metric_families

from ledger.chart import AccountKind, parts_of
from ledger.statements import load_statements
from schemas.ids import LedgerAccount
from schemas.journal import EntryKind
from schemas.outcome import SuspenseReason
from schemas.transfer import TransferState

PERIOD_S = 2.0
TIMEOUT_S = 3
LATEST_MAX = 8
LEAVING_MAX = 5
RECEIPTS = "receipt"
Metrics = dict[str, Counter[str]]
ANSWERED = "kopeck_payments_total"
_READ = {
    ANSWERED: ("answers", "answer"),
    "kopeck_consumer_lag_entries": ("lags", "consumer"),
    "kopeck_orders": ("orders", "state"),
    "kopeck_orders_ended_total": ("ended", "state"),
}
"""Sample -> what it counts and the label it is counted by; of orders, the receipts'."""
_SQL = load_statements("kopeck/statements/live.sql")
_UNREACHABLE = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


class LatestEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A journal entry to show; ``split`` is recipient -> kopecks, ``reason`` why it went to suspense, else empty."""

    at: str
    channel: str
    external_id: str
    account_number: str
    kind: str
    amount: int
    split: dict[str, int]
    reason: str


class LatestTransfer(msgspec.Struct, frozen=True, kw_only=True):
    """A transfer order to show; ``state`` in words."""

    number: int
    recipient: str
    amount: int
    state: str


class LatestReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """A registered receipt to show, with its ФД and ФПД."""

    at: str
    issuer: str
    total: int
    fd: str
    fpd: str


class Leaving(msgspec.Struct, frozen=True, kw_only=True):
    """What leaves the house. Kopecks: ``ordered`` and ``settled`` (executed or come back) are sums of the outgoing accounts.

    ``orders`` counts orders of receipts by state, as the orders process last measured; ``done`` those since its start.
    """

    receipts: tuple[LatestReceipt, ...] = ()
    transfers: tuple[LatestTransfer, ...] = ()
    ordered: int = 0
    settled: int = 0
    orders: dict[str, int] = {}
    done: int = 0


class SpaceMoney(msgspec.Struct, frozen=True, kw_only=True):
    """What came in an operation space: payments, their sum, and what of it the bank's statement has covered; kopecks."""

    space: str
    payments: int
    promised: int
    covered: int


class Coming(msgspec.Struct, frozen=True, kw_only=True):
    """How money comes in. ``answered`` counts answers by channel since the start; ``waiting`` items of suspense hold
    ``waiting_kopecks``; ``unclear`` lines of statements are not booked yet or wait for a person.
    """

    spaces: tuple[SpaceMoney, ...] = ()
    answered: dict[str, int] = {}
    waiting: int = 0
    waiting_kopecks: int = 0
    unclear: int = 0


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One look at the house. Money in kopecks; ``by_recipient`` is owed now, ``by_kind`` credit less debit.

    ``answers`` counts answers since the start by kind, ``per_second`` is the rate of recorded payments since the last look,
    ``trial_balance`` is debits less credits over every ledger account: 0, or the ledger is broken.
    """

    latest: tuple[LatestEntry, ...]
    by_recipient: dict[str, int]
    by_kind: dict[str, int]
    trial_balance: int
    answers: dict[str, int]
    per_second: float
    lag_entries: dict[str, int]
    leaving: Leaving = Leaving()
    coming: Coming = Coming()
    fault: str = ""


NOTHING = Snapshot(
    latest=(), by_recipient={}, by_kind={}, trial_balance=0, answers={}, per_second=0.0, lag_entries={}
)  # fmt: skip


class Watcher:
    """Looks at the house every PERIOD_S; ``seen`` is the last look."""

    def __init__(self, reader_dsn: str, metrics_url: str) -> None:
        self.seen = NOTHING
        self._reader_dsn = reader_dsn
        self._metrics_url = metrics_url
        self._payees: dict[int, str] = {}
        self._counted: tuple[float, int] | None = None

    async def run(self, stop: asyncio.Event, shown: Callable[[Snapshot], None]) -> None:
        """Look and show until ``stop``; an unreachable database or gateway is shown as a fault, not raised."""
        connection: asyncpg.Connection[asyncpg.Record] | None = None
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)) as session:
            while not stop.is_set():
                try:
                    if connection is None or connection.is_closed():
                        connection = await asyncpg.connect(self._reader_dsn, timeout=TIMEOUT_S, command_timeout=TIMEOUT_S)
                    self.seen = await self._look(connection, session)
                except (*_UNREACHABLE, aiohttp.ClientError) as error:
                    self.seen = msgspec.structs.replace(self.seen, fault=type(error).__name__)
                shown(self.seen)
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), PERIOD_S)
        if connection is not None:
            with suppress(*_UNREACHABLE):
                await connection.close()

    async def _look(self, connection: "asyncpg.Connection[asyncpg.Record]", session: aiohttp.ClientSession) -> Snapshot:
        latest = await connection.fetch(_SQL["list_latest"], LATEST_MAX)
        balances = await connection.fetch(_SQL["list_balances"])
        payees = {parts_of(row["account"]).subject for row in balances} | {
            parts_of(account).subject for row in latest for account in row["accounts"]
        }
        if not payees <= self._payees.keys():
            self._payees = dict.fromkeys(payees, "") | {
                row["payee"]: row["name"] for row in await connection.fetch(_SQL["list_payees"])
            }
        metrics = await self._scrape(session)
        return Snapshot(
            latest=tuple(self._entry(row) for row in latest),
            by_recipient=self._by_recipient(balances),
            by_kind=_by_kind(balances),
            trial_balance=sum(row["debit"] - row["credit"] for row in balances),
            answers=metrics["answers"],
            per_second=self._rate(metrics["answers"]["recorded"]),
            lag_entries=metrics["lags"],
            leaving=await self._leaving(connection, balances, metrics),
            coming=await _coming(connection, metrics),
        )

    async def _leaving(
        self, connection: "asyncpg.Connection[asyncpg.Record]", balances: list[asyncpg.Record], metrics: Metrics
    ) -> Leaving:
        outgoing = [row for row in balances if parts_of(row["account"]).kind is AccountKind.OUTGOING]
        return Leaving(
            receipts=tuple(map(_receipt, await connection.fetch(_SQL["list_receipts"], LEAVING_MAX))),
            transfers=tuple(map(_transfer, await connection.fetch(_SQL["list_transfers"], LEAVING_MAX))),
            ordered=sum(row["credit"] for row in outgoing),
            settled=sum(row["debit"] for row in outgoing),
            orders=metrics["orders"],
            done=metrics["ended"]["done"],
        )

    def _entry(self, row: asyncpg.Record) -> LatestEntry:
        split: Counter[str] = Counter()
        for account, amount in zip(row["accounts"], row["amounts"], strict=True):
            parts = parts_of(LedgerAccount(account))
            if amount < 0:
                name = self._payees.get(parts.subject, "") if parts.kind is AccountKind.PAYABLE else parts.kind.name.lower()
                split[name] -= amount
        return LatestEntry(
            at=f"{row['recorded_at']:%H:%M:%S}",
            channel=str(row["channel"] or ""),
            external_id=str(row["external_id"]),
            account_number=str(row["number"] or ""),
            kind=EntryKind(row["kind"]).name.lower(),
            amount=row["amount"],
            split=dict(split),
            reason=SuspenseReason(row["reason"]).name.lower() if row["reason"] else "",
        )

    def _by_recipient(self, balances: list[asyncpg.Record]) -> dict[str, int]:
        owed: defaultdict[str, int] = defaultdict(int)
        for row in balances:
            parts = parts_of(row["account"])
            if parts.kind is AccountKind.PAYABLE:
                owed[self._payees.get(parts.subject, "")] += row["credit"] - row["debit"]
        return dict(sorted(owed.items(), key=lambda item: -item[1]))

    def _rate(self, recorded: int) -> float:
        now = asyncio.get_running_loop().time()
        before, self._counted = self._counted, (now, recorded)
        return max(0, recorded - before[1]) / (now - before[0]) if before else 0.0

    async def _scrape(self, session: aiohttp.ClientSession) -> Metrics:
        async with session.get(self._metrics_url) as response:
            response.raise_for_status()
            text = await response.text()
        read: Metrics = {name: Counter() for name in ("answers", "channels", "lags", "orders", "ended")}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name in _READ and sample.labels.get("what", RECEIPTS) == RECEIPTS:
                    kept, label = _READ[sample.name]
                    read[kept][sample.labels[label]] += int(sample.value)
                if sample.name == ANSWERED:
                    read["channels"][sample.labels["channel"]] += int(sample.value)
        return read


async def _coming(connection: "asyncpg.Connection[asyncpg.Record]", metrics: Metrics) -> Coming:
    row = await connection.fetchrow(_SQL["count_waiting"])
    return Coming(
        spaces=tuple([msgspec.convert(dict(one), SpaceMoney) for one in await connection.fetch(_SQL["list_spaces"])]),
        answered=metrics["channels"],
        waiting=row["items"],
        waiting_kopecks=row["amount"],
        unclear=row["lines"],
    )


def _receipt(row: asyncpg.Record) -> LatestReceipt:
    at = f"{row['registered_at']:%H:%M:%S}"
    return LatestReceipt(at=at, issuer=row["name"], total=row["total"], fd=row["fd"], fpd=row["fpd"])


def _transfer(row: asyncpg.Record) -> LatestTransfer:
    state = TransferState(row["state"]).name.lower()
    return LatestTransfer(number=row["number"], recipient=row["name"], amount=row["amount"], state=state)


def _by_kind(balances: list[asyncpg.Record]) -> dict[str, int]:
    sums: Counter[AccountKind] = Counter()
    for row in balances:
        sums[parts_of(row["account"]).kind] += row["credit"] - row["debit"]
    return {kind.name.lower(): sums[kind] for kind in sorted(sums)}
