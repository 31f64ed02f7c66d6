"""Webhooks the whole way: ledger, consumer, delivery's worker, a real receiver on loopback that fails in every manner."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random

import asyncpg
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from connectors.banks.standard_webhooks import Verdict
from connectors.webhooks.addresses import PUBLIC_ONLY, AddressRules
from connectors.webhooks.receiver import WebhookReceiver
from kopeck.clock import utc_now
from schemas.delivery import OrderState
from schemas.exchange import ExchangeFailed, HttpRequest
from services.delivery.http import HttpExchange, HttpTerms
from services.delivery.line import Route
from services.delivery.pace import Pace
from services.delivery.rules import Patience
from services.delivery.worker import Worker, WorkerTerms
from services.webhooks.desk import WebhooksDesk
from services.webhooks.endpoints import Rotation, counterparty_of, end_endpoint, list_endpoints, rotate_secret, target_finder
from services.webhooks.guarded import GuardedResolver
from services.webhooks.replays import list_events, replay, send_test
from services.webhooks.roster import keep_serving
from services.webhooks.sealing import Sealer
from tests.conftest import LedgerDatabase
from tests.ledger.small_ledger import until
from tests.read_town import WEIGHTS, build_town
from tests.services.webhook_desk import DAY, KEY, LOOPBACK, SQL, Receiver, Told, WebhookDesk, receiving

WHOLE = sum(WEIGHTS)
AT_ONCE = (0,) * 9
QUICK = Pace(open_ms=20, open_ms_max=50, patience=Patience(backoff_ms_min=10, backoff_ms_max=20))
TERMS = WorkerTerms(draw=Random(7).randrange, poll_ms=50, wake_ms_min=5, retry_ms=50)


@pytest.fixture
async def webhooks(ledger_database: LedgerDatabase) -> AsyncIterator[WebhookDesk]:
    """A town nobody listens to yet."""
    town = await build_town(ledger_database.owner_dsn)
    services = await asyncpg.connect(ledger_database.services_dsn)
    yield WebhookDesk(town=town, services=services, sealer=Sealer((KEY,)))
    await services.close()
    await town.connection.close()


@asynccontextmanager
async def delivering(dsn: str, sealer: Sealer) -> AsyncIterator[None]:
    """Delivery to every endpoint there is, and to those to come."""
    stopping = asyncio.Event()
    terms = HttpTerms(resolver=GuardedResolver(LOOPBACK))
    async with asyncpg.create_pool(dsn, min_size=0, max_size=2) as pool, HttpExchange(terms) as exchange:

        def serve(endpoints: tuple[int, ...]) -> Worker:
            routes = []
            for endpoint in endpoints:
                find = target_finder(pool, endpoint, sealer, utc_now)
                receiver = WebhookReceiver(exchange, find, utc_now, LOOPBACK, AT_ONCE)
                routes.append(Route(name=counterparty_of(endpoint), counterparty=receiver, pace=QUICK))
            return Worker(dsn, routes, {"webhook": WebhooksDesk()}, terms=TERMS)

        work = asyncio.create_task(keep_serving(dsn, serve, stopping, watch_ms=50))
        try:
            yield
        finally:
            stopping.set()
            await asyncio.wait_for(work, 20)


@asynccontextmanager
async def told(webhooks: WebhookDesk, database: LedgerDatabase, *answers: Told | None) -> AsyncIterator[tuple[Receiver, int]]:
    """A supplier whose receiver gives these answers first, and one payment that it has to hear of."""
    secrets: list[str] = []
    async with receiving(lambda: tuple(secrets)) as receiver:
        made = await webhooks.register("TEPLO", receiver.url)
        secrets.append(made.secret)
        receiver.answers = list(answers)
        await webhooks.town.pay(next(iter(webhooks.town.tables)), WHOLE)
        await webhooks.fold()
        async with delivering(database.services_dsn, webhooks.sealer):
            yield receiver, made.endpoint


def all_at_rest(webhooks: WebhookDesk, state: OrderState) -> Callable[[], object]:
    """Have all orders come to this state."""

    async def look() -> bool:
        rows = await webhooks.events()
        return bool(rows) and {row["state"] for row in rows} == {state}

    return look


async def test_a_payment_reaches_the_supplier_signed(webhooks: WebhookDesk, ledger_database: LedgerDatabase) -> None:
    async with told(webhooks, ledger_database) as (receiver, _):
        await until(all_at_rest(webhooks, OrderState.DONE))
    (row,) = await webhooks.events()
    assert receiver.taken == {row["message_id"]: row["body"].encode()}
    assert receiver.verdicts == [Verdict.VALID] and receiver.seen == [row["message_id"]]


FAULTS = [
    (Told(500),),
    (Told(404), Told(401)),
    (Told(429, {"retry-after": "0"}),),
    (Told(503, {"retry-after": "soon"}), Told(408)),
    (Told(302, {"location": "http://169.254.169.254/"}),),
    (None, None, Told(502)),
]


@pytest.mark.parametrize("answers", FAULTS, ids=lambda answers: "-".join(str(one and one.status) for one in answers))
async def test_faults_are_outlived_and_repeats_carry_one_id(
    webhooks: WebhookDesk, ledger_database: LedgerDatabase, answers: tuple[Told | None, ...]
) -> None:
    async with told(webhooks, ledger_database, *answers) as (receiver, endpoint):
        await until(all_at_rest(webhooks, OrderState.DONE))
    assert len(receiver.seen) == len(answers) + 1 and len(set(receiver.seen)) == len(receiver.taken) == 1
    assert set(receiver.verdicts) == {Verdict.VALID}
    ((sending,),) = [one.sendings for one in await list_events(webhooks.services, endpoint)]
    assert sending.attempts == len(answers) + 1


async def test_gone_closes_the_endpoint_and_keeps_the_message(webhooks: WebhookDesk, ledger_database: LedgerDatabase) -> None:
    async with told(webhooks, ledger_database, Told(410)) as (receiver, endpoint):

        async def is_closed() -> bool:
            return bool(await webhooks.services.fetchval(SQL["count_closed"]))

        await until(is_closed)
        await webhooks.town.pay(next(iter(webhooks.town.tables)), 1_000)
        await webhooks.fold()
        (row,) = await webhooks.events()
        assert row["state"] == OrderState.WAITING and len(receiver.seen) == 1
        assert "410" in str((await list_endpoints(webhooks.services))[0].closed_reason)
        await webhooks.services.execute(SQL["open_counterparty"], counterparty_of(endpoint))
        await until(all_at_rest(webhooks, OrderState.DONE))
    assert len(receiver.taken) == 1


async def test_a_message_given_up_ends_the_endpoint(webhooks: WebhookDesk, ledger_database: LedgerDatabase) -> None:
    async with told(webhooks, ledger_database, *[Told(500)] * 20) as (receiver, _):
        await until(all_at_rest(webhooks, OrderState.REFUSED))
    (endpoint,) = await list_endpoints(webhooks.services)
    assert len(receiver.seen) == len(AT_ONCE) + 1 and receiver.taken == {}
    assert not endpoint.active and endpoint.ended_by == "kopeck"


async def test_a_rotation_is_not_noticed_by_either_side(webhooks: WebhookDesk, ledger_database: LedgerDatabase) -> None:
    async with told(webhooks, ledger_database) as (receiver, endpoint):
        await until(all_at_rest(webhooks, OrderState.DONE))
        await rotate_secret(webhooks.services, endpoint, webhooks.sealer, Rotation(by="clerk", at=utc_now(), overlap=DAY))
        await send_test(webhooks.services, endpoint, "clerk", utc_now())
        await until(all_at_rest(webhooks, OrderState.DONE))
        await rotate_secret(webhooks.services, endpoint, webhooks.sealer, Rotation(by="clerk", at=utc_now(), overlap=0 * DAY))
        await send_test(webhooks.services, endpoint, "clerk", utc_now())
        await until(all_at_rest(webhooks, OrderState.DONE))
    assert receiver.verdicts == [Verdict.VALID, Verdict.VALID, Verdict.WRONG_SIGNATURE]


async def test_a_replay_arrives_as_the_same_message(webhooks: WebhookDesk, ledger_database: LedgerDatabase) -> None:
    async with told(webhooks, ledger_database) as (receiver, _):
        await until(all_at_rest(webhooks, OrderState.DONE))
        (row,) = await webhooks.events()
        await replay(webhooks.services, row["event"], "clerk")
        await until(all_at_rest(webhooks, OrderState.DONE))
    assert receiver.seen == [row["message_id"]] * 2 and len(receiver.taken) == 1


async def test_endpoints_come_and_go_while_delivery_runs(webhooks: WebhookDesk, ledger_database: LedgerDatabase) -> None:
    async with told(webhooks, ledger_database) as (receiver, endpoint):
        await until(all_at_rest(webhooks, OrderState.DONE))
        other = await webhooks.register("VODOKANAL", receiver.url)
        await webhooks.town.pay(next(iter(webhooks.town.tables)), 1)
        await send_test(webhooks.services, other.endpoint, "clerk", utc_now())
        await until(all_at_rest(webhooks, OrderState.DONE))
        await end_endpoint(webhooks.services, endpoint, "clerk", "moved", utc_now())
        await send_test(webhooks.services, other.endpoint, "head", utc_now())
        await until(all_at_rest(webhooks, OrderState.DONE))
    assert len(receiver.taken) == 3


async def test_an_exception_of_the_server_ends_the_watch(webhooks: WebhookDesk, ledger_database: LedgerDatabase) -> None:
    class Broken:
        async def run(self) -> None:
            raise RuntimeError("told to fail")

        def stop(self) -> None:
            raise AssertionError("it has ended by itself")

    await webhooks.register()
    with pytest.raises(RuntimeError, match="told to fail"):
        await asyncio.wait_for(keep_serving(ledger_database.services_dsn, lambda _: Broken(), asyncio.Event(), watch_ms=10), 20)


class Names(AbstractResolver):
    """Resolves every name to these addresses."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        flags = socket.AI_NUMERICHOST
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=flags)
            for address in self.addresses
        ]

    async def close(self) -> None:
        self.addresses = ()


async def test_a_name_that_leads_inside_is_not_followed() -> None:
    async with receiving(lambda: ()) as receiver:
        port = receiver.url.rpartition(":")[2]
        request = HttpRequest(method="POST", url=f"http://hooks.example.ru:{port}", body=b"{}")
        for addresses in (("127.0.0.1",), ("8.8.8.8", "127.0.0.1"), ("::ffff:127.0.0.1",)):
            terms = HttpTerms(resolver=GuardedResolver(PUBLIC_ONLY, Names(*addresses)))
            async with HttpExchange(terms) as exchange:
                with pytest.raises(ExchangeFailed) as failed:
                    await exchange(request)
            assert not failed.value.sent
        allowed = HttpTerms(resolver=GuardedResolver(AddressRules(networks=("127.0.0.1/32",)), Names("127.0.0.1")))
        async with HttpExchange(allowed) as exchange:
            assert (await exchange(HttpRequest(method="GET", url=f"http://hooks.example.ru:{port}"))).status == 405
    assert receiver.seen == []


async def test_the_machine_s_own_name_is_inside_too() -> None:
    with pytest.raises(OSError, match="not public"):
        await GuardedResolver().resolve("localhost", 80)
    assert await GuardedResolver(LOOPBACK).resolve("127.0.0.1", 80)
