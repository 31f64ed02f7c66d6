"""Editing the housing stock and giving readings over the API."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from kopeck.clock import utc_now
from portal.access.credentials import KEY_PREFIX, hash_of, make_secret
from services.billing.law.proposing import load_shipped
from tests.portal.conftest import EVERY_SCOPE, SQL, PortalHouse
from tests.services.desk import Desk
from tests.services.housing_town import Stock
from tests.services.metered_town import Meters

KEY = "0123456789abcdef"
AREA = {"house": "01", "premises": "1", "valid_from": "2026-11-01", "area": "99.5", "source": "passport"}


@pytest.fixture
async def town(house: PortalHouse, tmp_path: Path) -> AsyncIterator[Meters]:
    """House 01 of the provider uk with meters; uk is an organisation with a key."""
    connection = await asyncpg.connect(house.database.services_dsn)
    desk = Desk(connection=connection, folder=tmp_path)
    await desk.load_town()
    await load_shipped(connection, "test", datetime(2026, 11, 1, tzinfo=UTC))
    meters = Meters(stock=Stock(desk=desk))
    await meters.load_all()
    await house.owner.execute(SQL["provider"])
    house.keys["uk"] = make_secret(KEY_PREFIX)
    await house.owner.execute(SQL["add_client"], "uk-key", "uk", hash_of(house.keys["uk"]), EVERY_SCOPE)
    yield meters
    await connection.close()


async def _post(house: PortalHouse, who: str, path: str, body: Any, key: str = KEY) -> tuple[int, dict[str, Any]]:
    answer = await house.client.post(path, json=body, headers=house.headers(who, Idempotency_Key=key))
    return answer.status, await answer.json()


async def _area(town: Meters) -> int:
    facts = await town.stock.facts(202611)
    return next(one.area for one in facts.premises if one.premises == "1")


@pytest.mark.parametrize("who", ["operator", "uk"])
async def test_a_row_is_in_force_from_its_day(house: PortalHouse, town: Meters, who: str) -> None:
    status, told = await _post(house, who, "/v1/housing/premises-areas", {"rows": [AREA | {"source": "egrn"}]})
    assert (status, told["rows"], told["added"] + told["changed"]) == (200, 1, 1)
    assert await _area(town) == 99_500_000
    again = await _post(house, who, "/v1/housing/premises-areas", {"rows": [AREA | {"source": "egrn"}]}, "another-key-1")
    assert (again[0], again[1]["unchanged"]) == (200, 1)


async def test_another_organisation_edits_nothing_of_the_house(house: PortalHouse, town: Meters) -> None:
    before = await _area(town)
    status, told = await _post(house, "heat", "/v1/housing/premises-areas", {"rows": [AREA]})
    assert (status, told["errors"][0]["pointer"]) == (422, "/rows/0/house")
    assert await _area(town) == before


async def test_rows_of_no_house_are_the_operators(house: PortalHouse, town: Meters) -> None:
    row = {"service": "cold", "valid_from": "2026-12-01", "region": "77", "price": "50.00"}
    assert (await _post(house, "uk", "/v1/housing/tariffs", {"rows": [row]}))[0] == 422
    status, told = await _post(house, "operator", "/v1/housing/tariffs", {"rows": [row]}, "another-key-2")
    assert (status, told["added"]) == (200, 1), told


async def test_one_wrong_row_takes_none(house: PortalHouse, town: Meters) -> None:
    before = await _area(town)
    rows = [AREA | {"source": "egrn"}, AREA | {"premises": "404"}, AREA | {"area": "wide"}, AREA | {"colour": "red"}]
    for wrong, field in ((rows[1], "premises"), (rows[2], "area"), (rows[3], "line")):
        status, told = await _post(house, "operator", "/v1/housing/premises-areas", {"rows": [rows[0], wrong]})
        assert status == 422
        assert told["errors"][0]["pointer"] == f"/rows/1/{field}"
    assert await _area(town) == before


async def test_a_dry_run_of_rows_changes_nothing(house: PortalHouse, town: Meters) -> None:
    before = await _area(town)
    body = {"rows": [AREA | {"source": "egrn"}]}
    status, told = await _post(house, "operator", "/v1/housing/premises-areas?dry_run=true", body)
    assert (status, told["added"] + told["changed"]) == (200, 1)
    assert await _area(town) == before


@pytest.mark.parametrize(
    ("kind", "rows", "status"), [("nothing", [AREA], 404), ("owners", [], 422), ("houses", [{"x": [1]}], 422)]
)
async def test_unknown_kinds_and_shapes_are_refused(
    house: PortalHouse, town: Meters, kind: str, rows: list[Any], status: int
) -> None:
    assert (await _post(house, "operator", f"/v1/housing/{kind}", {"rows": rows}))[0] == status


async def test_owners_names_come_by_file_alone(house: PortalHouse, town: Meters) -> None:
    row = {"house": "01", "premises": "1", "person": "p-9", "valid_from": "2026-01-01", "share": "1/9", "name": "Иванов"}
    status, told = await _post(house, "operator", "/v1/housing/owners", {"rows": [row]})
    assert (status, told["errors"][0]["pointer"]) == (422, "/rows/0/name")


async def test_readings_are_judged_one_by_one(house: PortalHouse, town: Meters) -> None:
    day = (utc_now() - timedelta(days=1)).date().isoformat()
    items = [{"meter": "C1", "value": "100.5", "taken_on": day}, {"meter": "C1", "zone": 2, "value": "1", "taken_on": day}]
    status, told = await _post(house, "uk", "/v1/readings", {"items": items})
    assert status == 200, told
    assert [one["verdict"] for one in told["items"]] == ["accepted", "refused"]
    again = await _post(house, "uk", "/v1/readings", {"items": items[:1]}, "another-key-3")
    assert again[1]["items"][0]["is_repeat"] is True


@pytest.mark.parametrize(
    ("who", "item", "pointer"),
    [
        ("uk", {"meter": "nobody's"}, "/items/0/meter"),
        ("heat", {}, "/items/0/meter"),
        ("uk", {"value": "many"}, "/items/0/value"),
        ("uk", {"value": "-1"}, "/items/0/value"),
        ("uk", {"taken_on": "2099-01-01"}, "/items/0/taken_on"),
        ("uk", {"zone": 9}, "/items/0/zone"),
    ],
)
async def test_a_wrong_reading_is_pointed_at(
    house: PortalHouse, town: Meters, who: str, item: dict[str, Any], pointer: str
) -> None:
    given = {"meter": "C1", "value": "100.5", "taken_on": "2026-11-20"} | item
    status, told = await _post(house, who, "/v1/readings", {"items": [given]})
    assert (status, told["errors"][0]["pointer"]) == (422, pointer)
