"""Files of the housing stock: loaded whole, faults by line and field, repeats, corrections, dry runs."""

import asyncpg
import pytest

from services.billing.stock.files import KINDS
from services.billing.stock.persons import NothingToErase, erase_name, find_name
from services.reference.faults import FaultyFile
from tests.services.desk import Desk
from tests.services.housing_town import FILES, SEALER, SQL, Stock, changed, one_line


@pytest.fixture
async def stock(desk: Desk) -> Stock:
    """A ledger with recipients and accounts, no housing yet."""
    await desk.load_town()
    return Stock(desk=desk)


async def test_every_file_is_loaded_and_loading_twice_changes_nothing(stock: Stock) -> None:
    for what in KINDS:
        report = await stock.load(what, FILES[what])
        assert (report.added, report.changed) == (report.rows, 0), what
        assert report.rows == FILES[what].count("\n") - 1
    before = await stock.rows()
    for what in KINDS:
        assert (await stock.load(what, FILES[what])).already_loaded
        report = await stock.load(what, FILES[what] + "\n")
        assert (report.already_loaded, report.added, report.changed) == (False, 0, 0), what
    assert await stock.rows() == before


async def test_a_dry_run_checks_all_and_leaves_nothing(stock: Stock) -> None:
    empty = await stock.rows()
    for what in ("services", "houses"):
        report = await stock.load(what, FILES[what], is_dry_run=True)
        assert (report.added, report.is_dry_run) == (report.rows, True)
    assert await stock.rows() == empty
    await stock.load_all()
    moved = {"namespace": "epd", "number": "0001003", "house": "01", "premises": "1", "valid_from": "2026-01-01"}
    with pytest.raises(FaultyFile, match="line 2, share: the accounts of the premises bear more than the whole"):
        await stock.load("accounts", one_line("accounts", **moved), is_dry_run=True)
    assert not (await stock.load("houses", FILES["houses"] + "\n")).added


async def test_a_correction_is_a_later_row_that_counts(stock: Stock) -> None:
    await stock.load_all()
    rows = await stock.rows()
    report = await stock.load("premises-areas", changed("premises-areas", "54.3", "55.3"))
    assert (report.added, report.changed, report.unchanged) == (0, 1, 4)
    assert (await stock.rows())["premises_area"] == rows["premises_area"] + 1, "the wrong row stays"
    assert (await stock.facts()).premises[0].area == 55_300_000
    back = await stock.load("premises-areas", FILES["premises-areas"] + "\n")
    assert (back.changed, (await stock.facts()).premises[0].area) == (1, 54_300_000)


BAD = [
    ("houses", "69,uk", ",uk", 2, "region", "is required"),
    ("houses", "69,uk", "69,nobody", 2, "provider", "recipient 'nobody' is not loaded"),
    ("houses", "0A23", "ZZ", 2, "fias", "expected an identifier of ГАР"),
    ("houses", "Asia/Omsk", "Omsk", 3, "time_zone", "expected a time zone"),
    ("houses", "02,2020", "01,2020", 3, "line", "repeats line 2"),
    ("house-areas", "182.1", "0", 2, "area_all", "an area is above zero"),
    ("house-areas", "182.1", "182.1234567", 2, "area_all", "at most six decimals"),
    ("house-areas", "01,2025", "77,2025", 3, "house", "house '77' is not loaded"),
    ("premises", "communal_room,3,,\n01,3b", "communal_room,,,\n01,3b", 4, "flat", "is required of a communal_room"),
    ("premises", "2020-01-01,flat,,,75", "2020-01-01,flat,9,,75", 2, "flat", "is of a communal_room only"),
    ("premises", "2020-01-01,flat,,,75", "01.01.2020,flat,,,75", 2, "valid_from", "expected a date YYYY-MM-DD"),
    ("premises-areas", "54.3", "-54.3", 2, "area", "expected square metres from 0"),
    ("premises-areas", "12.5", "99", 4, "living_area", "is larger than the area"),
    ("premises-areas", "01,N1", "01,N9", 6, "premises", "N9 is no premises of the house that is loaded"),
    ("accounts", "1/3", "4/3", 4, "share", "expected a fraction above 0 and at most 1"),
    ("accounts", "1/3", "0.5", 4, "share", "expected a fraction"),
    ("accounts", "0001003", "1003", 4, "number", "epd:1003 is no personal account that is loaded"),
    ("accounts", "75DA000002", "75DA999999", 3, "number", "els:75DA999999 is no personal account"),
    ("accounts", ",repair,\n", ",nothing,\n", 2, "excluded", "service 'nothing' is not loaded"),
    ("accounts", ",repair,\n", ",repair,cold\n", 2, "only", "exclude one another"),
    ("accounts", "epd,0001003", ",0001003", 4, "namespace", "is required with a number"),
    ("residents", "2026-11-14", "2026-11-09", 4, "until", "is before valid_from"),
    ("residents", "2020-01-01,2,", "2020-01-01,two,", 2, "persons", "expected a whole number"),
    ("services", "cold|hot", "cold|warm", 4, "base", "warm is no service"),
    ("services", "cold|hot", "cold|cold", 4, "base", "a code stands twice"),
    ("services", ",sewage,", ",sewer,", 4, "kind", "expected one of: cold_water"),
    ("contracts", "water,water", "water,uk", 6, "provider", "is the recipient itself under direct management"),
    ("tariffs", "cold,2020-01-01,,69", "cold,2020-01-01,01,69", 2, "house", "give exactly one of house, region or supplier"),
    ("tariffs", "2486.71,heat,,", "2486.71,heat,1,", 6, "component", "main alone has zones"),
    ("norms", "120,", "-120,", 6, "norm", "expected a number from 0"),
    ("norms", "light,2020-01-01,01,,", "light,2020-01-01,01,,9floors", 6, "house_class", "is of a region only"),
    ("heating", "season,7", "season,13", 2, "months", "from 1 to 12"),
    ("heating-days", "2026-11,", "2026-13,", 2, "period", "expected a month"),
    ("absences", "2026-11-20,2026-11-21,", "2026-11-02,2026-11-21,", 2, "returned_on", "is not after left_on"),
    ("acts", "2026-11-03 20:30", "2026-11-03 09:30", 2, "ended_at", "is not after started_at"),
    ("acts", "2026-11-03 20:30", "2026-11-03 25:30", 2, "ended_at", "is no time of the day"),
    ("acts", "01,2,", "01,22,", 3, "premises", "22 is no premises"),
    ("owners", "1/2,\n", "2/3,\n", 2, "share", "the owners of the premises own more than the whole"),
]


async def test_faults_are_named_by_line_and_field(stock: Stock) -> None:
    await stock.load_all()
    before = await stock.rows()
    for what, old, new, line, field, message in BAD:
        with pytest.raises(FaultyFile) as caught:
            await stock.load(what, changed(what, old, new))
        first = caught.value.faults[0]
        assert (first.line, first.field) == (line, field), (what, new, str(caught.value))
        assert message in first.message, (what, new)
    assert await stock.rows() == before


async def test_a_house_has_its_own_identifier_of_gar(stock: Stock) -> None:
    await stock.load_all()
    mine = "0a234567-89ab-cdef-0123-456789abcdef"
    house = {"house": "03", "valid_from": "2020-01-01", "address": "д. 1", "region": "69", "provider": "uk", "fias": mine}
    with pytest.raises(FaultyFile, match="line 2, fias: is the house 01 already"):
        await stock.load("houses", one_line("houses", **house))


async def test_files_come_as_json_lines_too(stock: Stock) -> None:
    await stock.load("services", FILES["services"])
    line = '{"house": "9", "valid_from": "2020-01-01", "address": "д. 1", "region": "69", "provider": "uk", "fias": null}\n'
    assert (await stock.load("houses", line, suffix="jsonl")).added == 1


async def test_owners_names_are_sealed_and_erased(stock: Stock) -> None:
    await stock.load_all()
    (kept,) = await stock.connection.fetch(SQL["sealed_names"])
    assert kept["person"] == "p-1" and "Иванов".encode() not in kept["sealed"]
    place = ("01", "1", "p-1")
    assert await find_name(stock.connection, SEALER, place) == "Иванов Иван Иванович"
    await erase_name(stock.connection, place)
    assert await find_name(stock.connection, SEALER, place) is None
    with pytest.raises(NothingToErase, match="no name is kept of p-1"):
        await erase_name(stock.connection, place)
    assert (await stock.facts()).premises[0].owners == 2, "the share stays"


async def test_a_fault_of_names_quotes_none(stock: Stock) -> None:
    await stock.load_all()
    with pytest.raises(FaultyFile) as caught:
        await stock.load("owners", changed("owners", "Иванов Иван Иванович", "Секретов" * 100))
    assert "Секретов" not in str(caught.value)


async def test_no_role_changes_what_is_recorded(stock: Stock) -> None:
    await stock.load_all()
    for name in ("change_area", "delete_area", "truncate_area"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await stock.connection.execute(SQL[name])
