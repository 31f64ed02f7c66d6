"""Endpoints: registered, rotated, ended, read, and what the database itself refuses."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import asyncpg
import pytest

from connectors.banks.standard_webhooks import SIGNATURES_MAX, parse_secret
from connectors.webhooks.addresses import PUBLIC_ONLY
from schemas.delivery import OrderNumber, OrderState, Outgoing, Refused
from schemas.webhook import EventType
from services.webhooks.desk import WebhooksDesk
from services.webhooks.endpoints import (
    ENDPOINTS_OF_RECIPIENT_MAX,
    EndpointRefused,
    NewEndpoint,
    Rotation,
    end_endpoint,
    find_target,
    list_endpoints,
    list_live_endpoints,
    register_endpoint,
    rotate_secret,
)
from services.webhooks.replays import NotReplayable, list_events, replay, replay_refused, send_test
from services.webhooks.sealing import KEY_BYTES, NotUnsealed, Sealer
from tests.conftest import LedgerDatabase
from tests.ledger.small_ledger import until
from tests.read_town import WEIGHTS, build_town
from tests.services.webhook_desk import DAY, KEY, NOW, SQL, WebhookDesk

WHOLE = sum(WEIGHTS)
HOUR = timedelta(hours=1)


@pytest.fixture
async def webhooks(ledger_database: LedgerDatabase) -> AsyncIterator[WebhookDesk]:
    """A town nobody listens to yet."""
    town = await build_town(ledger_database.owner_dsn)
    services = await asyncpg.connect(ledger_database.services_dsn)
    yield WebhookDesk(town=town, services=services, sealer=Sealer((KEY,)))
    await services.close()
    await town.connection.close()


def rotation(overlap: timedelta, at: datetime = NOW) -> Rotation:
    """A clerk's."""
    return Rotation(by="clerk", at=at, overlap=overlap)


async def signing(webhooks: WebhookDesk, endpoint: int, after: timedelta = timedelta(0)) -> list[bytes]:
    """Secrets that sign some time from now, newest first."""
    target = await find_target(webhooks.services, endpoint, webhooks.sealer, NOW + after)
    assert target is not None
    return list(target.secrets)


async def test_a_secret_is_shown_once_and_kept_sealed(webhooks: WebhookDesk) -> None:
    made = await webhooks.register()
    assert made.secret.startswith("whsec_") and made.secret not in repr(made)
    secret = parse_secret(made.secret)
    assert len(secret) == 32 and await signing(webhooks, made.endpoint) == [secret]
    (stored,) = await webhooks.services.fetch(SQL["list_secrets"])
    assert secret not in bytes(stored["sealed"])
    assert (await webhooks.register()).secret != made.secret


REFUSED = [
    ("TEPLO", "http://hooks.example.ru/", (EventType.PAYMENT_SPLIT,), "https"),
    ("TEPLO", "https://192.168.0.1/", (EventType.PAYMENT_SPLIT,), "public"),
    ("TEPLO", "https://hooks.example.ru/", (), "no such events"),
    ("TEPLO", "https://hooks.example.ru/", (EventType.TEST,), "webhook.test"),
    ("TEPLO", "https://hooks.example.ru/", ("payment.*",), "payment.*"),
    ("NOBODY", "https://hooks.example.ru/", (EventType.PAYMENT_SPLIT,), "NOBODY"),
]


@pytest.mark.parametrize(("recipient", "url", "events", "word"), REFUSED)
async def test_a_bad_endpoint_is_refused(
    webhooks: WebhookDesk, recipient: str, url: str, events: tuple[EventType, ...], word: str
) -> None:
    new = NewEndpoint(recipient=recipient, url=url, events=events, created_by="clerk")
    with pytest.raises(EndpointRefused) as refused:
        await register_endpoint(webhooks.services, new, webhooks.sealer, NOW, PUBLIC_ONLY)
    assert word in str(refused.value) and await list_endpoints(webhooks.services) == ()


async def test_a_recipient_has_so_many_endpoints_and_no_more(webhooks: WebhookDesk) -> None:
    for _ in range(ENDPOINTS_OF_RECIPIENT_MAX):
        made = await webhooks.register()
    with pytest.raises(EndpointRefused, match="already"):
        await webhooks.register()
    await end_endpoint(webhooks.services, made.endpoint, "clerk", "moved", NOW)
    await webhooks.register()


async def test_rotation_keeps_the_old_secret_for_the_overlap(webhooks: WebhookDesk) -> None:
    first = await webhooks.register()
    second = await rotate_secret(webhooks.services, first.endpoint, webhooks.sealer, rotation(DAY))
    old, new = parse_secret(first.secret), parse_secret(second.secret)
    assert await signing(webhooks, first.endpoint) == [new, old]
    assert await signing(webhooks, first.endpoint, DAY - timedelta(seconds=1)) == [new, old]
    assert await signing(webhooks, first.endpoint, DAY) == [new]


async def test_a_leaked_secret_retires_at_once_with_all_before_it(webhooks: WebhookDesk) -> None:
    first = await webhooks.register()
    await rotate_secret(webhooks.services, first.endpoint, webhooks.sealer, rotation(9 * DAY))
    third = await rotate_secret(webhooks.services, first.endpoint, webhooks.sealer, rotation(timedelta(0), NOW + HOUR))
    assert await signing(webhooks, first.endpoint, HOUR) == [parse_secret(third.secret)]


async def test_never_more_secrets_sign_than_a_verifier_reads(webhooks: WebhookDesk) -> None:
    first = await webhooks.register()
    for _ in range(SIGNATURES_MAX - 1):
        await rotate_secret(webhooks.services, first.endpoint, webhooks.sealer, rotation(DAY))
    assert len(await signing(webhooks, first.endpoint)) == SIGNATURES_MAX
    with pytest.raises(EndpointRefused, match="wait"):
        await rotate_secret(webhooks.services, first.endpoint, webhooks.sealer, rotation(DAY))
    assert len(await signing(webhooks, first.endpoint, 2 * DAY)) == 1
    with pytest.raises(EndpointRefused, match="before now"):
        await rotate_secret(webhooks.services, first.endpoint, webhooks.sealer, rotation(-DAY))


async def test_sealing_keys_change_and_a_moved_secret_is_found_out(webhooks: WebhookDesk) -> None:
    first, second = await webhooks.register(), await webhooks.register()
    other = b"n" * KEY_BYTES
    both = await find_target(webhooks.services, first.endpoint, Sealer((other, KEY)), NOW)
    assert both is not None and both.secrets == (parse_secret(first.secret),)
    with pytest.raises(NotUnsealed):
        await find_target(webhooks.services, first.endpoint, Sealer((other,)), NOW)
    await webhooks.town.connection.execute(SQL["move_secret"], first.endpoint, second.endpoint)
    with pytest.raises(NotUnsealed):
        await find_target(webhooks.services, second.endpoint, webhooks.sealer, NOW)


@pytest.mark.parametrize("sealed", [b"", b"\x01" * 29, b"\x02" + b"x" * 60, b"\x01" + b"x" * 60])
def test_what_was_not_sealed_is_not_unsealed(sealed: bytes) -> None:
    with pytest.raises(NotUnsealed):
        Sealer((KEY,)).unseal(sealed, 1)


@pytest.mark.parametrize("keys", [(), (b"short",), (KEY, b"")])
def test_a_sealing_key_has_its_length(keys: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Sealer(keys)


async def test_ending_cancels_what_waits_and_is_for_good(webhooks: WebhookDesk) -> None:
    heat, water = await webhooks.register("TEPLO"), await webhooks.register("VODOKANAL")
    await webhooks.town.pay_many([(account, WHOLE) for account in webhooks.town.tables])
    await webhooks.fold()
    assert await list_live_endpoints(webhooks.services) == (heat.endpoint, water.endpoint)
    assert await end_endpoint(webhooks.services, heat.endpoint, "clerk", "moved", NOW) == 3
    states = {(row["endpoint"], row["state"]) for row in await webhooks.events()}
    assert states == {(heat.endpoint, OrderState.CANCELLED), (water.endpoint, OrderState.WAITING)}
    assert await find_target(webhooks.services, heat.endpoint, webhooks.sealer, NOW) is None
    assert await list_live_endpoints(webhooks.services) == (water.endpoint,)
    for again in (
        end_endpoint(webhooks.services, heat.endpoint, "clerk", "moved", NOW),
        rotate_secret(webhooks.services, heat.endpoint, webhooks.sealer, rotation(DAY)),
    ):
        with pytest.raises(EndpointRefused, match="not active"):
            await again
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="stays ended"):
        await webhooks.services.execute(SQL["reopen"], heat.endpoint)


async def test_endpoints_are_listed_with_their_ends(webhooks: WebhookDesk) -> None:
    heat, water = await webhooks.register("TEPLO"), await webhooks.register("VODOKANAL")
    await end_endpoint(webhooks.services, heat.endpoint, "clerk", "moved", NOW)
    await webhooks.services.execute(SQL["close_counterparty"], f"webhook:{water.endpoint}")
    first, second = await list_endpoints(webhooks.services)
    assert (first.active, first.ended_by, first.ended_at, first.ended_reason) == (False, "clerk", NOW, "moved")
    assert (second.active, second.closed_reason, second.recipient) == (True, "gone", "VODOKANAL")
    assert second.events == ("payment.reversed", "payment.split") and second.secrets == 1
    assert await list_endpoints(webhooks.services, "VODOKANAL") == (second,)


FORBIDDEN = ["change_body", "change_url", "change_secret", "delete_events"]


@pytest.mark.parametrize("statement", FORBIDDEN)
async def test_the_services_cannot_rewrite_what_was_told(webhooks: WebhookDesk, statement: str) -> None:
    await webhooks.register()
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await webhooks.services.execute(SQL[statement])


async def test_readers_see_all_but_the_secrets(webhooks: WebhookDesk, ledger_database: LedgerDatabase) -> None:
    made = await webhooks.register()
    await webhooks.town.pay(next(iter(webhooks.town.tables)), WHOLE)
    await webhooks.fold()
    reader = await asyncpg.connect(ledger_database.reader_dsn)
    try:
        assert len(await list_events(reader, made.endpoint)) == 1
        assert len(await list_endpoints(reader)) == 1
        assert len(await reader.fetch(SQL["read_secret_dates"])) == 1
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await reader.fetch(SQL["read_secret"])
    finally:
        await reader.close()


async def give_up(webhooks: WebhookDesk, number: int, code: str = "exhausted") -> None:
    """End an order refused, as delivery does: its state and its desk in one transaction."""
    async with webhooks.services.transaction():
        await webhooks.services.execute(SQL["finish"], number, OrderState.REFUSED, f"{code}: HTTP 500")
        order = Outgoing(number=OrderNumber(number), key="k", content=b"", attempt=10)
        await WebhooksDesk().settle(webhooks.services, order, Refused(code=code, reason="HTTP 500"))


async def test_an_endpoint_that_takes_nothing_for_days_is_ended(webhooks: WebhookDesk) -> None:
    await webhooks.register()
    await webhooks.town.pay(next(iter(webhooks.town.tables)), WHOLE)
    await webhooks.fold()
    (row,) = await webhooks.events()
    await give_up(webhooks, row["number"], "inactive")
    assert (await list_endpoints(webhooks.services))[0].active
    await give_up(webhooks, row["number"])
    (endpoint,) = await list_endpoints(webhooks.services)
    assert (endpoint.active, endpoint.ended_by) == (False, "kopeck") and "HTTP 500" in (endpoint.ended_reason or "")


async def test_one_message_that_is_never_taken_ends_nothing(webhooks: WebhookDesk) -> None:
    await webhooks.register()
    await webhooks.town.pay_many([(account, WHOLE) for account in webhooks.town.tables])
    await webhooks.fold()
    bad, good, _ = await webhooks.events()
    await webhooks.services.execute(SQL["finish"], good["number"], OrderState.DONE, "")
    await give_up(webhooks, bad["number"])
    assert (await list_endpoints(webhooks.services))[0].active


async def test_a_replay_is_the_same_message_under_a_key_of_its_own(webhooks: WebhookDesk) -> None:
    made = await webhooks.register()
    await webhooks.town.pay(next(iter(webhooks.town.tables)), WHOLE)
    await webhooks.fold()
    (first,) = await webhooks.events()
    await webhooks.services.execute(SQL["finish"], first["number"], OrderState.DONE, "")
    assert await replay(webhooks.services, first["event"], "clerk") == f"{first['message_id']}/2"
    assert await replay(webhooks.services, first["event"], "head") == f"{first['message_id']}/3"
    rows = await webhooks.events()
    assert len({row["event"] for row in rows}) == 1 and len({bytes(row["content"]) for row in rows}) == 1
    (told,) = await list_events(webhooks.services, made.endpoint)
    assert [(one.key.rpartition("/")[2], one.state, one.asked_by) for one in told.sendings] == [
        (first["message_id"], OrderState.DONE, None),
        ("2", OrderState.WAITING, "clerk"),
        ("3", OrderState.WAITING, "head"),
    ]
    assert (told.type, told.body, told.sendings[0].attempts) == ("payment.split", first["body"], 10)


async def test_two_people_may_ask_for_a_replay_at_once(webhooks: WebhookDesk, ledger_database: LedgerDatabase) -> None:
    await webhooks.register()
    await webhooks.town.pay(next(iter(webhooks.town.tables)), WHOLE)
    await webhooks.fold()
    (first,) = await webhooks.events()
    other = await asyncpg.connect(ledger_database.services_dsn)
    try:
        transaction = other.transaction()
        await transaction.start()
        assert (await replay(other, first["event"], "one")).endswith("/2")
        waiting = asyncio.create_task(replay(webhooks.services, first["event"], "two"))

        async def is_held() -> bool:
            return bool(await webhooks.town.connection.fetchval(SQL["count_waiting"]))

        await until(is_held)
        await transaction.commit()
        assert (await waiting).endswith("/3")
    finally:
        await other.close()


async def test_what_was_not_taken_since_a_moment_is_sent_again(webhooks: WebhookDesk) -> None:
    made = await webhooks.register()
    await webhooks.town.pay_many([(account, WHOLE) for account in webhooks.town.tables])
    await webhooks.fold()
    refused, done, waiting = await webhooks.events()
    await webhooks.services.execute(SQL["finish"], refused["number"], OrderState.REFUSED, "exhausted")
    await webhooks.services.execute(SQL["finish"], done["number"], OrderState.DONE, "")
    since = (await list_events(webhooks.services, made.endpoint))[-1].created_at
    assert await replay_refused(webhooks.services, made.endpoint, since, "clerk") == (f"{refused['message_id']}/2",)
    assert await replay_refused(webhooks.services, made.endpoint, since, "clerk") == ()
    assert (await webhooks.events())[2]["number"] == waiting["number"]


async def test_events_are_paged_newest_first(webhooks: WebhookDesk) -> None:
    made = await webhooks.register()
    await webhooks.town.pay_many([(account, WHOLE) for account in webhooks.town.tables])
    await webhooks.fold()
    page = await list_events(webhooks.services, made.endpoint, events_max=2)
    rest = await list_events(webhooks.services, made.endpoint, before=page[-1].event)
    numbers = [one.event for one in (*page, *rest)]
    assert len(page) == 2 and numbers == sorted(numbers, reverse=True) and len(numbers) == 3


async def test_a_test_message_goes_to_any_live_endpoint(webhooks: WebhookDesk) -> None:
    made = await webhooks.register(events=(EventType.TRANSFER_CREATED,))
    first = await send_test(webhooks.services, made.endpoint, "clerk", NOW)
    assert await send_test(webhooks.services, made.endpoint, "clerk", NOW) == first
    assert await send_test(webhooks.services, made.endpoint, "clerk", NOW + HOUR) != first
    assert await webhooks.told() == [(made.endpoint, "webhook.test", {"asked_by": "clerk"})] * 2


async def test_nothing_is_replayed_or_tried_at_an_ended_endpoint(webhooks: WebhookDesk) -> None:
    made = await webhooks.register()
    await send_test(webhooks.services, made.endpoint, "clerk", NOW)
    (row,) = await webhooks.events()
    await end_endpoint(webhooks.services, made.endpoint, "clerk", "moved", NOW)
    for refused in (
        replay(webhooks.services, row["event"], "clerk"),
        replay(webhooks.services, 999_999, "clerk"),
        send_test(webhooks.services, made.endpoint, "clerk", NOW + HOUR),
    ):
        with pytest.raises(NotReplayable):
            await refused
