"""``kopeck readings`` as it is typed: load, missing, show, correct, take-registers."""

from pathlib import Path

import msgspec
import pytest

from services.billing.law.proposing import load_shipped
from tests.conftest import LedgerDatabase
from tests.services.desk import Desk
from tests.services.housing_town import Stock
from tests.services.metered_town import FACTS, INTAKE, SQL, Meters
from tests.services.test_load_command import Typist

READINGS = "meter,value,taken_on\n" + "".join(f"C1,{100 + 3 * month},2026-{month:02d}-20\n" for month in range(4, 11))


@pytest.fixture
async def typist(ledger_database: LedgerDatabase, desk: Desk, tmp_path: Path) -> Typist:
    """A command line on a ledger with a stock and the law."""
    await desk.load_town()
    await Meters(stock=Stock(desk=desk)).stock.load_all()
    await load_shipped(desk.connection, "test", INTAKE.at)
    environment = {
        "KOPECK_DATA": str(tmp_path / "data"),
        "KOPECK_POSTGRES_DSN": ledger_database.owner_dsn,
        "KOPECK_POSTGRES_SERVICES_DSN": ledger_database.services_dsn,
        "KOPECK_POSTGRES_READER_DSN": ledger_database.reader_dsn,
        "KOPECK_REDIS_URL": ledger_database.redis_url,
    }
    return Typist(folder=tmp_path, environment=environment)


async def test_readings_are_loaded_missed_shown_and_corrected(typist: Typist, desk: Desk) -> None:
    for what, content in FACTS.items():
        loaded = await typist.type("readings", "load", "FILE", "--what", what, content=content)
        assert loaded.exit_code == 0, loaded.output
    loaded = await typist.type("readings", "load", "FILE", "--by", "anna", content=READINGS + "C1,90,2026-11-20\n")
    assert "8 rows, 8 new, 0 changed, 0 unchanged." in loaded.stdout, loaded.output
    assert "line 9, parked: показание меньше предыдущего" in loaded.stderr
    missing = await typist.type("readings", "missing", "--house", "01", "--period", "2026-11")
    assert missing.stdout.splitlines()[-1] == "5 meters have no reading for 2026-11.", missing.output
    as_json = msgspec.json.decode((await typist.type("readings", "missing", "--period", "2026-11", "--json")).stdout)
    assert [(one["meter"], one["missed"], one["last_value"]) for one in as_json if one["meter"] == "C1"] == [
        ("C1", 1, 130_000_000)
    ]
    shown = await typist.type("readings", "show", "epd:0001001", "--period", "2026-11", "--json")
    told = msgspec.json.decode(shown.stdout)
    assert told["volumes"]["cold"]["reason"] == "показания не переданы (п. 59 «б» Правил), период 1"
    number = told["readings"][0]["reading"]
    assert (told["readings"][0]["verdict"], told["readings"][0]["value"]) == ("parked", 90_000_000)
    wrong = await typist.type("readings", "correct", str(number), "--value", "80", "--by", "oleg", "--why", "опечатка")
    assert wrong.exit_code == 2 and "не становится в ряд" in wrong.output
    done = await typist.type("readings", "correct", str(number), "--value", "134,5", "--by", "oleg", "--why", "опечатка")
    assert done.exit_code == 0, done.output
    table = (await typist.type("readings", "show", "epd:0001001", "--period", "2026-11")).stdout
    assert "134.5" in table and "4.5" in table and "replaced" in table
    await desk.connection.execute(SQL["add_register"], ["C2", "nobody"], ["12", "5"])
    taken = await typist.type("readings", "take-registers", "--by", "oleg")
    assert taken.stdout == "2 values, 1 new readings.\n", taken.output


async def test_refusals_are_told_in_words(typist: Typist) -> None:
    unknown = await typist.type("readings", "load", "FILE", content="meter,value,taken_on\nX,1,2026-11-20\n")
    assert unknown.exit_code == 2 and "line 2, meter: meter X is not loaded" in unknown.stderr, unknown.output
    bad = await typist.type("readings", "load", "FILE", content="meter,value,taken_on\nX,-1,2026-13-20\n")
    assert "line 2, value: is '-1', expected a number from 0" in bad.stderr and "taken_on" in bad.stderr
    assert "stands in no premises" in (await typist.type("readings", "show", "epd:9")).output
    assert "is no month" in (await typist.type("readings", "missing", "--period", "11.2026")).output
