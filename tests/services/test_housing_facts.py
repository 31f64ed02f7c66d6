"""What billing reads of the housing stock in a month: of every key the newest row at the first day, the narrower scope."""

from datetime import date, datetime

import pytest

from services.billing.core.absence import Application
from services.billing.core.facts import AccountFacts, PremisesFacts
from services.billing.core.month import CommonWay, HeatingWay, PremisesKind, Range, ServiceTerms, Zone
from services.billing.core.quality_rows import Deviation
from services.billing.core.quantities import Price, Volume
from services.billing.stock.facts import UnknownHouse, list_houses, read_facts
from services.billing.stock.missing import missing_of
from tests.services.desk import Desk
from tests.services.housing_town import PERIOD, Stock, one_line


@pytest.fixture
async def stock(desk: Desk) -> Stock:
    """The whole small stock."""
    await desk.load_town()
    loaded = Stock(desk=desk)
    await loaded.load_all()
    return loaded


async def service(stock: Stock, code: str, period: int = PERIOD) -> ServiceTerms:
    """The terms of a service of house 01."""
    return next(terms for terms in (await stock.facts(period)).services if terms.service == code)


async def premises(stock: Stock, number: str, period: int = PERIOD) -> PremisesFacts:
    """A premises of house 01."""
    return next(one for one in (await stock.facts(period)).premises if one.premises == number)


async def test_the_house(stock: Stock) -> None:
    facts = await stock.facts()
    assert (facts.house, facts.days, facts.region, facts.time_zone, facts.provider) == ("01", 30, "69", "Europe/Moscow", "uk")
    assert (facts.area_all, facts.area_common, facts.heating_days) == (180_600_000, 31_000_000, 30)
    assert [one.premises for one in facts.premises] == ["1", "2", "3a", "3b", "N1"]
    kinds = [terms.kind for terms in facts.services]
    assert kinds == sorted(kinds) and len(kinds) == 8


async def test_the_register_prevails_once_it_is_there(stock: Stock) -> None:
    assert [(await stock.facts(period)).area_all for period in (202502, 202503)] == [182_100_000, 180_600_000]
    later = {"house": "01", "valid_from": "2026-01-01", "area_all": "199", "area_common": "1", "source": "passport"}
    await stock.load("house-areas", one_line("house-areas", **later))
    assert (await stock.facts()).area_all == 180_600_000, "a newer passport does not outdo ЕГРН"
    gone = {
        "house": "01",
        "valid_from": "2026-06-01",
        "area_all": "180.6",
        "area_common": "1",
        "source": "egrn",
        "state": "ended",
    }
    await stock.load("house-areas", one_line("house-areas", **gone))
    assert (await stock.facts()).area_all == 199_000_000


async def test_prices_by_day_and_scope(stock: Stock) -> None:
    assert [(await service(stock, "cold", period)).zones[0].price for period in (202512, 202601, 202611, 202612)] == [
        47_110_000,
        48_170_000,
        48_170_000,
        50_000_000,
    ]
    assert (await service(stock, "maintenance")).zones == (Zone(zone=0, price=Price(27_500_000)),), "the house's own"
    hot = await service(stock, "hot")
    assert (hot.zones[0].price, hot.heat_price, hot.heat_norm) == (48_170_000, 2_486_710_000, 64_200)
    light = await service(stock, "light")
    assert light.zones == ()
    prices = [(Volume(0), (5, 3)), (Volume(3_900_000_000), (7, 6))]
    assert light.ranges == tuple(
        Range(above=above, zones=tuple(Zone(zone=zone, price=Price(price * 10**6)) for zone, price in enumerate(two, 1)))
        for above, two in prices
    )


async def test_a_new_tariff_replaces_all_rows_of_the_old_one(stock: Stock) -> None:
    line = {"service": "light", "valid_from": "2026-10-01", "supplier": "water", "price": "5.5"}
    await stock.load("tariffs", one_line("tariffs", **line))
    light = await service(stock, "light")
    assert (light.zones, light.ranges) == ((Zone(zone=0, price=Price(5_500_000)),), ())
    await stock.load("tariffs", one_line("tariffs", **line, state="withdrawn"))
    assert len((await service(stock, "light")).ranges) == 2, "as if it had never been loaded"
    house = {"service": "light", "valid_from": "2026-10-01", "house": "01", "price": "1"}
    await stock.load("tariffs", one_line("tariffs", **house))
    assert (await service(stock, "light")).zones[0].price == 1_000_000
    await stock.load("tariffs", one_line("tariffs", **{**house, "valid_from": "2026-11-01"}, state="ended"))
    assert len((await service(stock, "light")).ranges) == 2, "the supplier's again"


async def test_norms_terms_and_contracts(stock: Stock) -> None:
    assert (await service(stock, "cold")).norm == 5_010_000, "of the house's class"
    assert (await service(stock, "light")).norm == 120_000_000
    heating = await service(stock, "heating")
    assert (heating.heating_way, heating.heating_months, heating.is_house_meter_due) == (HeatingWay.SEASON, 8, True)
    assert heating.is_heating_month and not (await service(stock, "heating", 202607)).is_heating_month
    common = await service(stock, "common_light")
    assert (common.common_way, common.is_above_norm_shared) == (CommonWay.FACT, True)
    assert (await service(stock, "common_light", 202512)).common_way is CommonWay.AVERAGE
    assert (await service(stock, "sewage")).base == ("cold", "hot")
    creditors = {terms.service: (terms.recipient, terms.creditor) for terms in (await stock.facts()).services}
    assert creditors["cold"] == ("water", "uk") and creditors["heating"] == ("heat", "heat")
    assert creditors["light"] == ("water", "water") and creditors["repair"] == ("fund", "fund")


async def test_premises_and_accounts(stock: Stock) -> None:
    flat = await premises(stock, "1")
    assert (flat.area, flat.owners, flat.is_without_heating, flat.services) == (54_300_000, 2, False, None)
    assert [(one.account, one.excluded) for one in flat.accounts] == [
        ("epd:0001001", ("repair",)),
        ("epd:0001002", tuple(terms.service for terms in (await stock.facts()).services if terms.service != "repair")),
    ]
    second = await premises(stock, "2")
    assert second.is_without_heating
    assert second.accounts == (AccountFacts(account="epd:0001003", key=second.accounts[0].key, numerator=1, denominator=3),)
    room = await premises(stock, "3b")
    assert (room.kind, room.flat, room.living_area) == (PremisesKind.COMMUNAL_ROOM, "3", 17_250_000)
    assert (await premises(stock, "N1")).services == ("heating", "maintenance")


async def test_residents_are_counted_by_days(stock: Stock) -> None:
    # 2 for 15 days, 3 for 15, the guest from the 25th for 6; the brief stay of five days does not count.
    assert (await premises(stock, "1")).residents == (2 * 15 + 3 * 15 + 6) * 1_000_000 // 30
    assert (await premises(stock, "1", 202610)).residents == 2_000_000
    assert (await premises(stock, "1", 202612)).residents == (3 * 31 + 3) * 1_000_000 // 31
    line = {
        "house": "01",
        "premises": "1",
        "valid_from": "2026-11-25",
        "state": "withdrawn",
        "label": "guest",
        "kind": "temporary",
    }
    await stock.load("residents", one_line("residents", **line))
    assert (await premises(stock, "1")).residents == 2_500_000


async def test_applications_and_acts_are_given_raw(stock: Stock) -> None:
    facts = await stock.facts()
    day = date(2026, 11, 21)
    away = Application(person="p-1", left_on=date(2026, 11, 2), returned_on=date(2026, 11, 20), applied_on=day, documented_on=day)
    assert facts.premises[0].applications == (away,)
    assert [(act.number, act.service, act.deviation) for act in facts.acts] == [("А-1", "cold", Deviation.BREAK)]
    (act,) = facts.premises[1].acts
    assert (act.number, act.measured, act.ended_at) == ("А-2", 14_500_000, datetime(2026, 11, 6))


async def test_an_account_moves_and_ends(stock: Stock) -> None:
    move = {"namespace": "epd", "number": "0001003", "house": "01", "premises": "3a", "valid_from": "2026-11-02"}
    await stock.load("accounts", one_line("accounts", **move))
    assert not (await premises(stock, "3a")).accounts, "the first day of the month decides"
    assert [one.account for one in (await premises(stock, "3a", 202612)).accounts] == ["epd:0001003"]
    assert not (await premises(stock, "2", 202612)).accounts
    await stock.load("accounts", one_line("accounts", **{**move, "valid_from": "2026-12-01"}, state="ended"))
    assert not (await premises(stock, "3a", 202612)).accounts


async def test_houses_that_are_not_there(stock: Stock) -> None:
    with pytest.raises(UnknownHouse, match="house '99' is not loaded"):
        await list_houses(stock.connection, "99")
    numbers = await list_houses(stock.connection)
    assert [facts.house for facts in await read_facts(stock.connection, numbers, PERIOD)] == ["01", "02"]
    assert await read_facts(stock.connection, numbers, 201912) == ()
    assert await read_facts(stock.connection, [], PERIOD) == ()


async def test_what_is_missing_is_listed(stock: Stock) -> None:
    found = [str(one) for one in missing_of(await stock.facts())]
    assert "house 01, premises 2: accounts bear 1/3 of cold" in found
    assert "house 01, premises 3a: no account" in found
    assert "house 01, premises 3b: neither residents nor owners" in found
    assert not [one for one in found if "service" in one or "premises 1:" in one]
    empty = [str(one) for one in missing_of(await stock.facts(house="02"))]
    assert empty == [
        "house 02: no service has a contract",
        "house 02, premises 1: no area",
        "house 02, premises 1: neither residents nor owners",
        "house 02, premises 1: no account",
    ]
    old = [str(one) for one in missing_of(await stock.facts(202511))]
    assert "house 01, service heating: no heating days of the month" in old
    line = {"house": "01", "valid_from": "2026-01-01", "area_all": "181", "area_common": "0", "source": "egrn"}
    await stock.load("house-areas", one_line("house-areas", **line))
    lacking = [str(one) for one in missing_of(await stock.facts())][:2]
    assert lacking == [
        "house 01: the areas of its premises make 180.6 m², the house's area is 181 m²",
        "house 01: no area of the common property",
    ]


async def test_a_living_area_outlives_a_register_that_does_not_tell_it(stock: Stock) -> None:
    """ЕГРН has no living area: a room with a row of it would else take no part of its flat's heat, and its neighbour all."""
    line = {"house": "01", "premises": "3a", "valid_from": "2026-01-01", "area": "15.9", "source": "egrn"}
    await stock.load("premises-areas", one_line("premises-areas", **line))
    rooms = [await premises(stock, number) for number in ("3a", "3b")]
    assert [(one.area, one.living_area) for one in rooms] == [(15_900_000, 12_500_000), (20_800_000, 17_250_000)]
