"""A town whose counterparties send registers: channels of kind register, the real stations, and stations with faults."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec

from connectors.registers.reading import read_register
from connectors.registers.register import Register
from connectors.registers.shipped import shipped_formats
from connectors.sandbox.registers import RegisterFault, SentPayment, SentRegister, write_sent
from gateway.intake import Intake, open_intake
from kopeck.clock import utc_now
from ledger.statements import load_statements
from schemas.booking import Booking
from schemas.channel import Channel, ChannelKind, LegalKind, Manner
from schemas.notification import PaymentNotification
from schemas.outcome import Answer, PaymentOutcome
from services.registers.booking import Run, Seal, book_register
from services.registers.showing import LineView, RegisterView, find_register, read_lines
from services.registers.taking import Purpose, Taken, TakingTerms, take_register
from tests.connectors.register_samples import DAY, sent_payment
from tests.pipeline.conftest import SQL, Town

REGISTER_SQL = load_statements("tests/statements/registers.sql")
LOADED_AT = datetime(2026, 11, 2, 6, tzinfo=UTC)
TRY_AGAIN = PaymentOutcome(answer=Answer.TRY_AGAIN)


class Died(RuntimeError):
    """The process ended here."""


class Faulty:
    """Stations between which and the register something breaks: answers lost at calls by number, payments left by a rule."""

    def __init__(self, inner: Booking, *, dies_after: int = -1, leaves: Sequence[int] = ()) -> None:
        self._inner = inner
        self._dies_after = dies_after
        self._leaves = set(leaves)
        self.calls = 0

    async def book(self, channel: Channel, notifications: Sequence[PaymentNotification]) -> tuple[PaymentOutcome, ...]:
        """Book, and lose what was told."""
        outcomes = await self._inner.book(channel, notifications)
        self.calls += 1
        if self.calls == self._dies_after:
            raise Died
        if self.calls in self._leaves:
            return tuple(TRY_AGAIN if place % 2 else outcome for place, outcome in enumerate(outcomes))
        return outcomes


class Deaf:
    """Stations that never know what became of anything."""

    async def book(self, channel: Channel, notifications: Sequence[PaymentNotification]) -> tuple[PaymentOutcome, ...]:
        """Ask to try again."""
        return (TRY_AGAIN,) * len(notifications)


class RegisterHouse(msgspec.Struct, frozen=True, kw_only=True):
    """The town, its stations, a connection of the services' role, and two channels of kind register.

    ``agent`` has a space of its own; ``evening`` sends registers of the terminals, which tell of payments one by one.
    """

    town: Town
    intake: Intake
    services: asyncpg.Connection
    owner: asyncpg.Connection
    agent: Channel
    evening: Channel

    async def take(self, register: Register, content: bytes, *, channel: Channel | None = None, **given: Any) -> Taken:
        """Take what was read."""
        terms = TakingTerms(
            by="kassir",
            at=given.get("at", LOADED_AT),
            file_name="r.txt",
            content_digest=hashlib.sha256(content).digest(),
            purpose=given.get("purpose", Purpose.PAYMENTS),
        )
        return await take_register(self.services, channel or self.agent, register, terms)

    async def load(self, name: str, sent: SentRegister, *, channel: Channel | None = None, **given: Any) -> Taken:
        """Read, take and book a register in a format, with a fault of the sender's."""
        content = write_sent(name, sent, given.pop("fault", RegisterFault.NONE))
        register = read_register(content, shipped_formats()[name])
        taken = await self.take(register, content, channel=channel, **given)
        payers = {line.row: line.payer for line in register.lines}
        await self.book(taken.register, channel=channel, payers=payers, seal=given.get("seal"))
        return taken

    async def book(self, register: int, *, channel: Channel | None = None, **given: Any) -> list[int]:
        """Book a taken register; the progress told."""
        told: list[int] = []
        seal: Seal | None = given.get("seal")
        run = Run(
            utc_now=utc_now,
            progress=told.append,
            payers=given.get("payers", {}),
            seal=seal,
            chunk_lines=given.get("chunk_lines", 4),
            pause_first_s=0,
        )
        await book_register(self.services, given.get("booking", self.intake), channel or self.agent, register, run)
        return told

    async def lines(self, register: int) -> list[LineView]:
        """A register line by line."""
        return [line async for line in read_lines(self.services, register)]

    async def ends(self, register: int) -> list[str]:
        """How its lines ended."""
        return [line.outcome for line in await self.lines(register)]

    async def view(self, register: int) -> RegisterView:
        """Its heading."""
        found = await find_register(self.services, register)
        assert found is not None
        return found

    async def entries(self) -> list[asyncpg.Record]:
        """Every payment of the payers' book."""
        return await self.owner.fetch(SQL["list_entries"])

    async def counts(self) -> tuple[int, int, int]:
        """Registers, their lines, and outcomes."""
        return tuple(await self.owner.fetchrow(REGISTER_SQL["counts"]))  # type: ignore[return-value]


@asynccontextmanager
async def register_house(town: Town, owner: asyncpg.Connection, redis_url: str) -> AsyncIterator[RegisterHouse]:
    """Add the channels and open the stations."""
    agent_space = await owner.fetchval(SQL["add_space"], "agent")
    agent = await _channel(town, owner, "agent", (agent_space, "agent"))
    evening = await _channel(town, owner, "evening", (town.channels[0].space, town.channels[0].space_name))
    grown = msgspec.structs.replace(
        town, channels=(*town.channels, agent, evening), spaces=(*town.spaces, ("agent", agent_space))
    )
    services = await asyncpg.connect(town.database.services_dsn)
    try:
        async with open_intake(grown.settings(redis_url), utc_now) as intake:
            yield RegisterHouse(town=grown, intake=intake, services=services, owner=owner, agent=agent, evening=evening)
    finally:
        await services.close()


async def _channel(town: Town, owner: asyncpg.Connection, name: str, space: tuple[int, str]) -> Channel:
    number = await owner.fetchval(SQL["add_channel"], name, Manner.REPORTING.value, space[0], town.transit)
    return msgspec.structs.replace(
        town.channels[0],
        number=number,
        name=name,
        kind=ChannelKind.REGISTER,
        manner=Manner.REPORTING,
        legal_kind=LegalKind.PAYMENT_AGENT,
        space=space[0],
        space_name=space[1],
    )


def agent_register(*payments: SentPayment, **given: Any) -> SentRegister:
    """A register of an agent."""
    return SentRegister(**({"number": "7", "day": DAY, "payments": payments} | given))


def payment(place: int, account: str, kopecks: int = 1_000, **given: Any) -> SentPayment:
    """A payment of a known or unknown account."""
    return sent_payment(place, account=account, amount_kopecks=kopecks, **given)
