"""Registers of channels that told of payments one by one: matched, compared, the lost booked, the missing listed."""

from collections.abc import AsyncIterator
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from connectors.registers.reading import read_register
from connectors.registers.shipped import shipped_formats
from connectors.sandbox.registers import SentPayment, SentRegister, write_sent
from kopeck.clock import utc_now
from schemas.ids import ExternalId
from schemas.notification import PaymentNotification
from services.registers.showing import NoSuchChannel, list_missing
from services.registers.taking import Purpose
from tests.connectors.register_samples import MOSCOW, described
from tests.pipeline import conftest as pipeline_town
from tests.pipeline.conftest import Town
from tests.services.register_house import Died, Faulty, RegisterHouse, agent_register, payment, register_house

owner, town = pipeline_town.owner, pipeline_town.town
R = Purpose.RECONCILIATION
TODAY = utc_now().astimezone(MOSCOW).date() - timedelta(days=1)
YESTERDAY = TODAY - timedelta(days=1)
"""Of some day before now: what is told is recorded now, and is looked for within a month."""


@pytest.fixture
async def house(town: Town, owner: asyncpg.Connection, redis_url: str) -> AsyncIterator[RegisterHouse]:
    async with register_house(town, owner, redis_url) as made:
        yield made


async def told(house: RegisterHouse, *payments: SentPayment, aliases: tuple[str, ...] = ()) -> None:
    """What the terminals told as it happened."""
    notifications = [
        PaymentNotification(
            external_id=ExternalId(one.operation),
            account_number=one.account,
            amount_kopecks=one.amount_kopecks,
            raw_amount="",
            event_at=one.moment,
            aliases=tuple(ExternalId(alias) for alias in aliases),
        )
        for one in payments
    ]
    await house.intake.book(house.town.channels[0], notifications)


async def evening(house: RegisterHouse, sent: SentRegister) -> int:
    """Load the terminals' register of the day; its number."""
    return (await house.load("kopeck", sent, channel=house.evening, purpose=R)).register


async def test_known_payments_match_and_nothing_is_booked(house: RegisterHouse) -> None:
    payments = [payment(place, "1001") for place in range(5)]
    await told(house, *payments)
    register = await evening(house, agent_register(*payments))
    assert await house.ends(register) == ["matched"] * 5 and len(await house.entries()) == 5
    assert [line.sequence for line in await house.lines(register)] == [1, 2, 3, 4, 5]


async def test_another_amount_is_told_with_ours_and_books_nothing(house: RegisterHouse) -> None:
    await told(house, payment(1, "1001", 1_000), payment(2, "1001", 2_000))
    register = await evening(house, agent_register(payment(1, "1001", 1_001), payment(2, "1001", 2_000)))
    lines = await house.lines(register)
    assert [(line.outcome, line.reason) for line in lines] == [("differs", "1000"), ("matched", "")]
    assert len(await house.entries()) == 2


async def test_a_lost_notification_is_booked_from_the_register(house: RegisterHouse) -> None:
    await told(house, payment(1, "1001"))
    register = await evening(house, agent_register(payment(1, "1001"), payment(2, "1002"), payment(3, "nobody")))
    lines = await house.lines(register)
    assert [(line.outcome, line.lost) for line in lines] == [("matched", False), ("recorded", True), ("suspense", True)]
    assert [entry["channel"] for entry in await house.entries()] == [house.town.channels[0].number] + [house.evening.number] * 2


async def test_a_payment_that_the_channel_refused_and_the_counterparty_sent_anyway_is_told(house: RegisterHouse) -> None:
    await told(house, payment(1, "closed"))
    register = await evening(house, agent_register(payment(1, "closed"), payment(2, "1001")))
    lines = await house.lines(register)
    assert [(line.outcome, line.reason) for line in lines] == [("refused", "account_closed"), ("recorded", "")]
    assert len(await house.entries()) == 1


async def test_a_payment_is_known_by_its_other_names(house: RegisterHouse) -> None:
    await told(house, payment(1, "1001", operation="order-9"), aliases=("rrn-9",))
    register = await evening(house, agent_register(payment(1, "1001", operation="rrn-9")))
    assert await house.ends(register) == ["matched"]
    mine = described(text=f"{MINE}aliases = [{{ column = 5 }}]\n")
    content = b"late-9,2026-11-01,1001,10.00,rrn-9\n"
    taken = await house.take(read_register(content, mine), content, channel=house.evening, purpose=R)
    await house.book(taken.register, channel=house.evening)
    assert await house.ends(taken.register) == ["matched"] and len(await house.entries()) == 1


MINE = """
name = "mine"
title = "With the RRN"
delimiter = ","
dates = ["yyyy-mm-dd"]

[fields]
operation = { column = 1 }
date = { column = 2 }
account = { column = 3 }
amount = { column = 4 }
"""


@pytest.mark.parametrize("dies_after", [1, 2])
async def test_a_lost_payment_booked_by_a_run_that_died_is_still_told_as_lost(house: RegisterHouse, dies_after: int) -> None:
    known = [payment(place, "1001") for place in range(6)]
    await told(house, *known)
    sent = agent_register(*known, *(payment(place, "1002") for place in range(6, 12)))
    content = write_sent("kopeck", sent)
    register = (
        await house.take(read_register(content, shipped_formats()["kopeck"]), content, channel=house.evening, purpose=R)
    ).register
    with pytest.raises(Died):
        await house.book(register, channel=house.evening, booking=Faulty(house.intake, dies_after=dies_after))
    await house.book(register, channel=house.evening)
    lines = await house.lines(register)
    assert [(line.outcome, line.lost) for line in lines] == [("matched", False)] * 6 + [("recorded", True)] * 6
    assert len(await house.entries()) == 12


async def test_our_payments_that_the_register_does_not_name_are_listed(house: RegisterHouse) -> None:
    noon = datetime.combine(YESTERDAY, time(12), MOSCOW)
    payments = [payment(place, "1001", moment=noon + timedelta(minutes=place)) for place in range(5)]
    await told(house, *payments)
    before = await list_missing(house.services, "net", YESTERDAY, MOSCOW)
    assert before.registers == 0 and len(before.payments) == 5
    await evening(house, agent_register(*payments[:3], day=YESTERDAY))
    found = await list_missing(house.services, "net", YESTERDAY, MOSCOW)
    assert found.registers == 1 and [one.external_id for one in found.payments] == ["op-3", "op-4"]
    assert [one.amount for one in found.payments] == [1_000, 1_000]
    assert (await list_missing(house.services, "net", TODAY, MOSCOW)).payments == ()
    assert (await list_missing(house.services, "sber", YESTERDAY, MOSCOW)).payments == ()
    with pytest.raises(NoSuchChannel, match="no channel 'nought'"):
        await list_missing(house.services, "nought", YESTERDAY, MOSCOW)


async def test_a_day_begins_and_ends_in_the_counterpartys_zone(house: RegisterHouse) -> None:
    omsk = ZoneInfo("Asia/Omsk")
    edges = [
        payment(1, "1001", moment=datetime.combine(YESTERDAY, time(0), omsk)),
        payment(2, "1001", moment=datetime.combine(YESTERDAY, time(23, 59, 59), omsk)),
        payment(3, "1001", moment=datetime.combine(YESTERDAY, time(0), omsk) + timedelta(days=1)),
    ]
    await told(house, *edges)
    in_omsk = await list_missing(house.services, "net", YESTERDAY, omsk)
    assert [one.external_id for one in in_omsk.payments] == ["op-1", "op-2"]
    in_moscow = await list_missing(house.services, "net", YESTERDAY, MOSCOW)
    assert [one.external_id for one in in_moscow.payments] == ["op-2", "op-3"]


async def test_a_lost_payment_is_in_its_register_and_not_missing(house: RegisterHouse) -> None:
    moment = datetime.combine(YESTERDAY, time(12), MOSCOW)
    await evening(house, agent_register(payment(1, "1001", moment=moment)))
    assert (await list_missing(house.services, "evening", YESTERDAY, MOSCOW)).payments == ()
