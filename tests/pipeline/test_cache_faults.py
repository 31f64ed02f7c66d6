"""Redis flushed, killed, slow, tampered with or restored from yesterday: the split booked is the one PostgreSQL gives (W6)."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import msgspec
import redis.asyncio
from structlog.testing import capture_logs

from gateway.cache import cache_key, cache_value
from kopeck.clock import utc_now
from kopeck.embedded.valkey import EmbeddedValkey
from ledger.publication import publish_accounts
from ledger.rebuild import Rebuilt, rebuild_accounts
from ledger.statements import load_statements
from schemas.allocation import AccountState, AllocationTable, Tier, Total, pack_table
from schemas.ids import AccountId
from tests.pipeline.bank import payment, send
from tests.pipeline.conftest import SQL, Gateway, Town
from tests.pipeline.proof import (
    BOOKED,
    TRY_AGAIN,
    Load,
    Terminal,
    assert_sound,
    assert_told_truly,
    booked_keys,
    counted,
    result_of,
    until,
)
from tests.pipeline.proxy import before_redis

FAULTS = load_statements("tests/pipeline/faults.sql")
REDIS_TIMEOUT_S = 0.1
NO_VERSION = 999_999_999_999
KEY = cache_key(("town", "1001"))


async def read_head(owner: asyncpg.Connection, town: Town, number: str) -> AllocationTable:
    """The table at an account's head."""
    account = AccountId(town.accounts[number])
    state = (await rebuild_accounts(owner, [account]))[account]
    assert isinstance(state, Rebuilt)
    return state.table


def with_tier(table: AllocationTable, **changed: object) -> AllocationTable:
    tier: Tier = msgspec.structs.replace(table.tiers[0], **changed)
    return msgspec.structs.replace(table, tiers=(tier, *table.tiers[1:]))


def changed_weights(table: AllocationTable) -> bytes:
    return cache_value(table.version, pack_table(with_tier(table, weights=tuple(reversed(table.tiers[0].weights)))))


def yesterday(table: AllocationTable) -> bytes:
    return cache_value(1, pack_table(msgspec.structs.replace(table, version=1)))


def unordered_parts(table: AllocationTable) -> bytes:
    return cache_value(table.version, pack_table(with_tier(table, paid=table.tiers[0].paid[:1])))


SPOILT: dict[str, Callable[[AllocationTable], bytes]] = {
    "empty": lambda table: b"",
    "truncated": lambda table: cache_value(table.version, pack_table(table))[:-7],
    "random bytes": lambda table: bytes((byte * 73 + 41) % 256 for byte in range(300)),
    "no version": lambda table: b"nan nan nan " + pack_table(table),
    "a version beyond all": lambda table: cache_value(NO_VERSION, yesterday(table)[12:]),
    "a table with a version beyond all": lambda table: cache_value(
        NO_VERSION, pack_table(msgspec.structs.replace(table, version=2**62))
    ),
    "yesterday's": yesterday,
    "changed weights": changed_weights,
    "negative weights": lambda table: cache_value(table.version, pack_table(with_tier(table, weights=(-1, -1, -1)))),
    "parts of unequal length": unordered_parts,
    "an unknown time zone": lambda table: cache_value(
        table.version, pack_table(msgspec.structs.replace(table, time_zone="Mars/Olympus"))
    ),
    "a total of no tier": lambda table: cache_value(
        table.version, pack_table(msgspec.structs.replace(table, totals=(Total(amount=1000, tiers=(9,)),)))
    ),
    "an account of nobody": lambda table: cache_value(table.version, pack_table(msgspec.structs.replace(table, account=10**9))),
    "closed": lambda table: cache_value(table.version, pack_table(msgspec.structs.replace(table, state=AccountState.CLOSED))),
    "endless nesting": lambda table: cache_value(
        table.version, bytes((pack_table(table)[0] + 1,)) + pack_table(table)[1:] + b"\x91" * 100_000
    ),
}


async def test_a_spoilt_value_is_never_split_by(town: Town, owner: asyncpg.Connection, redis_url: str) -> None:
    faults = counted("kopeck_pipeline_faults_total")
    async with redis.asyncio.from_url(redis_url) as cache:
        async with Gateway(town.settings(redis_url)) as first:
            assert result_of(await first.pay("0", "1001", "10.00")) == BOOKED
        await cache.delete(KEY)
        for number, (name, spoil) in enumerate(SPOILT.items(), start=1):
            spoilt = spoil(await read_head(owner, town, "1001"))
            await cache.set(KEY, spoilt)
            async with Gateway(town.settings(redis_url)) as served:
                answers = await asyncio.gather(
                    served.pay(f"{number}1", "1001", "10.00"), served.pay(f"{number}2", "1002", "10.00")
                )
            assert [result_of(answer) for answer in answers] == [BOOKED, BOOKED], name
            assert await cache.get(KEY) not in (None, spoilt), f"{name}: what was found to be wrong is not left for the next"
    assert counted("kopeck_pipeline_faults_total") == faults
    await assert_sound(owner, town)


async def test_another_accounts_table_under_a_key_is_not_taken(town: Town, owner: asyncpg.Connection, redis_url: str) -> None:
    other = await read_head(owner, town, "1002")
    renamed = msgspec.structs.replace(other, aliases=(await read_head(owner, town, "1001")).aliases)
    async with redis.asyncio.from_url(redis_url) as cache:
        for number, table in enumerate((other, renamed)):
            await cache.set(KEY, cache_value(table.version, pack_table(table)))
            async with Gateway(town.settings(redis_url)) as served:
                assert result_of(await served.pay(str(number), "1001", "10.00")) == BOOKED
    assert {entry["personal_account"] for entry in await owner.fetch(SQL["list_entries"])} == {town.accounts["1001"]}
    await assert_sound(owner, town)


async def test_closed_and_open_are_believed_of_postgresql_only(town: Town, owner: asyncpg.Connection, redis_url: str) -> None:
    tables = {number: await read_head(owner, town, number) for number in ("1001", "closed")}
    closed = msgspec.structs.replace(tables["1001"], state=AccountState.CLOSED)
    opened = msgspec.structs.replace(tables["closed"], state=AccountState.OPEN)
    async with redis.asyncio.from_url(redis_url) as cache, Gateway(town.settings(redis_url)) as gateway:
        await cache.set(KEY, cache_value(closed.version, pack_table(closed)))
        await cache.set(cache_key(("town", "closed")), cache_value(opened.version, pack_table(opened)))
        before = counted("kopeck_stale_total")
        assert result_of(await gateway.pay("1", "1001", "10.00")) == BOOKED
        assert result_of(await gateway.pay("2", "closed", "10.00")) == 79
        assert counted("kopeck_stale_total") == before + 1
        await cache.set(cache_key(("town", "closed")), cache_value(opened.version, pack_table(opened)))
        assert (await send(gateway, "op-1", payment("closed", 1000))).body["suspense"] == "account_closed"
    assert await booked_keys(owner) == ["1", "op-1"]
    await assert_sound(owner, town)


async def test_a_flushed_cache_under_load_loses_nothing(
    gateway: Gateway, town: Town, owner: asyncpg.Connection, redis_url: str
) -> None:
    terminal = Terminal(gateway.session)
    async with redis.asyncio.from_url(redis_url) as cache, Load(terminal, senders=8) as load:
        for _ in range(10):
            await load.settle(10)
            await cache.flushall()
    assert all(codes == [BOOKED] for codes in terminal.answers.values())
    await assert_told_truly(owner, terminal.answers)
    await assert_sound(owner, town)


async def test_a_cache_killed_under_load_and_back(town: Town, owner: asyncpg.Connection, tmp_path: Path) -> None:
    valkey = EmbeddedValkey(tmp_path, password="secret")
    failures = counted("kopeck_cache_errors_total")
    with capture_logs() as lines:
        async with Gateway(town.settings(valkey.url)) as gateway:
            terminal = Terminal(gateway.session)
            assert await terminal.pay("9001", "1001", "1.00") == BOOKED, "down from the start"
            await asyncio.to_thread(valkey.start)
            try:
                async with Load(terminal, senders=8) as load:
                    await until(lambda: _filled(valkey.url))
                    await asyncio.to_thread(valkey.kill)
                    await until(lambda: _counted_above(failures + 1))
                    await load.settle(20)
                    await asyncio.to_thread(valkey.start)
                    await until(lambda: _filled(valkey.url))
            finally:
                await asyncio.to_thread(valkey.stop)
    assert counted("kopeck_cache_errors_total") >= failures + 2
    assert any(line["event"] == "cache.failed" for line in lines)
    assert all(codes == [BOOKED] for codes in terminal.answers.values())
    await assert_told_truly(owner, terminal.answers)
    await assert_sound(owner, town)


async def _filled(url: str) -> bool:
    async with redis.asyncio.from_url(url) as cache:
        return await cache.get(KEY) is not None


async def _counted_above(failures: float) -> bool:
    return counted("kopeck_cache_errors_total") > failures


async def test_a_slow_cache_is_left_alone(town: Town, owner: asyncpg.Connection, redis_url: str, tmp_path: Path) -> None:
    async with before_redis(redis_url, tmp_path) as (proxy, through), Gateway(town.settings(through)) as gateway:
        terminal = Terminal(gateway.session)
        proxy.delay_s = REDIS_TIMEOUT_S * 4
        failures = counted("kopeck_cache_errors_total")
        async with Load(terminal, senders=8) as load:
            await load.settle(30)
            proxy.delay_s = 0.0
            await load.settle(30)
        assert counted("kopeck_cache_errors_total") > failures
    assert all(codes == [BOOKED] for codes in terminal.answers.values())
    await assert_told_truly(owner, terminal.answers)
    await assert_sound(owner, town)


async def test_a_head_that_no_rebuild_reaches_parks_its_account_only(
    gateway: Gateway, town: Town, owner: asyncpg.Connection
) -> None:
    (digest,) = await owner.fetchrow(FAULTS["fetch_digest"], town.accounts["1001"])
    await owner.execute(SQL["spoil_head"], town.accounts["1001"])
    parked, lookups = counted("kopeck_parked_total", what="table"), counted("kopeck_table_lookups_total", source="postgresql")
    with capture_logs() as lines:
        answers = await asyncio.gather(gateway.pay("1", "1001", "10.00"), gateway.pay("2", "1002", "10.00"))
        told = await send(gateway, "op-1", payment("1001", 1000))
    assert [result_of(answer) for answer in answers] == [TRY_AGAIN, BOOKED]
    assert (told.status, told.headers["Retry-After"]) == (503, "5")
    assert [(row["what"], row["external_id"]) for row in await owner.fetch(SQL["list_parked"])] == [
        ("table", "1"),
        ("table", "op-1"),
    ]
    assert counted("kopeck_parked_total", what="table") == parked + 2
    assert counted("kopeck_table_lookups_total", source="postgresql") <= lookups + 4, "no loop"
    assert sum(line["event"] == "table.unusable" and line["log_level"] == "error" for line in lines) == 2
    await owner.execute(FAULTS["mend_head"], town.accounts["1001"], digest)
    assert result_of(await gateway.pay("1", "1001", "10.00")) == BOOKED
    assert (await send(gateway, "op-1", payment("1001", 1000))).status == 200
    await assert_sound(owner, town)


async def test_a_head_that_turns_wrong_later_parks_too(gateway: Gateway, town: Town, owner: asyncpg.Connection) -> None:
    assert result_of(await gateway.pay("1", "1001", "10.00")) == BOOKED
    await owner.execute(SQL["spoil_head"], town.accounts["1001"])
    stale = counted("kopeck_stale_total")
    assert result_of(await gateway.pay("2", "1001", "10.00")) == TRY_AGAIN
    assert counted("kopeck_stale_total") == stale + 1, "one attempt, then parked"
    assert [row["external_id"] for row in await owner.fetch(SQL["list_parked"])] == ["2"]
    assert await booked_keys(owner) == ["1"]


async def test_an_expired_table_is_retried_until_it_is_published_again(
    gateway: Gateway, town: Town, owner: asyncpg.Connection
) -> None:
    services = await asyncpg.connect(town.database.services_dsn)
    account = town.accounts["1001"]
    try:
        await owner.execute(FAULTS["raise_charge"], account)
        long_ago = datetime(2019, 1, 10, 9, 0, tzinfo=UTC)
        assert (await publish_accounts(services, [account], long_ago, "test")).published == 1
        assert result_of(await gateway.pay("1", "1001", "10.00")) == TRY_AGAIN
        assert (await send(gateway, "op-1", payment("1001", 1000))).status == 503
        assert await booked_keys(owner) == []
        assert (await publish_accounts(services, [account], utc_now(), "test")).published == 1
    finally:
        await services.close()
    assert result_of(await gateway.pay("1", "1001", "10.00")) == BOOKED
    assert (await send(gateway, "op-1", payment("1001", 1000))).status == 200
    await assert_sound(owner, town)


async def test_a_table_that_expires_behind_the_cache_is_not_used(gateway: Gateway, town: Town, owner: asyncpg.Connection) -> None:
    assert result_of(await gateway.pay("1", "1001", "10.00")) == BOOKED
    await owner.execute(SQL["expire_head"], town.accounts["1001"])
    stale = counted("kopeck_stale_total")
    with capture_logs() as lines:
        assert result_of(await gateway.pay("2", "1001", "10.00")) == TRY_AGAIN
    assert counted("kopeck_stale_total") <= stale + 8, "bounded attempts"
    assert any(line["event"] == "payment.never_settled" for line in lines)
    assert await booked_keys(owner) == ["1"]


async def test_a_table_republished_between_look_up_and_append_is_split_anew(
    gateway: Gateway, town: Town, owner: asyncpg.Connection
) -> None:
    accounts = [town.accounts[number] for number in ("1001", "1002", "1003")]
    assert result_of(await gateway.pay("1", "1001", "10.00")) == BOOKED
    stale = counted("kopeck_stale_total")
    services = await asyncpg.connect(town.database.services_dsn)
    try:
        async with owner.transaction():
            for account in accounts:
                await owner.execute(FAULTS["raise_charge"], account)
        async with owner.transaction():
            await owner.execute(FAULTS["lock_book"])
            publishing = asyncio.create_task(publish_accounts(services, accounts, utc_now(), "test"))
            await until(lambda: _waiting(owner, 1))
            paying = [asyncio.create_task(gateway.pay(str(key), "1001", "2000.00")) for key in (2, 3, 4)]
            await until(lambda: _waiting(owner, 2))
        assert (await publishing).published == 3
    finally:
        await services.close()
    assert [result_of(answer) for answer in await asyncio.gather(*paying)] == [BOOKED] * 3
    assert counted("kopeck_stale_total") > stale
    assert sorted(entry["table_version"] for entry in await owner.fetch(SQL["list_entries"])) == [1, 3, 4, 5]
    await assert_sound(owner, town)


async def _waiting(owner: asyncpg.Connection, sessions: int) -> bool:
    return await owner.fetchval(FAULTS["count_waiting"]) >= sessions
