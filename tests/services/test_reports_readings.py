"""The report of missing readings: house, flat, service, since when."""

from datetime import date

import pytest

from services.billing.reports.reading import Terms, readings_report
from services.billing.saldo.windows import find_provider
from tests.services.desk import Desk
from tests.services.housing_town import Stock
from tests.services.metered_town import Meters


@pytest.fixture
async def meters(desk: Desk) -> Meters:
    await desk.load_town()
    town = Meters(stock=Stock(desk=desk))
    await town.load_all()
    return town


async def test_who_told_nothing_and_since_when(meters: Meters) -> None:
    await meters.give("C1", ("2026-10-20", "100"), ("2026-11-20", "103"))
    await meters.give("C2", ("2026-09-20", "10"))
    await meters.give("F3", ("2026-10-20", "20"))
    provider = await find_provider(meters.connection, "uk")
    terms = Terms(provider=provider, code="uk", period=202611)
    report = await readings_report(meters.connection, terms)
    assert [(row[0], row[1], row[3], row[4], row[5]) for row in report.rows] == [
        ("01", "1", "L1", date(2020, 2, 1), "ни разу с ввода"),
        ("01", "2", "C2", date(2026, 9, 20), ""),
        ("01", "3", "F3", date(2026, 10, 20), ""),
    ]
    assert "Приборов без показаний: 3" in report.notes
    nowhere = await readings_report(meters.connection, Terms(provider=provider, code="uk", period=202611, houses=("02",)))
    assert nowhere.rows == ()
