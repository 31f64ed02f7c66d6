"""A town with an acquirer: its channels, one operation space for whatever it tells, and a register of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg
import msgspec

from gateway.intake import Intake, open_intake
from kopeck.clock import utc_now
from ledger.statements import load_statements
from schemas.channel import AcquirerTerms, Channel, ChannelKind, LegalKind, Manner
from schemas.ids import ExternalId
from schemas.notification import PaymentNotification
from tests.pipeline.conftest import SQL, Town

ACQUIRING_SQL = load_statements("tests/pipeline/acquirers.sql")
EVENT_AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


async def add_channels(town: Town, owner: asyncpg.Connection, *channels: tuple[str, ChannelKind, AcquirerTerms]) -> Town:
    """The town with channels of one acquirer beside its own, in the space ``acquirer``."""
    space = await owner.fetchval(SQL["add_space"], "acquirer")
    made = []
    for name, kind, terms in channels:
        number = await owner.fetchval(SQL["add_channel"], name, Manner.REPORTING.value, space, town.transit)
        made.append(
            Channel(
                number=number,
                name=name,
                kind=kind,
                manner=Manner.REPORTING,
                legal_kind=LegalKind.ACQUIRER,
                space=space,
                space_name="acquirer",
                transit=town.channels[0].transit,
                transit_account=town.channels[0].transit_account,
                namespace="town",
                deadline_ms=5_000,
                acquirer=terms,
            )
        )
    return msgspec.structs.replace(town, channels=(*town.channels, *made), spaces=(*town.spaces, ("acquirer", space)))


def told(external_id: str, account: str = "1001", amount: int = 1000, aliases: tuple[str, ...] = ()) -> PaymentNotification:
    """A payment as an acquirer, or its register, tells of it."""
    return PaymentNotification(
        external_id=ExternalId(external_id),
        account_number=account,
        amount_kopecks=amount,
        raw_amount="",
        event_at=EVENT_AT,
        aliases=tuple(ExternalId(one) for one in aliases),
    )


@asynccontextmanager
async def intake_of(town: Town, redis_url: str, **limits: int) -> AsyncIterator[Intake]:
    """The stations of a process without HTTP."""
    async with open_intake(town.settings(redis_url, **limits), utc_now) as intake:
        yield intake
