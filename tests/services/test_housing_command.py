"""``kopeck housing`` as it is typed: load, show, check, erase."""

from pathlib import Path

import msgspec
import pytest

from services.billing.stock.files import KINDS
from tests.conftest import LedgerDatabase
from tests.services.desk import Desk
from tests.services.housing_town import FILES, changed
from tests.services.test_load_command import Typist


@pytest.fixture
async def typist(ledger_database: LedgerDatabase, desk: Desk, tmp_path: Path) -> Typist:
    """A command line on a ledger with recipients and accounts."""
    await desk.load_town()
    key = tmp_path / "personal.key"
    key.write_text("0" * 64)
    environment = {
        "KOPECK_DATA": str(tmp_path / "data"),
        "KOPECK_POSTGRES_DSN": ledger_database.owner_dsn,
        "KOPECK_POSTGRES_SERVICES_DSN": ledger_database.services_dsn,
        "KOPECK_REDIS_URL": ledger_database.redis_url,
        "KOPECK_PERSONAL_KEY_FILE": str(key),
    }
    return Typist(folder=tmp_path, environment=environment)


async def test_a_house_is_loaded_shown_and_checked(typist: Typist) -> None:
    tried = await typist.type("housing", "load", "services", "FILE", "--dry-run", content=FILES["services"])
    assert "8 rows, 8 new, 0 changed, 0 unchanged; a dry run, nothing was loaded." in tried.stdout, tried.output
    for what in KINDS:
        loaded = await typist.type("housing", "load", what, "FILE", "--by", "anna", content=FILES[what])
        assert loaded.exit_code == 0, loaded.output
    shown = await typist.type("housing", "show", "01", "--on", "2026-11-24")
    assert "House 01, 2026-11: provider uk, region 69, Europe/Moscow; 180.6 m² of premises" in shown.stdout, shown.output
    assert "epd:0001003 1/3" in shown.stdout and "over 3900: zone 1 7" in shown.stdout
    as_json = msgspec.json.decode((await typist.type("housing", "show", "01", "--on", "2026-11-24", "--json")).stdout)
    assert (as_json["house"], as_json["area_all"], len(as_json["premises"])) == ("01", 180_600_000, 5)
    checked = await typist.type("housing", "check", "02", "--period", "2026-11")
    assert checked.exit_code == 1
    assert checked.stdout.splitlines()[-1] == "1 houses in 2026-11: 4 things missing."
    every = msgspec.json.decode((await typist.type("housing", "check", "--period", "2026-11", "--json")).stdout)
    assert every["houses"] == 2 and {one["house"] for one in every["missing"]} == {"01", "02"}


async def test_owners_are_erased_by_name(typist: Typist) -> None:
    for what in ("services", "houses", "premises", "owners"):
        assert (await typist.type("housing", "load", what, "FILE", content=FILES[what])).exit_code == 0
    erased = await typist.type("housing", "erase-owner", "01", "1", "p-1")
    assert (erased.exit_code, erased.stdout) == (0, "The name of p-1 is erased.\n"), erased.output
    assert "no name is kept of p-1" in (await typist.type("housing", "erase-owner", "01", "1", "p-1")).output


async def test_refusals_are_told_in_words(typist: Typist) -> None:
    bad = await typist.type("housing", "load", "services", "FILE", content=changed("services", "cold_water", "water"))
    assert bad.exit_code == 2 and "line 2, kind: is 'water', expected one of" in bad.stderr
    assert "house '9' is not loaded" in (await typist.type("housing", "show", "9")).output
    assert "expected a month YYYY-MM" in (await typist.type("housing", "check", "--period", "2026-13")).output
    for what in ("services", "houses"):
        await typist.type("housing", "load", what, "FILE", content=FILES[what])
    early = await typist.type("housing", "show", "01", "--on", "2019-12-31")
    assert early.exit_code == 2 and "house '01' is not in force on 2019-12-01" in early.output
