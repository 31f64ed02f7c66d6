"""A small house for scenarios in plain text: real ledger, real stations, real services, a clock that is told.

Every verb of a text is a method ``do_…``; what it returns is held against what the text says must come of it.
"""

import re
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg

from gateway.intake import Intake, open_intake
from gateway.settings import GatewaySettings
from kopeck.channels import parse_channels, register_channels
from kopeck.demo.requisites import account_with_key, inn_with_check
from kopeck.orders_audit import audit_orders_of_ledger
from ledger.audit import conclude, connect_for_audit, plan_audit, run_job
from ledger.balances import cut_now, journal_balances
from ledger.chart import parts_of
from ledger.core.designation import designation_from_text
from ledger.journal import create_ledger
from ledger.names import fetch_names
from ledger.publication import publish_due
from ledger.statements import load_statements
from schemas.acquiring import AcquirerAct, AcquirerEvent
from schemas.channel import Channel
from schemas.ids import ExternalId
from schemas.money import kopecks_from_roubles
from schemas.notification import NamedDesignation, PaymentNotification
from schemas.outcome import Answer, PaymentOutcome, Refusal, SuspenseReason
from services.balances.consumer import BalancesConsumer
from services.clearing.consumer import ClearingConsumer
from services.postings.consumer import PostingsConsumer
from services.reference.approve import approve_requisites, list_waiting
from services.reference.load_accounts import load_accounts
from services.reference.load_charges import load_charges
from services.reference.load_recipients import load_recipients
from services.reference.loading import LoadTerms
from services.runner import Consumer, catch_up
from services.settlement.consumer import SettlementConsumer
from services.settlement.terms import TransitTerms, set_transit_terms
from services.suspense.consumer import SuspenseConsumer
from tests.conftest import LedgerDatabase
from tests.scenarios.plain_text import ScenarioFault, Step

SQL = load_statements("tests/statements/plain_house.sql")
MOSCOW = ZoneInfo("Europe/Moscow")
BIC = "044525593"
TRANSIT_ACCOUNT = account_with_key("40911810000000000001", BIC)
NAMESPACE = "epd"
FIRST_DAY = date(2026, 11, 23)
RECIPIENTS = {
    "uk": ("management", "ООО «УК Север»"),
    "heat": ("supplier", "АО «Тепло»"),
    "water": ("supplier", "МУП «Водоканал»"),
    "fund": ("fund", "Фонд капитального ремонта"),
    "oper": ("service", "ООО «Оператор»"),
}
SERVICES = {"upkeep": "uk", "heating": "heat", "cold_water": "water", "capital_repair": "fund"}
CHANNELS = f"""
[[transit]]
account = "{TRANSIT_ACCOUNT}"
bic = "{BIC}"
title = "Банк"
[[space]]
name = "net"
[[space]]
name = "acquirer"
[[space]]
name = "sber"
[[space]]
name = "lines"
[[channel]]
name = "terminals"
kind = "osmp"
manner = "asking"
legal_kind = "payment_agent"
space = "net"
transit = "{TRANSIT_ACCOUNT}"
namespace = "{NAMESPACE}"
basic_user = "net"
basic_password = "net"
[[channel]]
name = "rbs"
kind = "rbs"
manner = "reporting"
legal_kind = "acquirer"
space = "acquirer"
transit = "{TRANSIT_ACCOUNT}"
namespace = "{NAMESPACE}"
secrets = ["quartz-test-secret-0001"]
[[channel]]
name = "sber"
kind = "register"
manner = "reporting"
legal_kind = "bank"
space = "sber"
transit = "{TRANSIT_ACCOUNT}"
namespace = "{NAMESPACE}"
[[channel]]
name = "statement"
kind = "statement"
manner = "reporting"
legal_kind = "bank"
space = "lines"
transit = "{TRANSIT_ACCOUNT}"
namespace = "{NAMESPACE}"
"""
_PLACE = re.compile(r"([0-9]+):([0-9]+)")


class HouseBase:
    """The house of one scenario; ``now`` moves only by the text."""

    def __init__(self, database: LedgerDatabase, folder: Path, services: Any) -> None:
        self.database = database
        self.folder = folder
        self.services = services
        self.now = datetime(2026, 11, 23, 9, 0, tzinfo=MOSCOW).astimezone(UTC)
        self.channels: dict[str, Channel] = {}
        self.places: dict[str, PaymentOutcome] = {}
        self._charges: list[str] = []
        self._intake: Intake | None = None
        self._stack = AsyncExitStack()

    async def found(self) -> None:
        """Load the recipients and register the channels."""
        owner = await asyncpg.connect(self.database.owner_dsn)
        await create_ledger(owner, 1)
        await owner.close()
        lines = ["code,kind,name,inn,kpp,bank_account,bic,kbk,oktmo,valid_from,advance_rule"]
        for serial, (code, (kind, name)) in enumerate(RECIPIENTS.items(), start=1):
            account = account_with_key(f"407028100{serial:011d}", BIC)
            lines.append(f"{code},{kind},{name},{inn_with_check(f'77000{serial:04d}')},770001001,{account},{BIC},,,2026-01-01,")
        await load_recipients(self.services, self._file("recipients.csv", lines), self._terms())
        for waiting in await list_waiting(self.services):
            await approve_requisites(self.services, waiting.code, waiting.version, "approver", self.now)
        file = parse_channels(CHANNELS, folder=self.folder, environ={})
        made = await register_channels(self.services, file, today=FIRST_DAY)
        self.channels = {channel.name: channel for channel in made}
        terms = TransitTerms(transit=made[0].transit, payer_inn=inn_with_check("770009999"), payer_kpp="770001001")
        await set_transit_terms(self.services, terms)

    async def close(self) -> None:
        """End the stations."""
        await self._stack.aclose()

    async def do(self, step: Step) -> None:
        """Do one step; raises ScenarioFault when something else comes of it than the text says."""
        verb: Callable[[Step], Awaitable[str | None]] | None = getattr(self, f"do_{step.verb}", None)
        if verb is None:
            raise ScenarioFault(f"{step.number}: there is no verb {step.verb!r}")
        came = await verb(step)
        if step.comes is not None and came != step.comes:
            raise ScenarioFault(f"{step.number}: {step.verb}: came {came!r}, not {step.comes!r}")

    # What there is.

    async def do_account(self, step: Step) -> None:
        """``account 1001 heating=2154.36 upkeep=1000.00``: an open account with October's charges; ``state=closed``."""
        number, state = step.words[0], step.get("state", "open")
        owned = f"{NAMESPACE};{number};;{state};person;uk;;{step.get('name')};{step.get('address')};{step.get('aliases')}"
        header = "namespace;number;els;state;payer_kind;provider;time_zone;name;address;aliases"
        await load_accounts(self.services, self._file("accounts.csv", [header, owned]), self._terms())
        header = "namespace,number,creditor,period,service,recipient,kind,pool,amount_kopecks,due_date"
        period = step.get("period", "2026-10")
        rows = []
        for service, recipient in SERVICES.items():
            if amount := step.get(service):
                pool = "capital_repair" if service == "capital_repair" else "main"
                creditor = "fund" if pool == "capital_repair" else "uk"
                sum_ = kopecks_from_roubles(amount)
                rows.append(f"{NAMESPACE},{number},{creditor},{period},{service},{recipient},principal,{pool},{sum_},2026-11-16")
        if rows:
            await load_charges(self.services, self._file("charges.csv", [header, *rows]), self._terms())
        await publish_due(self.services, self.now, "scenario")

    async def do_at(self, step: Step) -> None:
        """``at 2026-11-24 10:00``: Moscow time."""
        self.now = datetime.fromisoformat(" ".join(step.words)).replace(tzinfo=MOSCOW).astimezone(UTC)

    # What comes in.

    async def do_pay(self, step: Step) -> str:
        """``pay CHANNEL KEY ACCOUNT AMOUNT [period=2026-10] [alias=…] [at="…"]``."""
        channel, key, account, amount = step.words
        named = NamedDesignation(period=step.get("period") or None) if step.get("period") else None
        notification = PaymentNotification(
            external_id=ExternalId(key),
            account_number=account,
            amount_kopecks=kopecks_from_roubles(amount),
            raw_amount="",
            event_at=self.now,
            designation=named,
            aliases=tuple(ExternalId(one) for one in step.get("alias").split(",") if one),
        )
        (outcome,) = await (await self.booking()).book(self.channels[channel], [notification])
        if outcome.sequence is not None:
            self.places[key] = outcome
        return told(outcome)

    async def do_tells(self, step: Step) -> str:
        """``tells CHANNEL ACT PAYMENT AMOUNT [account=…] [order=…] [key=…] [alias=…]``: an acquirer's event, decoded."""
        channel, act, payment, amount = step.words
        event = AcquirerEvent(
            act=AcquirerAct(act),
            payment=ExternalId(payment),
            key=ExternalId(step.get("key", f"{payment}:{act}:{amount}")),
            amount_kopecks=kopecks_from_roubles(amount),
            event_at=self.now,
            order=step.get("order"),
            account=step.get("account"),
            aliases=tuple(ExternalId(one) for one in step.get("alias").split(",") if one),
        )
        outcome = await (await self.booking()).take(self.channels[channel], event)
        if outcome.sequence is not None:
            self.places[payment] = outcome
        return told(outcome)

    # What must be.

    async def do_balance(self, step: Step) -> str:
        """``balance payable heat:heating => 12.00``: of a kind of ledger account or one of it; debts are positive."""
        kind, subject = step.words[0], " ".join(step.words[1:])
        names = await fetch_names(self.services)
        found = await journal_balances(self.services, await cut_now(self.services))
        total = 0
        for account, turnover in found.items():
            if parts_of(account).kind.name.lower() == kind and (not subject or names.name_of(account).endswith(f":{subject}")):
                total += turnover.balance
        asset = kind in ("transit", "held", "clearing", "receivable", "outside")
        return roubles(total if asset else -total)

    async def do_entries(self, step: Step) -> str:
        """``entries [kind] => 3``: how many entries the journal holds."""
        kind = KINDS[step.words[0].upper()] if step.words else 0
        return str(await self.services.fetchval(SQL["count_entries"], kind))

    async def do_entry(self, step: Step) -> str:
        """``entry KEY => designation``: what the journal keeps of a payment's designation or the account as written."""
        place = self.places[step.words[0]]
        row = await self.services.fetchrow(SQL["fetch_entry"], place.book, place.sequence)
        named = designation_from_text(row["designation"]) if row["personal_account"] else None
        return str(named.period if named else row["designation"])

    async def do_parked(self, step: Step) -> str:
        """``parked => conflict 1``: what waits for a person."""
        rows = await self.services.fetch(SQL["count_parked"])
        return ", ".join(f"{row['what']} {row['count']}" for row in rows) or "nothing"

    async def verify(self) -> None:
        """The whole ledger and every read model must be sound at the end of every scenario."""
        await self.fold()
        connection = await connect_for_audit(self.database.reader_dsn)
        try:
            plan = await plan_audit(connection, 1)
            found = conclude(plan, [await run_job(connection, job, lambda _: None) for job in plan.jobs])
        finally:
            connection.terminate()
        if found is not None:
            raise ScenarioFault(f"verify: {found}")
        orders = await audit_orders_of_ledger(self.database.reader_dsn, self.database.services_dsn, self.now.date())
        if orders.first is not None:
            raise ScenarioFault(f"verify: {orders.first}")

    async def fold(self) -> None:
        """Let the read models come to the heads."""
        for consumer in self.consumers():
            await catch_up(self.services, consumer)

    def consumers(self) -> tuple[Consumer, ...]:
        """Those whose read models the house keeps."""
        return (BalancesConsumer(), PostingsConsumer(), SettlementConsumer(), ClearingConsumer(), SuspenseConsumer())

    async def booking(self) -> Intake:
        """The stations, opened when first needed."""
        if self._intake is None:
            settings = GatewaySettings(
                gateway_dsn=self.database.gateway_dsn,
                redis_url=self.database.redis_url,
                channels=tuple(self.channels.values()),
                spaces=tuple((channel.space_name, channel.space) for channel in self.channels.values()),
            )
            self._intake = await self._stack.enter_async_context(open_intake(settings, lambda: self.now))
        return self._intake

    def place_of(self, word: str) -> tuple[int, int]:
        """A place of the journal: ``1:5``, or the key of a payment of this text."""
        if found := _PLACE.fullmatch(word):
            return int(found[1]), int(found[2])
        place = self.places[word]
        assert place.book is not None and place.sequence is not None
        return place.book, place.sequence

    def _terms(self) -> LoadTerms:
        return LoadTerms(loaded_by="loader", today=self.now.date())

    def _file(self, name: str, lines: list[str]) -> Path:
        path = self.folder / name
        path.write_text("\n".join([*lines, ""]), "utf-8")
        return path


KINDS = {
    "PAYMENT": 1,
    "SUSPENSE": 2,
    "STATEMENT_COVER": 3,
    "REVERSAL": 5,
    "COMMISSION": 7,
    "ORDER_CREATED": 8,
    "ORDER_EXECUTED": 9,
    "REFUND": 12,
    "REFUND_DEDUCTED": 13,
    "REASSIGNMENT": 14,
    "SUSPENSE_RELEASE": 15,
    "HELD_BY_BANK": 16,
    "DEBT_PAID": 17,
    "TECHNICAL": 20,
}


def told(outcome: PaymentOutcome) -> str:
    """An outcome in a text's words."""
    if outcome.refusal is not Refusal.NONE:
        return f"refused {outcome.refusal.name.lower()}"
    if outcome.answer is Answer.CONFLICT:
        return f"conflict {outcome.conflict_field}"
    if outcome.suspense is not SuspenseReason.NONE and outcome.answer is Answer.RECORDED:
        return f"suspense {outcome.suspense.name.lower()}"
    return outcome.answer.name.lower()


def roubles(kopecks: int) -> str:
    """Roubles with a dot, as texts write them."""
    sign = "-" if kopecks < 0 else ""
    return f"{sign}{abs(kopecks) // 100}.{abs(kopecks) % 100:02d}"
