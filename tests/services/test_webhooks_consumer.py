"""The consumer of webhooks on a real ledger: every supplier hears of its own legs, once, and of nobody else's."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg
import msgspec
import pytest

from ledger.feed import list_cursors, list_heads
from ledger.statements import load_statements
from schemas.ids import Book
from schemas.ids import Sequence as Place
from schemas.journal import EntryKind
from schemas.webhook import EventType, News, ReceiptNews, TransferNews
from services.announce import announce
from services.runner import advance
from services.webhooks.consumer import WebhooksConsumer
from services.webhooks.endpoints import end_endpoint
from services.webhooks.payments import LegRow, events_of, masked_number
from services.webhooks.sealing import Sealer
from tests.conftest import LedgerDatabase
from tests.read_town import DAY, WEIGHTS, build_town
from tests.services.webhook_desk import KEY, NOW, SQL, WebhookDesk

WHOLE = sum(WEIGHTS)
WEBHOOKS = load_statements("services/webhooks/webhooks.sql")


@pytest.fixture
async def webhooks(ledger_database: LedgerDatabase) -> AsyncIterator[WebhookDesk]:
    """A town nobody listens to yet."""
    town = await build_town(ledger_database.owner_dsn)
    services = await asyncpg.connect(ledger_database.services_dsn)
    yield WebhookDesk(town=town, services=services, sealer=Sealer((KEY,)))
    await services.close()
    await town.connection.close()


async def test_each_recipient_hears_of_its_own_legs_only(webhooks: WebhookDesk) -> None:
    heat, water = await webhooks.register("TEPLO"), await webhooks.register("VODOKANAL")
    account = next(iter(webhooks.town.tables))
    await webhooks.town.pay(account, WHOLE + 12_345)
    assert await webhooks.fold() == 1
    bodies = {row["endpoint"]: row["body"] for row in await webhooks.events()}
    assert set(bodies) == {heat.endpoint, water.endpoint}
    for endpoint, service, amount in ((heat.endpoint, "heating", WEIGHTS[0]), (water.endpoint, "water", WEIGHTS[1])):
        body = msgspec.json.decode(bodies[endpoint])
        assert (body["type"], body["timestamp"]) == ("payment.split", "2026-11-24T09:30:01Z")
        assert body["data"] == {
            "payment": "bank-feed:op-1",
            "entry": "1:1",
            "account": "**00",
            "transit_account": "40911810000000000001",
            "paid_at": "2026-11-24T09:30:01Z",
            "bank_day": "2026-11-24",
            "legs": [{"service": service, "period": "", "kind": "", "amount_kopecks": amount}],
            "total_kopecks": amount,
        }
    for foreign in (str(WEIGHTS[1]), str(WEIGHTS[2]), str(WHOLE), str(WHOLE + 12_345), "water", "maintenance", '1000"'):
        assert foreign not in bodies[heat.endpoint]


async def test_the_order_of_an_event_is_the_body_under_the_message_id(webhooks: WebhookDesk) -> None:
    heat = await webhooks.register()
    await webhooks.town.pay(next(iter(webhooks.town.tables)), WHOLE)
    await webhooks.fold()
    (row,) = await webhooks.events()
    assert (row["what"], row["counterparty"], row["state"]) == ("webhook", f"webhook:{heat.endpoint}", 0)
    assert row["key"] == row["message_id"] and row["message_id"].startswith("evt_") and len(row["message_id"]) == 36
    assert bytes(row["content"]) == row["body"].encode() and " " not in row["body"]


async def test_period_and_kind_come_from_the_account_s_lines(webhooks: WebhookDesk) -> None:
    await webhooks.register("TEPLO")
    account = next(iter(webhooks.town.tables))
    payee = webhooks.town.payees["TEPLO", "heating"]
    await webhooks.town.connection.execute(SQL["add_charge"], account, 1, payee, 1)
    await webhooks.town.pay(account, WHOLE)
    await webhooks.fold()
    ((_, _, data),) = await webhooks.told()
    assert data["legs"] == [{"service": "heating", "period": "2026-10", "kind": "penalty", "amount_kopecks": WEIGHTS[0]}]


async def test_a_reversal_names_the_payment_it_undoes(webhooks: WebhookDesk) -> None:
    await webhooks.register("TEPLO")
    account = next(iter(webhooks.town.tables))
    place = await webhooks.town.pay(account, WHOLE)
    await webhooks.town.reverse(place)
    await webhooks.fold()
    split, undone = await webhooks.told()
    assert (split[1], undone[1]) == ("payment.split", "payment.reversed")
    assert undone[2]["payment"] == split[2]["payment"] == "bank-feed:op-1"
    assert undone[2]["legs"] == split[2]["legs"] and undone[2]["entry"] == "1:2"


async def test_suspense_covers_and_reversed_covers_are_no_news(webhooks: WebhookDesk) -> None:
    await webhooks.register("TEPLO")
    await webhooks.town.suspend(777)
    await webhooks.town.cover(20_000)
    assert await webhooks.fold() == 2
    assert await webhooks.events() == []


async def test_only_what_an_endpoint_wants_is_told(webhooks: WebhookDesk) -> None:
    undone = await webhooks.register("TEPLO", events=(EventType.PAYMENT_REVERSED,))
    await webhooks.register("VODOKANAL", events=(EventType.TRANSFER_EXECUTED,))
    account = next(iter(webhooks.town.tables))
    await webhooks.town.reverse(await webhooks.town.pay(account, WHOLE))
    await webhooks.fold()
    assert [(endpoint, type_) for endpoint, type_, _ in await webhooks.told()] == [(undone.endpoint, "payment.reversed")]


async def test_two_endpoints_of_one_recipient_get_a_message_each(webhooks: WebhookDesk) -> None:
    first, second = await webhooks.register("TEPLO"), await webhooks.register("TEPLO", url="https://other.example.ru/")
    await webhooks.town.pay_many([(account, WHOLE) for account in webhooks.town.tables])
    await webhooks.fold()
    events = await webhooks.events()
    assert [row["endpoint"] for row in events] == [first.endpoint, second.endpoint] * 3
    assert len({row["message_id"] for row in events}) == 6


async def test_ended_and_closed_endpoints_are_told_nothing(webhooks: WebhookDesk) -> None:
    ended, gone = await webhooks.register("TEPLO"), await webhooks.register("TEPLO")
    await end_endpoint(webhooks.services, ended.endpoint, "clerk", "moved", NOW)
    await webhooks.services.execute(SQL["close_counterparty"], f"webhook:{gone.endpoint}")
    account = next(iter(webhooks.town.tables))
    await webhooks.town.pay(account, WHOLE)
    assert await webhooks.fold() == 1
    assert await webhooks.events() == []
    await webhooks.services.execute(SQL["open_counterparty"], f"webhook:{gone.endpoint}")
    await webhooks.town.pay(account, 1_000)
    await webhooks.fold()
    assert {row["endpoint"] for row in await webhooks.events()} <= {gone.endpoint}


async def test_the_journal_is_not_read_while_nobody_listens(webhooks: WebhookDesk) -> None:
    """The look itself reads the journal's head and no entry: a passage costs the same whatever it holds."""
    await webhooks.register("TEPLO", events=(EventType.TRANSFER_CREATED,))
    await webhooks.town.pay_many([(account, WHOLE) for account in webhooks.town.tables])
    before = await _journal_scans(webhooks)
    assert await webhooks.fold() == 3
    # One look at each book's head a passage, two books and one empty passage each.
    assert await _journal_scans(webhooks) - before <= 4
    assert await list_cursors(webhooks.services, "webhooks") == await list_heads(webhooks.services)


async def _journal_scans(webhooks: WebhookDesk) -> int:
    await webhooks.services.execute(SQL["flush_statistics"])
    return int(await webhooks.services.fetchval(SQL["count_journal_reads"]))


async def test_a_passage_taken_twice_makes_its_events_once(webhooks: WebhookDesk) -> None:
    await webhooks.register("TEPLO")
    await webhooks.fold()
    await webhooks.town.pay(next(iter(webhooks.town.tables)), WHOLE)
    transaction = webhooks.services.transaction()
    await transaction.start()
    assert await advance(webhooks.services, WebhooksConsumer(), Book(1), 100) == 1
    await transaction.rollback()
    assert await webhooks.events() == []
    assert await webhooks.fold() == 1
    assert await webhooks.fold() == 0
    assert len(await webhooks.events()) == 1


async def test_the_legs_of_a_passage_are_found_by_keys(webhooks: WebhookDesk) -> None:
    async with webhooks.services.transaction():
        await webhooks.services.execute(SQL["prefer_indexes"])
        rows = await webhooks.services.fetch(f"{SQL['explain']} {WEBHOOKS['list_legs']}", 1, 10, 20, [1, 5])
    plan = "\n".join(row[0] for row in rows)
    assert "Seq Scan on journal" not in plan and plan.count("journal_key") >= 2


ROW = LegRow(
    endpoint=7,
    events=frozenset(EventType),
    sequence=Place(5),
    kind=EntryKind.PAYMENT,
    external_id="op-5",
    space="bank-feed",
    event_at=datetime(2026, 11, 24, 9, 30, tzinfo=UTC),
    bank_day=DAY,
    transit_account="40911810000000000001",
    number="0001001",
    service="heating",
    period=202610,
    charge_kind=0,
    amount=-100,
    undone_id=None,
    undone_space=None,
)


def row(**changed: object) -> LegRow:
    """A leg, changed as given."""
    return msgspec.structs.replace(ROW, **changed)


def ids(*rows: LegRow) -> list[str]:
    """The message ids of the events of legs."""
    return [event.message_id for event in events_of(Book(1), rows)]


def test_a_message_keeps_its_id_wherever_the_entry_stands() -> None:
    assert ids(row()) == ids(row(sequence=Place(900)))
    others = [row(endpoint=8), row(external_id="op-6"), row(space="terminals"), row(amount=100)]
    assert len({*ids(row()), *(one for other in others for one in ids(other))}) == 5


def test_a_reversal_keeps_its_id_though_its_own_key_names_a_place() -> None:
    undoes = {"kind": EntryKind.REVERSAL, "space": "correction", "amount": 100, "undone_id": "op-5", "undone_space": "bank-feed"}
    here, there = row(external_id="1:5/1", **undoes), row(external_id="1:900/1", sequence=Place(77), **undoes)
    second = row(external_id="1:5/2", **undoes)
    assert ids(here) == ids(there) != ids(second)


def test_an_entry_that_gives_and_takes_is_two_messages() -> None:
    given, taken = events_of(Book(1), [row(kind=EntryKind.REASSIGNMENT), row(kind=EntryKind.REASSIGNMENT, amount=40)])
    assert (given.type, taken.type) == (EventType.PAYMENT_SPLIT, EventType.PAYMENT_REVERSED)
    assert msgspec.json.decode(given.body)["data"]["total_kopecks"] == 100
    assert msgspec.json.decode(taken.body)["data"]["total_kopecks"] == 40


def test_the_sum_of_a_message_is_that_of_its_legs() -> None:
    (event,) = events_of(
        Book(1), [row(), row(period=202609, charge_kind=1, amount=-23), row(period=None, charge_kind=3, amount=-7)]
    )
    data = msgspec.json.decode(event.body)["data"]
    assert [(leg["period"], leg["kind"], leg["amount_kopecks"]) for leg in data["legs"]] == [
        ("2026-10", "principal", 100),
        ("2026-09", "penalty", 23),
        ("", "advance", 7),
    ]
    assert data["total_kopecks"] == 130


MASKED = [
    ("0001001", "**001"),
    ("00001001", "**1001"),
    ("40911810", "**1810"),
    ("1234", "**34"),
    ("12", "**2"),
    ("1", "**"),
    ("", "**"),
]


@pytest.mark.parametrize(("number", "masked"), MASKED)
def test_account_numbers_are_masked(number: str, masked: str) -> None:
    assert masked_number(number) == masked


async def test_other_services_announce_in_their_own_transactions(webhooks: WebhookDesk) -> None:
    wanted = (EventType.TRANSFER_EXECUTED, EventType.RECEIPT_REGISTERED)
    heat = await webhooks.register("TEPLO", events=wanted)
    recipient = await webhooks.services.fetchval(SQL["recipient_of"], heat.endpoint)
    paid = TransferNews(key="t-1", number="17", day=DAY, amount_kopecks=5, purpose="Оплата", bank_number="9", bank_day=DAY)
    receipt = ReceiptNews(
        payment="bank-feed:op-1", operation="sell", fn="9", fd="1", fpd="2", registered_at=datetime(2026, 11, 24), total_kopecks=5
    )
    news = [
        News(recipient=recipient, type=EventType.TRANSFER_EXECUTED, key="t-1", happened_at=NOW, payload=paid),
        News(recipient=recipient, type=EventType.TRANSFER_CREATED, key="t-1", happened_at=NOW, payload=paid),
        News(recipient=recipient + 1, type=EventType.TRANSFER_EXECUTED, key="t-2", happened_at=NOW, payload=paid),
        News(recipient=recipient, type=EventType.RECEIPT_REGISTERED, key="r-1", happened_at=NOW, payload=receipt),
    ]
    transaction = webhooks.services.transaction()
    await transaction.start()
    assert await announce(webhooks.services, news) == 2
    await transaction.rollback()
    assert await webhooks.events() == []
    assert await announce(webhooks.services, news) == 2
    assert await announce(webhooks.services, news) == 0
    assert [(type_, data) for _, type_, data in await webhooks.told()] == [
        ("transfer.executed", msgspec.to_builtins(paid)),
        ("receipt.registered", msgspec.to_builtins(receipt)),
    ]
    assert await announce(webhooks.services, []) == 0
