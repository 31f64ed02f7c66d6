"""Houses read into frames are what StockReading reads of them, house by house and reason by reason."""

from datetime import date

import pytest

from services.billing.columnar.copying import array_of
from services.billing.columnar.months import frames_of
from services.billing.columnar.reading import ReadTown, read_frames
from services.billing.core.month import HouseMonth
from services.billing.core.part_month import PartMonth
from services.billing.reading import Asked, StockReading
from tests.conftest import LedgerDatabase
from tests.services.corrections_town import make_town
from tests.services.desk import Desk
from tests.services.frames_compared import differences
from tests.services.housing_town import Stock, changed, one_line
from tests.services.metered_town import LAW, Meters
from tests.services.random_stock import RandomStock
from tests.services.test_readings_month import UNPRICED, steady

TODAY = date(2026, 12, 24)
HOUSES = ["01", "02", "03", "04", "no such house"]
PERIODS = (202601, 202605, 202609, 202610, 202611, 202612)


@pytest.fixture
async def meters(desk: Desk) -> Meters:
    await desk.load_town()
    town = Meters(stock=Stock(desk=desk))
    await town.load_all()
    return town


async def read_both(meters: Meters, period: int, known: int = 0) -> ReadTown:
    """Read the houses both ways; they must agree."""
    asked = Asked(period=period, today=TODAY, known=known, provider="uk")
    read = await read_frames(meters.connection, HOUSES, LAW, asked)
    months = await StockReading(LAW, TODAY, known).read_houses(meters.connection, asked.provider, period, HOUSES)
    parts = [one for one in months.values() if isinstance(one, PartMonth)]
    assert sorted(read.part_months, key=lambda one: one.house) == sorted(parts, key=lambda one: one.house)
    expected = frames_of([one for one in months.values() if isinstance(one, HouseMonth) and one not in parts])
    assert differences(read.frames, expected) == {}
    assert {house: str(why) for house, why in read.unreadable.items()} == {
        house: str(one) for house, one in months.items() if not isinstance(one, HouseMonth)
    }
    return read


@pytest.mark.parametrize("seed", [1, 2])
async def test_random_houses_are_read_alike(meters: Meters, seed: int) -> None:
    await steady(meters)
    await RandomStock(seed, premises=30).load(meters)
    supplies = plain = 0
    for period in PERIODS:
        read = await read_both(meters, period)
        assert (read.frames.houses.height, read.plain_houses) == (4, 1), read.unreadable
        supplies, plain = supplies + read.supplies, plain + read.plain_supplies
    # In this town everything happens to meters: both ways are taken, and columns tell the more of it.
    assert 0 < plain < supplies * 2 // 3


async def test_what_is_known_later_is_read_alike(meters: Meters) -> None:
    await RandomStock(4, premises=12).load(meters)
    read = await read_both(meters, 202609, known=202611)
    assert read.plain_houses == len(HOUSES)


async def test_the_small_town_is_read_alike(meters: Meters) -> None:
    await steady(meters)
    await meters.give("C1", ("2026-11-20", "122"))
    read = await read_both(meters, 202611)
    # C2 is out of verification, in columns; C1 and L1 stand in a premises that somebody is away from.
    assert (read.supplies, read.plain_supplies, read.plain_houses) == (3, 2, 3)
    await meters.give("C1", ("2027-03-20", "150"))
    await read_both(meters, 202702)
    assert (await read_both(meters, 202703)).plain_supplies == 1


async def test_a_house_that_changes_its_provider_stands_apart(meters: Meters) -> None:
    await meters.stock.load("houses", changed("houses", "01,2020-01-01", "01,2026-11-15").replace(",uk,0A", ",water,0A"))
    await meters.stock.load(
        "contracts",
        one_line("contracts", house="01", service="cold", valid_from="2026-11-15", recipient="water", provider="water"),
    )
    assert [one.house for one in (await read_both(meters, 202611)).part_months] == ["01"]


async def test_an_account_that_left_with_sums_stands_in_its_house(ledger_database: LedgerDatabase, desk: Desk) -> None:
    town = await make_town(ledger_database, desk)
    await town.meters.give("C1", ("2026-09-20", "118"), ("2026-10-20", "121"))
    await town.closed(202610)
    await town.load("accounts", "namespace,number,house,premises,valid_from,state\nepd,0001001,01,1,2026-11-01,ended\n")
    await town.load("premises-areas", "house,premises,valid_from,area,source\n01,1,2026-10-01,50,egrn\n")
    assert "epd:0001001" not in (await read_both(town.meters, 202611)).frames.shares["account"].to_list()
    await town.take(202611)
    assert "epd:0001001" in (await read_both(town.meters, 202611)).frames.shares["account"].to_list()


@pytest.mark.parametrize(("what", "content"), UNPRICED)
async def test_a_house_without_a_price_says_why(meters: Meters, what: str, content: str) -> None:
    await meters.stock.load(what, content)
    assert "01" in (await read_both(meters, 202611)).unreadable


async def test_a_house_whose_act_no_rule_covers_says_why(meters: Meters) -> None:
    await meters.stock.load(
        "acts", "house,premises,number,service,deviation,started_at,ended_at\n01,,Я-1,repair,break,2026-11-03,2026-11-05\n"
    )
    assert "акт не описан" in str((await read_both(meters, 202611)).unreadable["01"])


@pytest.mark.parametrize(
    ("text", "elements"), [("{}", []), ("{a}", ["a"]), ('{a,"b c",""}', ["a", "b c", ""]), ('{"x\\"y\\\\",z}', ['x"y\\', "z"])]
)
def test_an_array_is_read_from_its_text(text: str, elements: list[str]) -> None:
    assert array_of(text) == elements
