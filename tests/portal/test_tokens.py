"""OAuth2 client credentials: tokens that may do less than their key and die with it."""

import base64

import pytest

from tests.portal.conftest import SQL, PortalHouse


async def _ask(house: PortalHouse, form: dict[str, str], **headers: str) -> tuple[int, dict[str, str]]:
    answer = await house.client.post("/oauth2/token", data=form, headers=headers)
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.status, await answer.json()


def _form(house: PortalHouse, **more: str) -> dict[str, str]:
    return {"grant_type": "client_credentials", "client_id": "heat-key", "client_secret": house.keys["heat"], **more}


async def test_a_token_asks_as_its_client(house: PortalHouse) -> None:
    status, told = await _ask(house, _form(house, scope="provider:read"))
    assert (status, told["token_type"], told["scope"]) == (200, "Bearer", "provider:read")
    me = await house.client.get("/v1/me", headers={"Authorization": f"Bearer {told['access_token']}"})
    assert (await me.json())["scopes"] == ["provider:read"]


async def test_a_token_has_no_more_than_it_asked_for(house: PortalHouse) -> None:
    _, told = await _ask(house, _form(house, scope="webhooks:read"))
    me = await house.client.get("/v1/me", headers={"Authorization": f"Bearer {told['access_token']}"})
    assert me.status == 403


async def test_the_client_may_come_by_basic(house: PortalHouse) -> None:
    basic = base64.b64encode(f"heat-key:{house.keys['heat']}".encode()).decode()
    status, told = await _ask(house, {"grant_type": "client_credentials"}, Authorization=f"Basic {basic}")
    assert (status, "provider:read" in told["scope"]) == (200, True)


async def test_a_token_dies_with_its_key(house: PortalHouse) -> None:
    _, told = await _ask(house, _form(house))
    await house.owner.execute(SQL["revoke"], "heat-key")
    me = await house.client.get("/v1/me", headers={"Authorization": f"Bearer {told['access_token']}"})
    assert me.status == 401
    assert (await _ask(house, _form(house)))[1]["error"] == "invalid_client"


async def test_an_expired_token_opens_nothing(house: PortalHouse) -> None:
    _, told = await _ask(house, _form(house))
    await house.owner.execute(SQL["expire_tokens"])
    me = await house.client.get("/v1/me", headers={"Authorization": f"Bearer {told['access_token']}"})
    assert me.status == 401


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "water-key"}, 401, "invalid_client"),
        ({"client_id": "heat\0key"}, 401, "invalid_client"),
        ({"client_secret": "x" * 5_000}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": ""}, 400, "invalid_request"),
        ({"scope": "everything"}, 400, "invalid_scope"),
    ],
)
async def test_wrong_requests_get_the_rfcs_errors(house: PortalHouse, change: dict[str, str], status: int, error: str) -> None:
    found, told = await _ask(house, _form(house) | change)
    assert (found, told["error"]) == (status, error)


@pytest.mark.parametrize("header", ["Basic !!!", "Basic " + base64.b64encode(b"\xff\xfe").decode(), "Basic "])
async def test_an_unreadable_basic_is_no_client(house: PortalHouse, header: str) -> None:
    status, told = await _ask(house, {"grant_type": "client_credentials"}, Authorization=header)
    assert (status, told["error"]) == (401, "invalid_client")


async def test_a_client_told_in_two_ways_is_refused(house: PortalHouse) -> None:
    basic = base64.b64encode(b"a:b").decode()
    assert (await _ask(house, _form(house), Authorization=f"Basic {basic}"))[1]["error"] == "invalid_request"


async def test_json_is_no_form(house: PortalHouse) -> None:
    answer = await house.client.post("/oauth2/token", json=_form(house))
    assert (answer.status, (await answer.json())["error"]) == (400, "invalid_request")
