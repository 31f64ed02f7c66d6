"""One payment's way through the gateway: booked, repeated, refused, suspended, in each channel's own words."""

import asyncpg

from tests.pipeline.conftest import SQL, Gateway, Town


async def test_a_payment_is_split_and_answered_after_the_commit(gateway: Gateway, town: Town, owner: asyncpg.Connection) -> None:
    answer = await gateway.pay("1", "1001", "5380.76")
    assert "<result>0</result>" in answer
    (entry,) = await owner.fetch(SQL["list_entries"])
    assert entry["amounts"] == [538_076, -35_640, -287_436, -215_000]
    assert entry["personal_account"] == town.accounts["1001"]


async def test_a_repeat_gets_the_same_bytes_and_books_nothing(gateway: Gateway, owner: asyncpg.Connection) -> None:
    first = await gateway.pay("1", "1001", "100.00")
    assert await gateway.pay("1", "1001", "100.00") == first
    assert (await owner.fetchrow(SQL["fetch_totals"]))["entries"] == 1
