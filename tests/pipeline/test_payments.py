"""One payment's way through the gateway: booked, repeated, refused, suspended, in each channel's own words."""

import asyncio

import asyncpg
import pytest

from ledger.chart import AccountKind, ledger_account
from tests.pipeline.bank import payment, send
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


@pytest.mark.parametrize(
    ("account", "roubles", "result"),
    [
        ("unknown", "100.00", 5),
        ("twice", "100.00", 5),
        ("closed", "100.00", 79),
        ("debts", "300.01", 242),
        ("1001", "0", 241),
        ("1001", "0.00", 241),
        ("1001", "50000.01", 242),
        ("1001", "1e3", 300),
        ("1001", "10.455", 300),
        ("1001", "-5", 300),
        ("1001", "10,45", 300),
        ("1001", "", 300),
        ("счёт", "10.00", 4),
        ("1" * 10_000, "10.00", 4),
        ("10\x0001", "10.00", 4),
    ],
)
async def test_an_asking_channel_is_refused_and_the_refusal_remembered(
    gateway: Gateway, owner: asyncpg.Connection, account: str, roubles: str, result: int
) -> None:
    first = await gateway.pay("1", account, roubles)
    assert f"<result>{result}</result>" in first
    assert await gateway.pay("1", account, roubles) == first
    totals = await owner.fetchrow(SQL["fetch_totals"])
    assert (totals["entries"], totals["keys"]) == (0, 1)


async def test_a_refusal_stands_even_when_the_account_appears_later(
    gateway: Gateway, town: Town, owner: asyncpg.Connection
) -> None:
    refused = await gateway.pay("1", "9009", "10.00")
    await owner.execute(SQL["add_alias"], "9009", town.accounts["1003"])
    assert await gateway.pay("1", "9009", "10.00") == refused


async def test_a_booked_payment_is_answered_as_booked_after_its_account_is_lost(
    gateway: Gateway, town: Town, owner: asyncpg.Connection
) -> None:
    booked = await gateway.pay("1", "1001", "10.00")
    await owner.execute(SQL["add_alias"], "1001", town.accounts["1003"])
    assert await gateway.pay("1", "1001", "10.00") == booked
    assert "<result>5</result>" not in booked


async def test_one_key_with_other_content_is_a_conflict_parked_and_books_nothing(
    gateway: Gateway, owner: asyncpg.Connection
) -> None:
    await gateway.pay("1", "1001", "10.00")
    assert "<result>300</result>" in await gateway.pay("1", "1001", "11.00")
    assert "<result>300</result>" in await gateway.pay("1", "1002", "10.00")
    totals = await owner.fetchrow(SQL["fetch_totals"])
    assert (totals["entries"], totals["parked"]) == (1, 2)


async def test_without_a_readable_key_nothing_is_remembered(gateway: Gateway, owner: asyncpg.Connection) -> None:
    for txn_id in ("", "12a", "9" * 21, "\x00"):
        assert "<result>300</result>" in await gateway.pay(txn_id, "1001", "10.00")
    assert (await owner.fetchrow(SQL["fetch_totals"]))["keys"] == 0


async def test_payments_of_one_account_at_once_are_all_booked_in_a_chain(gateway: Gateway, owner: asyncpg.Connection) -> None:
    keys = [str(number % 40) for number in range(60)]
    answers = await asyncio.gather(*(gateway.pay(key, "1001", "13.37") for key in keys))
    assert all("<result>0</result>" in answer for answer in answers)
    entries = await owner.fetch(SQL["list_entries"])
    assert [entry["table_version"] for entry in entries] == list(range(1, 41))
    assert [entry["previous"] for entry in entries] == list(range(40))
    assert sum(entry["amount"] for entry in entries) == 40 * 1337


async def test_check_shows_what_may_be_shown_and_reserves_nothing(gateway: Gateway, owner: asyncpg.Connection) -> None:
    query = {"command": "check", "txn_id": "7", "account": "1001", "sum": "10.00"}
    async with gateway.session.get("/osmp/net", params=query) as response:
        answer = await response.text()
    assert "<result>0</result>" in answer
    assert "5380.76" in answer
    assert "И****в И. И." in answer
    assert "2874.36" not in answer, "no debts by service"
    assert (await owner.fetchrow(SQL["fetch_totals"]))["keys"] == 0


async def test_unknown_numbers_asked_about_are_limited(gateway: Gateway) -> None:
    results = []
    for number in range(62):
        async with gateway.session.get("/osmp/net", params={"command": "check", "account": f"x{number}"}) as response:
            results.append("<result>5</result>" in await response.text())
    assert results == [True] * 60 + [False] * 2


async def test_sber_repeats_the_original_registration(gateway: Gateway) -> None:
    query = {"ACTION": "payment", "ACCOUNT": "1001", "AMOUNT": "10.00", "PAY_ID": "5", "PAY_DATE": "24.11.2026_12:00:00"}
    answers = []
    for _ in range(2):
        async with gateway.session.get("/sber/sber", params=query) as response:
            answers.append(await response.text())
    assert "<CODE>0</CODE>" in answers[0]
    assert "<CODE>8</CODE>" in answers[1]
    place = answers[0].index("<EXT_ID>")
    assert answers[0][place:] == answers[1][answers[1].index("<EXT_ID>") :]


async def test_the_feed_books_and_repeats_with_the_replay_marked(gateway: Gateway) -> None:
    first = await send(gateway, "op-1", payment("1001", 1000))
    again = await send(gateway, "op-1", payment("1001", 1000))
    assert (first.status, first.body["status"]) == (200, "recorded")
    assert again.body == first.body
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers


@pytest.mark.parametrize(
    ("account", "amount", "reason"),
    [
        ("unknown", 1000, "account_unknown"),
        ("twice", 1000, "account_ambiguous"),
        ("closed", 1000, "account_closed"),
        ("1001", 5_000_001, "above_limit"),
        ("счёт с пробелом", 1000, "account_unknown"),
    ],
)
async def test_arrived_money_waits_in_suspense_with_its_reason(
    gateway: Gateway, town: Town, owner: asyncpg.Connection, account: str, amount: int, reason: str
) -> None:
    told = await send(gateway, "op-1", payment(account, amount))
    assert (told.status, told.body["suspense"]) == (200, reason)
    (entry,) = await owner.fetch(SQL["list_entries"])
    feed = town.channels[2]
    assert entry["accounts"] == [
        ledger_account(AccountKind.CLEARING, town.transit, feed.space),
        ledger_account(AccountKind.SUSPENSE, town.transit, feed.number),
    ]
    assert account in entry["designation"]


async def test_what_a_debts_only_account_cannot_take_goes_to_suspense(gateway: Gateway, owner: asyncpg.Connection) -> None:
    told = await send(gateway, "op-1", payment("debts", 30_500))
    assert told.body["suspense"] == "advance_not_taken"
    (entry,) = await owner.fetch(SQL["list_entries"])
    assert sorted(entry["amounts"]) == [-20_000, -10_000, -500, 30_500]


async def test_the_feed_conflict_names_the_field(gateway: Gateway) -> None:
    await send(gateway, "op-1", payment("1001", 1000))
    for body, field in (
        (payment("1001", 1001), "amount"),
        (payment("1002", 1000), "account"),
        (payment("1001", 1000, designation={"period": "2026-10"}), "designation"),
    ):
        told = await send(gateway, "op-1", body)
        assert (told.status, told.body["type"], told.body["field"]) == (409, "/problems/conflict", field)


async def test_a_stale_timestamp_is_listed_unless_the_key_is_known(gateway: Gateway, owner: asyncpg.Connection) -> None:
    stale = await send(gateway, "op-1", payment("1001", 1000), age_s=4000)
    assert (stale.status, stale.body["type"]) == (409, "/problems/stale-timestamp")
    ahead = await send(gateway, "op-3", payment("1001", 1000), age_s=-4000)
    assert ahead.status == 409
    assert [row["what"] for row in await owner.fetch(SQL["list_parked"])] == ["stale-timestamp"] * 2
    await send(gateway, "op-2", payment("1001", 1000))
    assert (await send(gateway, "op-2", payment("1001", 1000), age_s=4000)).status == 200
    assert (await owner.fetchrow(SQL["fetch_totals"]))["entries"] == 1


@pytest.mark.parametrize(
    ("body", "status", "problem"),
    [
        (b"{", 400, "not-json"),
        (b'{"account": "1001", "amount": 1000, "occurred_at": "2026-11-24T1', 400, "not-json"),
        (b'{"account":"1","account":"2","amount":5,"occurred_at":"2026-11-24T12:00:00Z"}', 400, "duplicate-key"),
        ('{"account":"счёт","amount":5,"occurred_at":"2026-11-24T12:00:00Z"}'.encode("cp1251"), 400, "not-utf8"),
        (payment("1001", 0), 422, "unexpected-shape"),
        (payment("1001", -5), 422, "unexpected-shape"),
        (payment("1001", "1e3"), 422, "unexpected-shape"),
        (payment("1001", 10.455), 422, "unexpected-shape"),
        (payment("1" * 10_000, 5), 422, "invalid-field"),
        (payment("10\x0001", 5), 422, "invalid-field"),
        (payment("1001", 5, extra=1), 422, "unexpected-shape"),
        (b" " * 70_000, 413, "body-too-large"),
    ],
)
async def test_the_feed_is_refused_for_form_with_a_problem(
    gateway: Gateway, owner: asyncpg.Connection, body: object, status: int, problem: str
) -> None:
    told = await send(gateway, "op-1", body)
    assert (told.status, told.body["type"]) == (status, f"/problems/{problem}")
    assert told.headers["Content-Type"] == "application/problem+json"
    assert (await owner.fetchrow(SQL["fetch_totals"]))["keys"] == 0


async def test_the_feed_is_refused_without_a_right_signature(gateway: Gateway, owner: asyncpg.Connection) -> None:
    for changed in ({"webhook_signature": "v1,AAAA"}, {"webhook_signature": ""}, {"webhook_id": "other"}):
        assert (await send(gateway, "op-1", payment("1001", 5), **changed)).status in (400, 401)
    assert (await send(gateway, "k" * 129, payment("1001", 5))).status == 400
    assert (await owner.fetchrow(SQL["fetch_totals"]))["keys"] == 0


async def test_a_statement_line_covers_what_was_promised(gateway: Gateway, town: Town, owner: asyncpg.Connection) -> None:
    line = {
        "transit_account": "40911810101850000000",
        "space": "terminals",
        "amount": 1000,
        "occurred_at": "2026-11-24T20:00:00+03:00",
    }
    first = await send(gateway, "line-1", line, path="statement-lines")
    again = await send(gateway, "line-1", line, path="statement-lines")
    assert (first.status, again.body) == (200, first.body)
    assert first.body["entry"]["book"] == 0
    assert (await send(gateway, "line-2", {**line, "space": "nobody"}, path="statement-lines")).status == 422


async def test_no_cover_is_booked_where_the_statement_is_believed(
    gateway: Gateway, town: Town, owner: asyncpg.Connection
) -> None:
    await owner.execute(SQL["believe_statement"], town.transit)
    line = {"transit_account": "40911810101850000000", "space": "bank", "amount": 900, "occurred_at": "2026-11-24T12:00:00+03:00"}
    answer = await send(gateway, "line-1", line, path="statement-lines")
    assert (answer.status, answer.body["type"]) == (409, "/problems/covered-elsewhere")
    assert (await send(gateway, "p1", payment("1001", 500))).status == 200, "the feed's payments are booked all the same"
    assert (await owner.fetchrow(SQL["fetch_totals"]))["entries"] == 1
    assert (await owner.fetchrow(SQL["fetch_totals"]))["entries"] == 1


async def test_no_route_and_wrong_method_are_problems(gateway: Gateway) -> None:
    for method, path, status in (("GET", "/osmp/nobody", 404), ("DELETE", "/osmp/net", 405), ("GET", "/bank/feed/payments", 405)):
        async with gateway.session.request(method, path) as response:
            assert response.status == status
            assert response.headers["Content-Type"] == "application/problem+json"


async def test_health_readiness_and_metrics_answer(gateway: Gateway) -> None:
    await gateway.pay("1", "1001", "10.00")
    for path, words in (("/healthz", "alive"), ("/readyz", "ready"), ("/metrics", "kopeck_payments_total")):
        async with gateway.session.get(path) as response:
            assert response.status == 200
            assert words in await response.text()
