"""A small town whose bank tells of its transit account: accounts with tables, an acquirer's space, statements made of lines."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Any

import asyncpg
import msgspec

from gateway.intake import Intake, open_intake
from gateway.settings import GatewaySettings
from kopeck.demo.requisites import account_with_key
from ledger.audit import conclude, connect_for_audit, plan_audit, run_job
from ledger.chart import AccountKind, ledger_account
from ledger.core.entry import PaymentFacts, entry_for_cover
from ledger.journal import Append, append, create_ledger
from ledger.names import fetch_names
from ledger.publication import publish_accounts
from ledger.statements import load_statements
from schemas.channel import Channel, ChannelKind, LegalKind, Manner
from schemas.ids import Book, ExternalId, Space
from schemas.notification import PaymentNotification
from schemas.outcome import AppendStatus, PaymentOutcome
from schemas.statement import BankStatement, StatementEntry, StatementKind, StatementParty
from schemas.transfer import StatementMovement
from services.balances.consumer import BalancesConsumer
from services.clearing.classifying import Screen
from services.clearing.keeping import ClearingTools, Pass, clear_once
from services.clearing.loading_rules import load_rules
from services.clearing.taking import TakenStatement, take_statement
from services.runner import catch_up
from services.sealing import KEY_BYTES, Sealer
from services.settlement.consumer import SettlementConsumer
from tests.conftest import LedgerDatabase
from tests.services.desk import Desk

SQL = load_statements("tests/statements/clearing_town.sql")
TRANSIT = account_with_key("40911810000000000001", "044525593")
DAY = date(2026, 11, 24)
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ACQUIRER_INN = "7700000001"
ACQUIRER_ACCOUNT = "30232810000000000001"
SEALER = Sealer((b"k" * KEY_BYTES,))
RULES: tuple[Mapping[str, object], ...] = (
    {"name": "в 47416", "class": "to_hold", "payer_account": ["47416*"]},
    {"name": "из 47416", "class": "from_hold", "payer_account": ["47416*"]},
    {"name": "долг УК", "class": "debt", "payer_account": ["40702810200000000001"], "purpose": "погашение долга", "party": "uk"},
    {"name": "ошибки банка", "class": "technical", "operation": ["09"], "purpose": "ошибочно|сторно"},
    {
        "name": "эквайер",
        "class": "cover",
        "payer_inn": [ACQUIRER_INN],
        "says": r"реестр\w*\s*№?\s*(?P<register>[0-9]+(?:, [0-9]+)*)|за\s+(?P<day>[0-9.]{10})|операци\w+\s+(?P<operation>\S+)",
        "space": "acq",
        "bearer": "uk",
        "rates": [{"since": "2026-01-01", "rate": 1000}],
    },
    {"name": "платежи", "class": "payment", "namespaces": {"account": "epd", "els": "els", "code": "els"}},
)


class NoOrders:
    """A house without orders: no line is one's."""

    async def may_be(self, connection: Any, movements: Sequence[StatementMovement]) -> frozenset[str]:
        """Nothing is."""
        return frozenset()

    async def take(self, connection: Any, movement: StatementMovement, now: datetime) -> bool:
        """Nothing is."""
        return False


def line(bank_id: str, amount: int, purpose: str = "", **told: Any) -> StatementEntry:
    """A credit from a person, changed as given; ``name``, ``inn`` and ``account`` are the payer's."""
    party = StatementParty(
        name=told.pop("name", "Иванов Иван Иванович"),
        inn=told.pop("inn", ""),
        account=told.pop("account", "40817810000000000001"),
    )
    given: dict[str, Any] = {"day": DAY, "is_credit": True, "number": "1", "operation": "01", **told}
    return StatementEntry(bank_id=ExternalId(bank_id), amount_kopecks=amount, purpose=purpose, counterparty=party, **given)


def cover(bank_id: str, amount: int, purpose: str = "", **told: Any) -> StatementEntry:
    """A credit from the acquirer."""
    return line(bank_id, amount, purpose, name="АО Эквайер", inn=ACQUIRER_INN, account=ACQUIRER_ACCOUNT, **told)


def statement(*lines: StatementEntry, kind: StatementKind = StatementKind.INTRADAY, **told: Any) -> BankStatement:
    """A statement of the day, changed as given."""
    given: dict[str, Any] = {"since": DAY, "until": DAY, "source": "1c", **told}
    return BankStatement(account=TRANSIT, kind=kind, entries=lines, **given)


class ClearingTown:
    """The ledger, its channels, and everything that clearing works with."""

    def __init__(self, database: LedgerDatabase, desk: Desk, owner: Any) -> None:
        self.database = database
        self.desk = desk
        self.services = desk.connection
        self.owner = owner
        self.now = NOW
        self.transit = 0
        self.spaces: dict[str, int] = {}
        self.channels: dict[str, Channel] = {}
        self.intake: Any = None
        self.orders: Any = NoOrders()
        self.stopped: Mapping[str, str] = {}

    async def found(self, rules: Sequence[Mapping[str, object]] = RULES) -> None:
        """Registers, accounts, charges and tables."""
        await create_ledger(self.owner, 1)
        self.transit = await self.owner.fetchval(SQL["add_transit"], TRANSIT, DAY)
        for name, kind in (("statement", ChannelKind.STATEMENT), ("acq", ChannelKind.REGISTER), ("feed", ChannelKind.BANK_FEED)):
            self.spaces[name] = await self.owner.fetchval(SQL["add_space"], name)
            self.channels[name] = await self._channel(name, kind)
        await self.desk.load_town()
        accounts = [row["personal_account"] for row in await self.owner.fetch(SQL["list_accounts"])]
        report = await publish_accounts(self.services, accounts, NOW, "tests")
        assert report.published == len(accounts), report.failed
        await self.load(rules)

    async def _channel(self, name: str, kind: ChannelKind) -> Channel:
        number = await self.owner.fetchval(SQL["add_channel"], name, self.spaces[name], self.transit)
        return Channel(
            number=number,
            name=name,
            kind=kind,
            manner=Manner.REPORTING,
            legal_kind=LegalKind.BANK,
            space=self.spaces[name],
            space_name=name,
            transit=self.transit,
            transit_account=TRANSIT,
            namespace="epd",
        )

    async def load(self, rules: Sequence[Mapping[str, object]]) -> None:
        """Load rules of the town's transit account."""
        rows = [msgspec.json.encode({"transit": TRANSIT, **rule}) for rule in rules]
        await load_rules(self.services, rows, "tests", self.now)

    @property
    def tools(self) -> ClearingTools:
        return ClearingTools(
            channels=tuple(self.channels.values()),
            booking=self.intake,
            orders=self.orders,
            sealer=SEALER,
            load_screen=self._load_screen,
        )

    async def _load_screen(self, connection: Any) -> Screen:
        return lambda name, inn, day: self.stopped.get(name, "")

    async def take(self, told: BankStatement) -> TakenStatement:
        """Take a statement in."""
        return await take_statement(self.services, told, SEALER, "tests", self.now)

    async def clear(self) -> Pass:
        """One pass."""
        return await clear_once(self.services, self.tools, self.now)

    async def told(self, *lines: StatementEntry, **more: Any) -> list[Any]:
        """Take a statement of these lines, clear, and return the lines as they stand."""
        await self.take(statement(*lines, **more))
        await self.clear()
        return await self.lines()

    async def lines(self) -> list[Any]:
        rows: list[Any] = await self.owner.fetch(SQL["list_lines"])
        return rows

    async def parts(self) -> list[Any]:
        rows: list[Any] = await self.owner.fetch(SQL["list_parts"])
        return rows

    async def pay(self, external_id: str, amount: int, account: str = "0001001", **told: Any) -> PaymentOutcome:
        """A payment that the acquirer told of."""
        given: dict[str, Any] = {"event_at": NOW, **told}
        channel = self.channels[given.pop("channel", "acq")]
        notification = PaymentNotification(
            external_id=ExternalId(external_id), account_number=account, amount_kopecks=amount, raw_amount="", **given
        )
        (outcome,) = await self.intake.book(channel, [notification])
        return outcome  # type: ignore[no-any-return]

    async def register(self, number: str, lines: Mapping[str, int], *, fee: int = 0, refused: Sequence[str] = ()) -> int:
        """A register of the acquirer, booked but for its refused lines."""
        place = (self.channels["acq"].number, self.spaces["acq"], self.transit)
        sums = (len(lines), sum(lines.values()), fee)
        register = int(await self.owner.fetchval(SQL["add_register"], *place, number, DAY, *sums))
        for row, (key, amount) in enumerate(lines.items(), start=1):
            outcome = "refused" if key in refused else "recorded"
            if outcome == "recorded":
                await self.pay(key, amount)
            await self.owner.execute(SQL["add_register_line"], register, row, key, amount, outcome)
        return register

    async def feed_cover(self, amount: int) -> None:
        """A cover as the gateway books it for the bank's feed."""
        channel = self.channels["feed"]
        facts = PaymentFacts(
            transit=channel.transit,
            channel=channel.number,
            space=channel.space,
            external_id=ExternalId(f"feed-{amount}"),
            event_at=self.now,
            amount_kopecks=amount,
            designation="",
        )
        entry = entry_for_cover(facts, Space(self.spaces["acq"]))
        (answer,) = await append(self.services, Book(0), [Append(entry=entry, fingerprint=b"\x01" * 26)])
        assert answer.status is AppendStatus.RECORDED, answer

    async def balances(self) -> dict[str, int]:
        """Balances by name without the transit account's number, those at nought left out."""
        names = await fetch_names(self.owner)
        rows = await self.owner.fetch(SQL["balances"])
        return {names.name_of(row["account"]).replace(f":{TRANSIT}", ""): row["balance"] for row in rows}

    def account(self, kind: AccountKind, subject: int = 0) -> int:
        return ledger_account(kind, self.transit, subject)

    async def fold(self) -> None:
        """Let the other consumers come to the heads."""
        for consumer in (SettlementConsumer(), BalancesConsumer()):
            await catch_up(self.services, consumer)

    async def assert_sound(self) -> None:
        """The whole ledger verifies."""
        await self.fold()
        connection = await connect_for_audit(self.database.reader_dsn)
        try:
            plan = await plan_audit(connection, 1)
            results = [await run_job(connection, job, lambda _: None) for job in plan.jobs]
        finally:
            await connection.close()
        assert conclude(plan, results) is None


@asynccontextmanager
async def clearing_town(database: LedgerDatabase, desk: Desk, redis_url: str) -> AsyncIterator[ClearingTown]:
    """A founded town on a fresh ledger, with the gateway's stations at work."""
    owner = await asyncpg.connect(database.owner_dsn)
    try:
        town = ClearingTown(database, desk, owner)
        await town.found()
        settings = GatewaySettings(gateway_dsn=database.gateway_dsn, redis_url=redis_url, channels=tuple(town.channels.values()))
        async with open_intake(settings, lambda: town.now) as intake:
            assert isinstance(intake, Intake)
            town.intake = intake
            yield town
    finally:
        owner.terminate()
