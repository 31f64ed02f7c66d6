"""Charges from files: every fault by line and field, nothing half-loaded, nothing changed by a repeat."""

from collections.abc import Sequence
from datetime import date

import asyncpg
import msgspec
import pytest

from ledger.statements import load_statements
from services.reference.faults import SHOWN_MAX, FaultyFile
from services.reference.loading import LOCK_KEY, ControlTotal, LoadBusy, LoadTerms
from tests.conftest import LedgerDatabase
from tests.services.desk import CHARGES, SQL, TERMS, Desk, as_csv, as_json_lines, charge

LOADING = load_statements("services/reference/loading.sql")
LONG = "9" * 10_000

BAD_ROWS: list[tuple[dict[str, object], str, str]] = [
    ({"amount_kopecks": "1e3"}, "amount_kopecks", "'1e3', expected whole kopecks"),
    ({"amount_kopecks": "10.455"}, "amount_kopecks", "expected whole kopecks"),
    ({"amount_kopecks": ""}, "amount_kopecks", "is required"),
    ({"amount_kopecks": "9" * 17}, "amount_kopecks", "expected whole kopecks"),
    ({"paid_kopecks": "-1"}, "paid_kopecks", "no negative amount"),
    ({"period": "2026-13"}, "period", "expected a month"),
    ({"period": "none"}, "period", "court costs only"),
    ({"due_date": "16.11.2026"}, "due_date", "expected a date"),
    ({"due_date": "2026-02-30"}, "due_date", "no day of the calendar"),
    ({"kind": "fine"}, "kind", "expected one of: principal, penalty, costs"),
    ({"pool": "other"}, "pool", "expected one of"),
    ({"creditor": "nobody"}, "creditor", "'nobody' is not loaded"),
    ({"recipient": "nobody"}, "recipient", "'nobody' is not loaded"),
    ({"paid_to": "nobody"}, "paid_to", "'nobody' is not loaded"),
    ({"number": "1001"}, "number", "epd:1001 is no personal account"),
    ({"number": ""}, "number", "or els is required"),
    ({"els": "75DA000001"}, "number", "not both"),
    ({"namespace": ""}, "namespace", "is required with a number"),
    ({"number": "", "els": "75DA"}, "els", "expected 10 digits or letters"),
    ({"number": LONG}, "number", "is 10000 characters long, at most 200"),
    ({"number": "0001001\x00"}, "number", "control character"),
    ({"service": "a\x07"}, "service", "control character"),
    ({"service": " heating"}, "service", "spaces around"),
    ({"namespace": "old", "number": "77"}, "number", "old:77 names 2 accounts"),
]


@pytest.fixture
async def town(desk: Desk) -> Desk:
    """Recipients, accounts and October's charges are loaded and their tables built."""
    await desk.load_town()
    return desk


@pytest.fixture
async def published(town: Desk, ledger_database: LedgerDatabase) -> Desk:
    """The town with every account's table published once."""
    owner = await asyncpg.connect(ledger_database.owner_dsn)
    await owner.execute(SQL["publish_heads"])
    await owner.execute(SQL["clear_due"])
    await owner.close()
    return town


async def faults_of(desk: Desk, lines: Sequence[dict[str, object]], terms: LoadTerms = TERMS) -> list[tuple[int, str, str]]:
    with pytest.raises(FaultyFile) as caught:
        await desk.load("charges", as_csv(lines), terms=terms)
    return [(fault.line, fault.field, fault.message) for fault in caught.value.faults]


async def test_bad_rows_are_named_by_line_and_field(town: Desk) -> None:
    before = await town.everything()
    lines = [charge(period="2026-11"), *(charge(**{"period": "2026-11", **given}) for given, _, _ in BAD_ROWS)]
    faults = await faults_of(town, lines)
    assert len(faults) == len(BAD_ROWS)
    for line, ((found_line, field, message), (_, expected_field, expected)) in enumerate(zip(faults, BAD_ROWS, strict=True), 3):
        assert (found_line, field) == (line, expected_field)
        assert expected in message, message
        assert len(message) < 200
    assert await town.everything() == before, "nothing of a faulty file is loaded"


async def test_many_faults_are_counted(town: Desk) -> None:
    with pytest.raises(FaultyFile) as caught:
        await town.load("charges", as_csv([charge(amount_kopecks="x")] * 250))
    assert len(caught.value.faults) == SHOWN_MAX
    assert caught.value.count == 250
    with pytest.raises(FaultyFile) as unknown:
        await town.load("charges", as_csv([charge(number=f"9{number}") for number in range(250)]))
    assert (len(unknown.value.faults), unknown.value.count) == (SHOWN_MAX, 250)


BAD_FILES: list[tuple[str | bytes, int, str, str]] = [
    ("", 1, "header", "is missing"),
    (CHARGES.splitlines()[0] + "\n", 0, "file", "holds no rows"),
    (CHARGES.replace("due_date", "due"), 1, "header", "unknown column 'due'"),
    (CHARGES.replace("kind,", "pool,", 1), 1, "header", "column 'pool' stands twice"),
    (CHARGES + "epd,0001001\n", 6, "line", "has 2 fields, the header has 10"),
    (CHARGES + '"epd"x,0001001\n', 6, "line", "is not CSV"),
    (CHARGES.encode() + "epd,0001001,УК".encode("cp1251"), 6, "line", "looks like windows-1251"),
    (CHARGES.encode("utf-16"), 1, "line", "is not UTF-8 at byte 1"),
    (CHARGES + "x" * 70_000, 6, "line", "is longer than 65536 bytes"),
]


async def test_files_not_in_the_promised_form(town: Desk) -> None:
    for content, line, field, message in BAD_FILES:
        with pytest.raises(FaultyFile) as caught:
            await town.load("charges", content)
        assert (line, field) in [(fault.line, fault.field) for fault in caught.value.faults], message
        assert message in str(caught.value)


BAD_JSON_LINES = [
    ('{"namespace": "epd", "namespace": "epd"}', "line 1, namespace: stands twice"),
    ('{"amount_kopecks": 10.5}', "line 1, line: is not a JSON object: '10.5' is not a whole number"),
    ('{"amount_kopecks": 1e3}', "'1e3' is not a whole number"),
    ('{"amount_kopecks": NaN}', "'NaN' is not a whole number"),
    ('{"number": ["1"]}', "line 1, number: must be a string"),
    ('{"numbers": "1"}', "unknown field 'numbers'"),
    ("[1]", "is not a JSON object"),
    ("[" * 60_000, "is not a JSON object"),
    ('{"number": "1"', "is not a JSON object"),
]


async def test_json_lines_not_in_the_promised_form(town: Desk) -> None:
    for content, message in BAD_JSON_LINES:
        with pytest.raises(FaultyFile) as caught:
            await town.load("charges", content, name="charges.jsonl")
        assert message in str(caught.value)


async def test_json_lines_equal_csv(desk: Desk, town: Desk) -> None:
    lines = [charge(period="2026-11", paid_kopecks=5), charge(period="2026-11", service="gas", amount_kopecks=-7)]
    await town.load("charges", as_csv(lines, ";").replace("\n", "\r\n").encode("utf-8-sig"))
    report = await town.load("charges", as_json_lines(lines), name="charges.jsonl")
    assert (report.added, report.changed, report.unchanged) == (0, 0, 2)


async def test_lines_are_numbered_in_the_order_of_the_file(town: Desk) -> None:
    await town.load("charges", as_csv([charge(period="2026-11", service="gas"), charge(period="2026-11", service="antenna")]))
    charges = [row[:5] for row in await town.read("charges") if row[0] == "0001001"]
    assert charges == [
        ("0001001", 1, "uk", 202610, "maintenance"),
        ("0001001", 2, "uk", 202610, "heating"),
        ("0001001", 3, "fund", 202610, "capital_repair"),
        ("0001001", 4, "uk", 202611, "gas"),
        ("0001001", 5, "uk", 202611, "antenna"),
    ]


async def test_rows_of_an_account_may_stand_apart(town: Desk) -> None:
    lines = [
        charge(service="a"),
        charge(number="0001002", service="b"),
        charge(service="c"),
        charge(number="", els="75da000001", service="d"),
    ]
    report = await town.load("charges", as_csv(lines))
    assert report.added == 4
    assert [row[4] for row in await town.read("charges") if row[0] == "0001001"][3:] == ["a", "c", "d"]


async def test_loading_twice_changes_nothing(town: Desk) -> None:
    before = await town.everything()
    again = await town.load("charges", CHARGES)
    assert (again.already_loaded, again.rows, again.unchanged) == (True, 4, 4)
    reordered = "\n".join([CHARGES.splitlines()[0], *reversed(CHARGES.splitlines()[1:])])
    other_bytes = await town.load("charges", reordered)
    assert (other_bytes.already_loaded, other_bytes.added, other_bytes.unchanged) == (False, 0, 4)
    assert other_bytes.totals == again.totals
    assert await town.everything() == before


async def test_a_repeated_line_is_a_fault(town: Desk) -> None:
    new = charge(period="2026-11")
    faults = await faults_of(town, [new, charge(service="gas"), new, {**new, "amount_kopecks": 5}])
    assert faults == [(4, "line", "repeats line 2"), (5, "line", "repeats line 2")]


async def test_an_open_period_may_be_lowered(published: Desk) -> None:
    report = await published.load("charges", as_csv([charge(amount_kopecks=200_000)]))
    assert (report.changed, report.added) == (1, 0)
    assert [row[8] for row in await published.read("charges") if row[4] == "heating"] == [200_000]
    assert await published.read("due") == [("0001001",)]


async def test_a_published_period_never_changes(published: Desk) -> None:
    await published.load("charges", as_csv([charge(period="2026-11", amount_kopecks=-5_000)]))
    message = "charges of a published period never change; load a recalculation line in an open period"
    assert await faults_of(published, [charge(amount_kopecks=1)]) == [(2, "amount_kopecks", message)]
    assert await faults_of(published, [charge(service="gas")]) == [(2, "period", message)]
    later = await published.load("charges", as_csv([charge(kind="penalty"), charge(creditor="fund", service="gas")]))
    assert later.added == 2, "penalties come later, and another creditor's period is open still"


async def test_a_limitation_period_may_run_anew(published: Desk) -> None:
    await published.load("charges", as_csv([charge(period="2026-11")]))
    known = charge(amount_kopecks=287_436, limitation_until="2030-01-31")
    assert (await published.load("charges", as_csv([known]))).changed == 1
    assert date(2030, 1, 31) in [row[10] for row in await published.read("charges") if row[4] == "heating"]


async def test_opening_balances(town: Desk) -> None:
    lines = [
        charge(period="2026-11", paid_kopecks=300, advance_kopecks=20, paid_to="heat"),
        charge(period="2026-12", paid_kopecks=1),
    ]
    report = await town.load("charges", as_csv(lines))
    assert [row[12:] for row in await town.read("charges") if row[3] > 202610] == [(300, 20, "heat"), (1, 0, "uk")]
    assert report.totals == (ControlTotal(recipient="heat", pool="main", rows=2, amount=2000, paid=301, advance=20),)


async def test_opening_balances_of_a_published_account_stay(published: Desk) -> None:
    faults = await faults_of(published, [charge(amount_kopecks=287_436, paid_kopecks=5)])
    assert faults == [(2, "paid_kopecks", "opening balances of a published account never change; pay or reverse instead")]


PRINTED_TOTALS: list[tuple[list[dict[str, object]], str]] = [
    ([charge(period="2026-11", printed_total_kopecks=503_436)], ""),
    (
        [charge(period="2026-11", printed_total_kopecks=503_435)],
        "is 503435 for account epd:0001001, pool main, its charges leave 503436 kopecks unpaid",
    ),
    ([charge(period="2026-11", paid_kopecks=400, advance_kopecks=30, printed_total_kopecks=503_006)], ""),
    ([charge(period="2026-11", amount_kopecks=-2_436, printed_total_kopecks=500_000)], ""),
    ([charge(amount_kopecks=200_000, printed_total_kopecks=415_000)], ""),
    ([charge(period="2026-11", printed_total_kopecks=503_436 + 71_235)], ""),
    ([charge(period="2026-11", printed_total_kopecks=503_436), charge(period="2026-11", kind="penalty")], ""),
    (
        [charge(period="2026-11", printed_total_kopecks=1), charge(period="2026-11", service="gas", printed_total_kopecks=2)],
        "is 2, line 2 of the same document says 1",
    ),
    ([charge(period="2026-09", printed_total_kopecks=1_000), charge(period="2026-10", service="gas")], ""),
    ([charge(period="2020-01", printed_total_kopecks=1_000), charge(period="2026-10", service="gas")], ""),
    ([charge(period="2026-11", court_order="2-1/26", printed_total_kopecks=502_436)], ""),
]


async def test_printed_totals(town: Desk) -> None:
    for lines, fault in PRINTED_TOTALS:
        async with town.undone():
            if not fault:
                await town.load("charges", as_csv(lines))
                assert len(await town.read("printed")) == 1
                continue
            faults = await faults_of(town, lines)
            assert [field for _, field, _ in faults] == ["printed_total_kopecks"]
            assert fault in faults[0][2]


@pytest.mark.parametrize(("rows", "total", "fault"), [(1, 1000, ""), (2, 1000, "control_rows"), (1, 999, "control_total")])
async def test_control_totals(town: Desk, rows: int, total: int, fault: str) -> None:
    terms = msgspec.structs.replace(TERMS, control_rows=rows, control_total_kopecks=total)
    lines = [charge(period="2026-11")]
    if not fault:
        assert (await town.load("charges", as_csv(lines), terms=terms)).added == 1
        return
    before = await town.everything()
    assert [(line, field) for line, field, _ in await faults_of(town, lines, terms)] == [(0, fault)]
    assert await town.everything() == before
    await town.load("charges", as_csv(lines))
    assert [field for _, field, _ in await faults_of(town, lines, terms)] == [fault], "a repeat is compared too"


async def test_warnings(town: Desk) -> None:
    lines = [
        charge(period="2026-11", due_date="2026-12-12"),
        charge(period="2026-11", recipient="water"),
        charge(service="maintenance", recipient="heat"),
    ]
    report = await town.load("charges", as_csv(lines))
    assert sorted(map(str, report.warnings)) == [
        "line 2, due_date: 2026-12-12 is no working day (1 rows)",
        "line 2, service: account epd:0001001 is charged for heating by 2 recipients in one period",
        "line 4, service: account epd:0001001 is charged for maintenance by 2 recipients in one period",
    ]


async def test_court_costs_without_a_period(town: Desk) -> None:
    await town.load("charges", as_csv([charge(period="none", kind="costs", service="court_costs", court_order="2-1/2026")]))
    assert [row[3] for row in await town.read("charges") if row[4] == "court_costs"] == [0]


async def test_one_load_at_a_time(town: Desk, ledger_database: LedgerDatabase) -> None:
    connection = await asyncpg.connect(ledger_database.services_dsn)
    other = Desk(connection=connection, folder=town.folder)
    content = as_csv([charge(period="2026-11")])
    await connection.fetchval(LOADING["lock"], LOCK_KEY)
    with pytest.raises(LoadBusy):
        await town.load("charges", content)
    await connection.fetchval(LOADING["unlock"], LOCK_KEY)
    assert (await other.load("charges", content)).added == 1
    assert await other.read("left_in_session") == [(0,)]
    await connection.close()


@pytest.mark.parametrize("statement", ["unknown_account_charge", "unknown_payee_charge"])
async def test_the_database_refuses_unknown_references(town: Desk, statement: str) -> None:
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await town.connection.execute(SQL[statement])


async def test_the_database_refuses_to_move_a_line(town: Desk) -> None:
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="never change"):
        await town.connection.execute(SQL["move_line"])
