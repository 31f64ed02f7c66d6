"""The API's frame: who asks, may they, what exactly, once."""

import asyncio

import asyncpg
import pytest
from aiohttp.test_utils import TestClient, TestServer

from kopeck.clock import utc_now
from portal.access.credentials import KEY_PREFIX, hash_of, make_secret
from portal.access.doors import AccessDoors
from portal.api.answering import Edges
from portal.api.app import make_api
from portal.api.v1.catalogue import OPERATIONS
from tests.portal.conftest import SQL, PortalHouse

KEY = "0123456789abcdef"


async def test_a_key_says_who_asks(house: PortalHouse) -> None:
    answer = await house.client.get("/v1/me", headers=house.headers("heat"))
    told = await answer.json()
    assert (answer.status, told["organisation"], told["kind"], told["credential"]) == (200, "heat", "supplier", "heat-key")


@pytest.mark.parametrize("credential", ["", "Bearer", "Bearer  ", "Bearer kpk_wrong", "Basic x", "Bearer " + "x" * 5_000])
async def test_without_a_credential_nobody_is_answered(house: PortalHouse, credential: str) -> None:
    answer = await house.client.get("/v1/me", headers={"Authorization": credential} if credential else {})
    told = await answer.json()
    assert (answer.status, told["type"]) == (401, "/problems/unauthenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.content_type == "application/problem+json"


async def test_a_revoked_key_is_refused_at_once(house: PortalHouse) -> None:
    await house.owner.execute(SQL["revoke"], "heat-key")
    answer = await house.client.get("/v1/me", headers=house.headers("heat"))
    assert answer.status == 401


async def test_a_scope_that_the_key_lacks_is_named(house: PortalHouse) -> None:
    key = make_secret(KEY_PREFIX)
    await house.owner.execute(SQL["add_client"], "narrow-key", "heat", hash_of(key), ["webhooks:read"])
    answer = await house.client.get("/v1/me", headers={"Authorization": f"Bearer {key}", "Accept-Language": "en"})
    told = await answer.json()
    assert (answer.status, told["type"], told["detail"]) == (403, "/problems/scope-missing", "The scope provider:read is needed")


async def test_everybody_sees_its_own(house: PortalHouse) -> None:
    seen = {}
    for organisation in house.keys:
        answer = await house.client.get("/v1/recipients", headers=house.headers(organisation))
        seen[organisation] = [one["code"] for one in (await answer.json())["items"]]
    assert seen == {"heat": ["heat"], "water": ["water"], "operator": ["heat", "water"]}


async def test_pages_follow_each_other(house: PortalHouse) -> None:
    first = await (await house.client.get("/v1/recipients?limit=1", headers=house.headers("operator"))).json()
    path = f"/v1/recipients?limit=1&cursor={first['next_cursor']}"
    second = await (await house.client.get(path, headers=house.headers("operator"))).json()
    assert [one["code"] for one in first["items"] + second["items"]] == ["heat", "water"]
    assert second["next_cursor"] is None


@pytest.mark.parametrize(
    ("query", "status", "kind"),
    [
        ("cursor=!!", 400, "/problems/cursor-invalid"),
        ("cursor=WyJ4IixbMSwiZCJdXQ", 400, "/problems/cursor-invalid"),
        ("limit=0", 422, "/problems/invalid"),
        ("limit=1001", 422, "/problems/invalid"),
        ("limit=x", 422, "/problems/invalid"),
        ("limit=1&limit=2", 422, "/problems/invalid"),
        ("colour=red", 422, "/problems/invalid"),
    ],
)
async def test_a_bad_query_says_what_is_wrong(house: PortalHouse, query: str, status: int, kind: str) -> None:
    answer = await house.client.get(f"/v1/recipients?{query}", headers=house.headers("heat"))
    told = await answer.json()
    assert (answer.status, told["type"]) == (status, kind)
    if status == 422:
        assert told["errors"][0]["place"] == "query"
        assert told["errors"][0]["pointer"] == f"/{query.partition('=')[0]}"


async def test_what_the_caller_has_is_not_sent_again(house: PortalHouse) -> None:
    first = await house.client.get("/v1/me", headers=house.headers("heat"))
    again = await house.client.get("/v1/me", headers=house.headers("heat", If_None_Match=first.headers["ETag"]))
    other = await house.client.get("/v1/me", headers=house.headers("water", If_None_Match=first.headers["ETag"]))
    assert (again.status, await again.read(), other.status) == (304, b"", 200)


async def test_paths_and_methods_that_are_not_there_are_problems(house: PortalHouse) -> None:
    nowhere = await house.client.get("/v1/nothing", headers=house.headers("heat"))
    wrong = await house.client.delete("/v1/me", headers=house.headers("heat"))
    assert (nowhere.status, (await nowhere.json())["type"]) == (404, "/problems/not-found")
    assert (wrong.status, (await wrong.json())["type"]) == (405, "/problems/method-not-allowed")
    assert "GET" in wrong.headers["Allow"]


async def test_a_write_is_carried_out_once(house: PortalHouse) -> None:
    headers = house.headers("operator", Idempotency_Key=KEY)
    first = await house.client.post("/v1/renamings", json={"code": "heat", "name": "Новое"}, headers=headers)
    await house.owner.execute(SQL["rename"], "heat", "Иное")
    again = await house.client.post("/v1/renamings", json={"code": "heat", "name": "Новое"}, headers=headers)
    assert (first.status, again.status) == (200, 200)
    assert ("Idempotency-Replayed" in first.headers, again.headers["Idempotency-Replayed"]) == (False, "true")
    assert await first.read() == await again.read()
    assert await house.owner.fetchval(SQL["name_of"], "heat") == "Иное", "the repeat did nothing"


async def test_a_key_of_another_request_is_refused(house: PortalHouse) -> None:
    headers = house.headers("operator", Idempotency_Key=KEY)
    await house.client.post("/v1/renamings", json={"code": "heat", "name": "Новое"}, headers=headers)
    other = await house.client.post("/v1/renamings", json={"code": "heat", "name": "Другое"}, headers=headers)
    assert (other.status, (await other.json())["type"]) == (422, "/problems/idempotency-key-reused")
    assert await house.owner.fetchval(SQL["name_of"], "heat") == "Новое"


async def test_two_organisations_may_use_one_key(house: PortalHouse) -> None:
    answers = [
        await house.client.post("/v1/renamings", json={"code": one, "name": one}, headers=house.headers(one, Idempotency_Key=KEY))
        for one in ("heat", "water")
    ]
    assert [answer.status for answer in answers] == [200, 200]
    assert all("Idempotency-Replayed" not in answer.headers for answer in answers)


async def test_double_clicks_are_one_write(house: PortalHouse) -> None:
    headers = house.headers("operator", Idempotency_Key=KEY)
    body = {"code": "heat", "name": "Новое"}
    answers = await asyncio.gather(*[house.client.post("/v1/renamings", json=body, headers=headers) for _ in range(8)])
    assert {answer.status for answer in answers} == {200}
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1


async def test_a_dry_run_changes_nothing(house: PortalHouse) -> None:
    headers = house.headers("operator", Idempotency_Key=KEY)
    body = {"code": "heat", "name": "Новое"}
    dry = await house.client.post("/v1/renamings?dry_run=true", json=body, headers=headers)
    assert (dry.status, dry.headers["Dry-Run"], await dry.json()) == (200, "true", {"name": "Новое"})
    assert await house.owner.fetchval(SQL["name_of"], "heat") == "Тепло"
    real = await house.client.post("/v1/renamings", json=body, headers=headers)
    assert (real.status, "Idempotency-Replayed" in real.headers) == (200, False)


@pytest.mark.parametrize(
    ("content", "kind", "pointer"),
    [
        (b"", "malformed", None),
        (b"{", "malformed", None),
        (b'{"code": "\xff"}', "malformed", None),
        (b'{"code": "heat", "name": "a\\u0000b"}', "malformed", None),
        (b'{"code": "heat", "name": "\\\\\\u0000"}', "malformed", None),
        (b"{}", "invalid", "/code"),
        (b'{"code": 1, "name": "x"}', "invalid", "/code"),
        (b'{"code": "heat", "name": "x", "z~/": 1}', "invalid", "/z~0~1"),
    ],
)
async def test_a_bad_body_is_pointed_at(house: PortalHouse, content: bytes, kind: str, pointer: str | None) -> None:
    headers = house.headers("operator", Idempotency_Key=KEY, Content_Type="application/json")
    answer = await house.client.post("/v1/renamings", data=content, headers=headers)
    told = await answer.json()
    assert told["type"] == f"/problems/{kind}"
    assert [one["pointer"] for one in told.get("errors", [])] == ([] if pointer is None else [pointer])


@pytest.mark.parametrize("key", [None, "short", "x" * 129, "ключ-по-русски"])
async def test_a_write_needs_a_readable_key(house: PortalHouse, key: str | None) -> None:
    headers = house.headers("operator") | ({} if key is None else {"Idempotency-Key": key})
    answer = await house.client.post("/v1/renamings", json={"code": "heat", "name": "x"}, headers=headers)
    assert (await answer.json())["type"] == ("/problems/idempotency-key-missing" if key is None else "/problems/invalid")


async def test_a_write_takes_json_alone(house: PortalHouse) -> None:
    headers = house.headers("operator", Idempotency_Key=KEY)
    answer = await house.client.post("/v1/renamings", data={"code": "heat"}, headers=headers)
    assert answer.status == 415


async def test_the_limit_is_told_and_kept(house: PortalHouse) -> None:
    answers = [await house.client.get("/v1/me", headers=house.headers("water")) for _ in range(130)]
    refused = [answer for answer in answers if answer.status == 429]
    assert refused and answers[0].status == 200
    assert int(refused[0].headers["Retry-After"]) >= 1
    assert "RateLimit" in answers[0].headers
    assert (await house.client.get("/v1/me", headers=house.headers("heat"))).status == 200, "others are not held up"


async def test_problems_speak_the_callers_language(house: PortalHouse) -> None:
    russian = await (await house.client.get("/v1/nothing")).json()
    english = await (await house.client.get("/v1/nothing", headers={"Accept-Language": "en-GB,en;q=0.9,ru;q=0.1"})).json()
    assert (russian["title"], english["title"]) == ("Не найдено", "Not found")


async def test_a_backslash_before_u0000_is_a_text_like_any_other(house: PortalHouse) -> None:
    headers = house.headers("operator", Idempotency_Key=KEY, Content_Type="application/json")
    answer = await house.client.post("/v1/renamings", data=b'{"code": "heat", "name": "\\\\u0000"}', headers=headers)
    assert (answer.status, await answer.json()) == (200, {"name": "\\u0000"})


async def test_what_is_answered_is_described(house: PortalHouse) -> None:
    """Every problem of this file's requests stands in the description of its operation."""
    paths = (await (await house.client.get("/v1/openapi.json")).json())["paths"]
    assert {"400", "401", "403", "404", "422", "429", "500", "503"} <= set(paths["/v1/recipients"]["get"]["responses"])
    writing = paths["/v1/renamings"]["post"]["responses"]
    assert {"400", "401", "403", "404", "409", "413", "415", "422", "429", "500", "503"} <= set(writing)
    for word in ("idempotency-key-missing", "malformed", "in-progress", "idempotency-key-reused", "refused"):
        assert any(word in told["description"] for told in writing.values()), word


async def test_a_database_that_is_away_is_told_as_such(house: PortalHouse) -> None:
    """Nothing of the error itself reaches the caller; the write under its key is repeated later."""
    pools = [await asyncpg.create_pool("postgresql://nobody@127.0.0.1:9/nothing", min_size=0) for _ in range(2)]
    doors = AccessDoors(*pools)
    edges = Edges(utc_now=utc_now, monotonic_ms=lambda: 0)
    async with TestClient(TestServer(make_api(OPERATIONS, doors, edges))) as client:
        answer = await client.get("/v1/me", headers=house.headers("heat"))
        told = await answer.json()
    assert (answer.status, told["type"], answer.headers["Retry-After"]) == (503, "/problems/unavailable", "5")
    assert "nobody" not in str(told) and "9" not in told["title"]


async def test_the_description_says_what_is_served(house: PortalHouse) -> None:
    described = await (await house.client.get("/v1/openapi.json")).json()
    assert described["openapi"] == "3.1.0"
    assert described["paths"]["/v1/renamings"]["post"]["requestBody"]["required"] is True
    page = await house.client.get("/v1/docs")
    assert page.status == 200 and "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "http" not in (await page.text()).replace("http-equiv", ""), "the explorer loads nothing from elsewhere"
