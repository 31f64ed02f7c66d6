"""Personal accounts from files: who is who, by which names, and what of a person is kept."""

from datetime import date

import msgspec
import pytest

from services.reference.faults import FaultyFile
from tests.services.desk import ACCOUNTS, RECIPIENTS, SQL, TERMS, Desk, as_csv, as_json_lines

GOOD: dict[str, object] = {
    "namespace": "epd",
    "number": "0002001",
    "els": "75DA000009",
    "izhku": "75DA000009-01",
    "state": "open",
    "payer_kind": "person",
    "provider": "uk",
    "time_zone": "",
    "name": "Петрова Анна",
    "address": "ул. Мира, д. 1, кв. 12",
    "aliases": "old:12|bank:a-1",
}
BAD_ROWS = [
    ({"number": ""}, "number", "is required"),
    ({"number": "1" * 10_000}, "number", "is 10000 characters long, at most 200"),
    ({"number": "1\x00"}, "number", "control character"),
    ({"number": "1 "}, "number", "spaces around"),
    ({"namespace": "els"}, "namespace", "is the namespace of the column els"),
    ({"els": "75DA"}, "els", "expected 10 digits or letters"),
    ({"izhku": "75DA000009"}, "izhku", "a hyphen and 2 digits"),
    ({"izhku": "75DA000008-01"}, "izhku", "does not start with the ЕЛС 75DA000009"),
    ({"state": "shut"}, "state", "expected one of: open, debts_only, closed"),
    ({"payer_kind": "firm"}, "payer_kind", "expected one of: person, organisation, budget"),
    ({"provider": "nobody"}, "provider", "recipient 'nobody' is not loaded"),
    ({"time_zone": "Moscow"}, "time_zone", "expected a time zone of the IANA database"),
    ({"name": "Секретов\x00 Пётр"}, "name", "holds a control character"),
    ({"address": "д" * 501}, "address", "is 501 characters long"),
    ({"aliases": "12"}, "aliases", "expected namespace:number"),
    ({"aliases": "izhku:75DA000009-01"}, "aliases", "is the namespace of the column izhku"),
    ({"aliases": "|".join(f"a:{number}" for number in range(21))}, "aliases", "holds 21 names, at most 20"),
]


@pytest.fixture
async def town(desk: Desk) -> Desk:
    """Recipients and three accounts whose tables were built."""
    await desk.load("recipients", RECIPIENTS)
    await desk.load("accounts", ACCOUNTS)
    await desk.connection.execute(SQL["clear_due"])
    return desk


async def test_bad_rows_are_named_by_line_and_field(town: Desk) -> None:
    before = await town.everything()
    lines = [GOOD, *({**GOOD, "izhku": "", "number": f"9{place}", **given} for place, (given, _, _) in enumerate(BAD_ROWS))]
    with pytest.raises(FaultyFile) as caught:
        await town.load("accounts", as_csv(lines))
    assert len(caught.value.faults) == len(BAD_ROWS)
    for line, (fault, (_, field, message)) in enumerate(zip(caught.value.faults, BAD_ROWS, strict=True), 3):
        assert (fault.line, fault.field) == (line, field)
        assert message in fault.message
        assert "Секретов" not in str(fault), "a message quotes no names"
    assert await town.everything() == before


async def test_accounts_are_kept_masked_and_with_leading_zeros(town: Desk) -> None:
    assert await town.read("accounts") == [
        ("epd", "0001001", 0, 0, "uk", "Europe/Moscow", "И****в И. И.", "ул. Мира, д. 5, кв. **5"),
        ("epd", "0001002", 1, 1, "uk", "Asia/Yekaterinburg", "ООО «Ромашка»", "ул. Мира, 7"),
        ("epd", "0001003", 2, 2, "uk", "Europe/Moscow", "", ""),
    ]


async def test_every_name_finds_its_account(town: Desk) -> None:
    names = [row[:3] for row in await town.read("aliases")]
    assert names == [
        ("els", "75DA000001", "0001001"),
        ("epd", "0001001", "0001001"),
        ("old", "77", "0001001"),
        ("old", "78", "0001001"),
        ("els", "75DA000002", "0001002"),
        ("epd", "0001002", "0001002"),
        ("old", "77", "0001002"),
        ("epd", "0001003", "0001003"),
    ]


async def test_an_ambiguous_name_is_loaded_with_a_warning(desk: Desk) -> None:
    await desk.load("recipients", RECIPIENTS)
    report = await desk.load("accounts", ACCOUNTS)
    assert [str(warning) for warning in report.warnings] == [
        "line 2, aliases: old:77 names 2 accounts: two matches are no match",
        "line 3, aliases: old:77 names 2 accounts: two matches are no match",
    ]


async def test_loading_twice_changes_nothing(town: Desk) -> None:
    before = await town.everything()
    assert (await town.load("accounts", ACCOUNTS)).already_loaded
    report = await town.load("accounts", ACCOUNTS + "\n")
    assert (report.already_loaded, report.unchanged, report.changed) == (False, 3, 0)
    assert await town.everything() == before


async def test_json_lines_equal_csv(town: Desk) -> None:
    await town.load("accounts", as_csv([GOOD]))
    report = await town.load("accounts", as_json_lines([{**GOOD, "time_zone": None}]), name="accounts.jsonl")
    assert (report.unchanged, report.rows) == (1, 1)


CHANGES: list[tuple[dict[str, object], bool]] = [
    ({"state": "closed"}, True),
    ({"payer_kind": "budget"}, True),
    ({"provider": "heat"}, True),
    ({"time_zone": "Asia/Omsk"}, True),
    ({"aliases": "old:12"}, True),
    ({"aliases": "none"}, True),
    ({"els": "75DA000007", "izhku": ""}, True),
    ({"name": "Петрова Ольга"}, False),
    ({"name": "", "address": "", "aliases": "", "els": "", "izhku": ""}, False),
]


async def test_what_changes_makes_the_table_due(town: Desk) -> None:
    await town.load("accounts", as_csv([GOOD]))
    await town.connection.execute(SQL["clear_due"])
    for given, due in CHANGES:
        async with town.undone():
            await town.load("accounts", as_csv([{**GOOD, **given}]))
            assert (await town.read("due") == [("0002001",)]) is due, given


async def test_a_state_that_comes_back_is_a_change(town: Desk) -> None:
    for state in ("open", "closed", "open"):
        report = await town.load("accounts", as_csv([{**GOOD, "state": state}]))
        assert report.added + report.changed == 1, "not taken for the file loaded before"


async def test_names_are_dated(town: Desk) -> None:
    await town.load("accounts", as_csv([GOOD]))
    later = msgspec.structs.replace(TERMS, today=date(2026, 12, 1))
    await town.load("accounts", as_csv([{**GOOD, "aliases": "bank:a-1|new:5"}]), terms=later)
    names = {row[:2]: row[3:] for row in await town.read("aliases") if row[2] == "0002001"}
    assert names["old", "12"] == (date(2000, 1, 1), date(2026, 11, 30))
    assert names["bank", "a-1"] == (date(2000, 1, 1), None)
    assert names["new", "5"] == (date(2026, 12, 1), None)
    assert names["epd", "0002001"] == (date(2000, 1, 1), None)
    await town.load("accounts", as_csv([{**GOOD, "aliases": "none"}]), terms=later)
    await town.load("accounts", as_csv([{**GOOD, "aliases": "new:5"}]), terms=later)
    again = [row[3:] for row in await town.read("aliases") if row[:2] == ("new", "5")]
    assert again == [(date(2026, 12, 1), None)], "closed and opened on one day"


async def test_repeats_and_foreign_izhku(town: Desk) -> None:
    await town.load("accounts", as_csv([GOOD]))
    other = {**GOOD, "number": "0002002"}
    third = {**GOOD, "number": "0002003", "els": "", "izhku": "75DA000003-01"}
    with pytest.raises(FaultyFile) as caught:
        await town.load("accounts", as_csv([other, third, {**third, "number": "0002004"}, third]))
    assert [str(fault) for fault in caught.value.faults] == [
        "line 2, izhku: belongs to the personal account epd:0002001 already",
        "line 4, izhku: belongs to the personal account of line 3 already",
        "line 5, izhku: belongs to the personal account of line 3 already",
        "line 5, number: repeats line 3",
    ]
