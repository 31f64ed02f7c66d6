"""What a counterparty's clock tells: the past as told, the near future as our present, the far future by the channel's manner."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import aiohttp
import asyncpg
import pytest
from structlog.testing import capture_logs

from kopeck.clock import utc_now
from ledger.journal import fetch_entry
from schemas.ids import Book, Sequence
from schemas.journal import RecordedEntry
from tests.pipeline.bank import payment, send
from tests.pipeline.conftest import SQL, Gateway, Town
from tests.pipeline.proof import BOOKED, assert_sound, counted, result_of

MOSCOW = ZoneInfo("Europe/Moscow")
PAST = (timedelta(days=-3650), timedelta(days=-400), timedelta(days=-1))
SOON = timedelta(hours=23)
FAR = (timedelta(days=1, minutes=5), timedelta(days=400))
OSMP_OTHER, SBER_BAD_DATE = 300, 12


async def osmp(session: aiohttp.ClientSession, key: str, told: datetime) -> int:
    """Pay a rouble by a terminal at the told moment; the result."""
    query = {"command": "pay", "txn_id": key, "account": "1001", "sum": "1.00"}
    query["txn_date"] = f"{told.astimezone(MOSCOW):%Y%m%d%H%M%S}"
    async with session.get("/osmp/net", params=query) as response:
        return result_of(await response.text())


async def sber(session: aiohttp.ClientSession, key: str, told: datetime) -> int:
    """Pay a rouble by Sber at the told moment; the code, 0 for a repeat of what is booked."""
    query = {"ACTION": "payment", "ACCOUNT": "1001", "AMOUNT": "1.00", "PAY_ID": key}
    query["PAY_DATE"] = f"{told.astimezone(MOSCOW):%d.%m.%Y_%H:%M:%S}"
    async with session.get("/sber/sber", params=query) as response:
        return int((await response.text()).partition("<CODE>")[2].partition("<")[0])


def told_as(moment: datetime) -> dict[str, str]:
    """A field of the feed."""
    return {"occurred_at": moment.isoformat(timespec="seconds")}


async def entries(owner: asyncpg.Connection) -> list[RecordedEntry]:
    """The payers' entries, in order."""
    return [
        await fetch_entry(owner, Book(row["book"]), Sequence(row["sequence"])) for row in await owner.fetch(SQL["list_entries"])
    ]


async def test_the_past_is_booked_as_told_under_the_open_bank_day(
    gateway: Gateway, town: Town, owner: asyncpg.Connection
) -> None:
    """The date is the payer's act as told; the books go by the operational day, which a counterparty's clock cannot move."""
    told = [(utc_now() + ago).replace(microsecond=0) for ago in PAST]
    for number, moment in enumerate(told):
        assert await osmp(gateway.session, f"{number}", moment) == BOOKED
        assert await sber(gateway.session, f"s-{number}", moment) == BOOKED
        assert (await send(gateway, f"op-{number}", payment("1001", 1000) | told_as(moment))).status == 200
    booked = await entries(owner)
    assert [one.entry.event_at for one in booked] == [moment for moment in told for _ in range(3)]
    assert [one.entry.value_date for one in booked] == [moment.astimezone(MOSCOW).date() for moment in told for _ in range(3)]
    assert len({one.bank_day for one in booked}) == 1
    await assert_sound(owner, town)


async def test_a_clock_a_little_ahead_is_booked_at_our_present(gateway: Gateway, town: Town, owner: asyncpg.Connection) -> None:
    told = utc_now() + SOON
    before = utc_now()
    with capture_logs() as lines:
        for _ in range(2):
            assert await osmp(gateway.session, "1", told) == BOOKED
        assert await sber(gateway.session, "2", told) == BOOKED
        assert (await send(gateway, "op-1", payment("1001", 1000) | told_as(told))).status == 200
    booked = await entries(owner)
    assert len(booked) == 3
    assert all(before <= one.entry.event_at <= one.recorded_at for one in booked)
    assert all(one.entry.value_date == one.entry.event_at.astimezone(MOSCOW).date() for one in booked)
    assert not [line for line in lines if line["event"] == "notification.event_ahead"]
    await assert_sound(owner, town)


@pytest.mark.parametrize("ahead", FAR)
async def test_an_asking_channel_far_ahead_is_refused_as_for_a_malformed_date(
    gateway: Gateway, owner: asyncpg.Connection, ahead: timedelta
) -> None:
    counts = [counted("kopeck_events_ahead_total", channel=name) for name in ("net", "sber")]
    told = utc_now() + ahead
    for _ in range(2):
        assert await osmp(gateway.session, "1", told) == OSMP_OTHER
        assert await sber(gateway.session, "2", told) == SBER_BAD_DATE
    assert await osmp(gateway.session, "1", utc_now()) == OSMP_OTHER, "the refusal is remembered by its key"
    assert await osmp(gateway.session, "3", utc_now()) == BOOKED
    assert await osmp(gateway.session, "3", told) == BOOKED, "nothing fatal after a booking"
    assert [counted("kopeck_events_ahead_total", channel=name) for name in ("net", "sber")] == [counts[0] + 3, counts[1] + 2]
    totals = await owner.fetchrow(SQL["fetch_totals"])
    assert (totals["entries"], totals["keys"]) == (1, 3)


@pytest.mark.parametrize("ahead", FAR)
async def test_a_reporting_channel_far_ahead_is_booked_at_our_present_and_told_of(
    gateway: Gateway, town: Town, owner: asyncpg.Connection, ahead: timedelta
) -> None:
    count = counted("kopeck_events_ahead_total", channel="feed")
    told = (utc_now() + ahead).replace(microsecond=0)
    before = utc_now()
    line = {"transit_account": "40911810101850000000", "space": "terminals", "amount": 1000}
    with capture_logs() as lines:
        assert (await send(gateway, "op-1", payment("1001", 1000) | told_as(told))).status == 200
        assert (await send(gateway, "op-2", payment("unknown", 1000) | told_as(told))).body["suspense"] == "account_unknown"
        assert (await send(gateway, "line-1", line | told_as(told), path="statement-lines")).status == 200
    booked = [*await entries(owner), await fetch_entry(owner, Book(0), Sequence(1))]
    assert len(booked) == 3
    assert all(before <= one.entry.event_at <= one.recorded_at for one in booked)
    assert all(one.entry.value_date == one.entry.event_at.astimezone(MOSCOW).date() for one in booked)
    logged = [line for line in lines if line["event"] == "notification.event_ahead"]
    assert [line["payment"] for line in logged] == ["op-1", "op-2", "line-1"]
    assert {datetime.fromisoformat(line["told"]).astimezone(UTC) for line in logged} == {told}
    assert counted("kopeck_events_ahead_total", channel="feed") == count + 3
    await assert_sound(owner, town)
