"""Readings on a real database: taken once, judged, corrected; two intakes at once come to what one after the other would."""

import asyncio
from datetime import UTC, date, datetime
from typing import Any

import asyncpg
import msgspec
import pytest

from services.billing.core.plausibility import MESSAGES, Fault
from services.billing.readings.counters import CounterValue, take_counter_values, take_registers
from services.billing.readings.intake import NewReading, ReadingRefused, Replacement, Source, replace_reading, take_readings
from services.reference.faults import FaultyFile
from tests.billing.recalculated_house import micro
from tests.conftest import LedgerDatabase
from tests.services.desk import Desk
from tests.services.housing_town import Stock
from tests.services.metered_town import FACTS, FIND_METERS, INTAKE, SQL, Meters, told

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ACCEPTED = ("accepted", "")


@pytest.fixture
async def meters(desk: Desk) -> Meters:
    await desk.load_town()
    town = Meters(stock=Stock(desk=desk))
    await town.load_meters()
    return town


async def test_facts_are_loaded_once_and_a_correction_is_a_later_row(meters: Meters) -> None:
    assert await meters.read("counts") == [(5, 2, 2, 2, 1)]
    again = await meters.load_facts("meters", FACTS["meters"] + "\n")
    assert (again.added, again.changed, again.unchanged) == (0, 0, 5)
    changed = await meters.load_facts("meters", FACTS["meters"].replace("2026-07-31", "2026-08-31"))
    assert (changed.added, changed.changed) == (0, 1)
    withdrawn = FACTS["windows"].replace("last_day", "last_day,state").replace("23", "23,withdrawn")
    assert (await meters.load_facts("windows", withdrawn)).changed == 1
    assert await meters.read("counts") == [(6, 2, 2, 2, 2)]


FAULTY = [
    (
        "meters",
        "meter,house,premises,service,digits,installed\nX,01,99,cold,5,2020-01-01\n",
        "99 is no premises of the house",
    ),
    ("meters", "meter,house,flat,service,digits,installed\nX,01,9,cold,5,2020-01-01\n", "9 is no communal flat"),
    ("meters", "meter,house,premises,service,digits,installed\nX,01,1,tea,5,2020-01-01\n", "service tea is not loaded"),
    ("meters", "meter,house,premises,flat,service,digits,installed\nX,01,1,3,cold,5,2020-01-01\n", "exclude one another"),
    ("meters", "meter,house,service,digits,installed\nX,01,cold,5,2020-01-01\nX,01,cold,5,2020-01-01\n", "repeats line 2"),
    ("events", "meter,event,on,act\nX,broken,2026-01-01,акт\n", "meter X is not loaded"),
    ("events", "meter,event,on,verified_until,act\nC1,broken,2026-01-01,2027-01-01,акт\n", "is of the event verified only"),
    (
        "possibilities",
        "house,premises,service,valid_from,possibility\n01,1,cold,2026-01-01,impossible\n",
        "is said by an act",
    ),
    ("house-volumes", "house,service,resource,period,volume\n01,cold,газ,2026-11,1\n", "belong together"),
    ("windows", "house,valid_from,first_day,last_day\n01,2026-01-01,20,5\n", "is before first_day"),
]


async def test_faulty_facts_are_named_and_change_nothing(meters: Meters) -> None:
    before = await meters.read("counts")
    for what, content, fault in FAULTY:
        with pytest.raises(FaultyFile, match=fault):
            await meters.load_facts(what, content)
        assert await meters.read("counts") == before


async def test_what_a_meters_readings_mean_does_not_change(meters: Meters) -> None:
    await meters.give("C1", ("2026-10-20", "100"))
    with pytest.raises(FaultyFile, match="C1 has readings"):
        await meters.load_facts("meters", FACTS["meters"].replace("C1,01,1,,cold,,111,,5", "C1,01,1,,cold,,111,,6"))


async def test_the_same_reading_twice_is_one(meters: Meters) -> None:
    content = "meter,value,taken_on\nC1,100,2026-10-20\nC1,100,2026-10-20\nC1,103.5,2026-11-20\n"
    first = await meters.load_readings(content)
    assert (first.rows, first.added, first.unchanged, first.warnings) == (3, 2, 1, ())
    assert (await meters.load_readings(content)).already_loaded
    again = await meters.load_readings(content + "C1,105,2026-11-22\n")
    assert (again.added, again.unchanged) == (1, 3)
    assert [(row[0], row[2], row[4]) for row in await meters.read("readings")] == [
        ("C1", micro("100"), 202610),
        ("C1", micro("103.5"), 202611),
        ("C1", micro("105"), 202611),
    ]


async def test_a_window_of_the_contract_comes_before_the_law(meters: Meters) -> None:
    content = "meter,value,taken_on,received_on,source,period\n" + "".join(
        f"C1,{line}\n"
        for line in (
            "100,2026-09-20,2026-09-23,,",
            "101,2026-09-24,2026-09-24,,",
            "102,2026-10-24,2026-10-24,act,",
            "103,2026-10-30,2026-10-30,inspector,",
            "104,2026-10-31,2026-11-01,,2026-12",
        )
    )
    await meters.load_readings(content)
    assert [row[4] for row in await meters.read("readings")] == [202609, 202610, 202610, 202610, 202612]


async def test_without_a_contracts_window_the_laws_holds_to_the_25th(meters: Meters) -> None:
    await meters.load_facts("windows", FACTS["windows"].replace("last_day", "last_day,state").replace("23", "23,withdrawn"))
    await meters.give("C1", ("2026-10-25", "100"), ("2026-10-26", "101"))
    assert [row[4] for row in await meters.read("readings")] == [202610, 202611]


async def test_readings_count_for_no_closed_period(meters: Meters) -> None:
    intake = msgspec.structs.replace(INTAKE, open_from=202611)
    await meters.load_readings("meter,value,taken_on\nC1,100,2026-09-20\n", intake)
    assert [row[4] for row in await meters.read("readings")] == [202611]


JUDGED = [
    ("the first", [("2026-10-20", "100")], [ACCEPTED]),
    ("lower is parked", [("2026-10-20", "100"), ("2026-11-20", "99")], [ACCEPTED, ("parked", "lower")]),
    (
        "lower after that is compared with what counts",
        [("2026-09-20", "100"), ("2026-10-20", "99"), ("2026-11-20", "101")],
        [ACCEPTED, ("parked", "lower"), ACCEPTED],
    ),
    ("the dial passes zero", [("2026-10-20", "99995"), ("2026-11-20", "3")], [ACCEPTED, ACCEPTED]),
    ("from the middle it does not pass zero", [("2026-10-20", "50000"), ("2026-11-20", "3")], [ACCEPTED, ("parked", "lower")]),
    ("above what it can count", [("2026-10-20", "100"), ("2026-10-21", "149")], [ACCEPTED, ("parked", "impossible")]),
    ("before it was installed", [("2020-01-20", "100")], [("refused", "before_installed")]),
    ("longer than the dial", [("2026-10-20", "100000")], [("refused", "too_long")]),
    ("another value of one day", [("2026-10-20", "100"), ("2026-10-20", "101")], [ACCEPTED, ("parked", "same_day")]),
    (
        "much more than usual is said and counts",
        [("2026-08-20", "100"), ("2026-09-20", "103"), ("2026-10-20", "206")],
        [ACCEPTED, ACCEPTED, ("accepted", "jump")],
    ),
]


async def test_judged(meters: Meters) -> None:
    for name, values, expected in JUDGED:
        async with meters.stock.desk.undone():
            assert told(await meters.give("C1", *values)) == expected, name
            assert len(await meters.read("readings")) == len(values), name


async def test_an_older_reading_stands_between_its_neighbours(meters: Meters) -> None:
    await meters.give("C1", ("2026-08-20", "100"), ("2026-10-20", "110"))
    assert told(await meters.give("C1", ("2026-09-20", "111"))) == [("parked", "above_next")]
    assert told(await meters.give("C1", ("2026-09-20", "105"))) == [ACCEPTED]


async def test_readings_of_the_future_are_refused_and_of_expired_meters_kept_with_a_word(meters: Meters) -> None:
    report = await meters.load_readings("meter,value,taken_on,received_on\nC1,1,2026-11-21,2026-11-20\nC2,5,2026-11-20,\n")
    assert [(fault.line, fault.field, fault.message) for fault in report.warnings] == [
        (2, "refused", MESSAGES[Fault.FUTURE]),
        (3, "accepted", MESSAGES[Fault.NOT_IN_ORDER]),
    ]


async def test_a_zone_that_the_meter_has_not_is_refused(meters: Meters) -> None:
    outcomes = await meters.give("L1", ("2026-10-20", "100"))
    assert [(outcome.verdict.value, outcome.reading) for outcome in outcomes] == [("refused", 0)]
    assert told(await meters.give("L1", ("2026-10-20", "100"), zone=2)) == [ACCEPTED]


async def test_a_parked_reading_is_decided_by_a_person(meters: Meters) -> None:
    await meters.give("C1", ("2026-09-20", "50000"), ("2026-10-20", "3"))
    number = (await meters.read("number_of", "C1", date(2026, 10, 20)))[0][0]
    wrong = Replacement(reading=number, value=micro("49999"), why="опечатка", by="мастер", at=NOW)
    with pytest.raises(ReadingRefused, match="не становится в ряд"):
        await replace_reading(meters.connection, wrong)
    with pytest.raises(ReadingRefused, match="нужна причина"):
        await replace_reading(meters.connection, msgspec.structs.replace(wrong, value=micro("50003"), why=" "))
    await replace_reading(meters.connection, msgspec.structs.replace(wrong, value=micro("50003")))
    with pytest.raises(ReadingRefused, match="уже заменили"):
        await replace_reading(meters.connection, msgspec.structs.replace(wrong, value=micro("50004")))
    assert told(await meters.give("C1", ("2026-11-20", "50004"))) == [ACCEPTED]
    rows = await meters.read("readings")
    assert [(row[2], row[5], row[8]) for row in rows] == [
        (micro("50000"), "accepted", False),
        (micro("3"), "parked", False),
        (micro("50003"), "accepted", True),
        (micro("50004"), "accepted", False),
    ]


async def test_a_reading_that_was_never_true_is_taken_away_by_a_row(meters: Meters) -> None:
    await meters.give("C1", ("2026-09-20", "100"), ("2026-10-20", "500"))
    assert told(await meters.give("C1", ("2026-11-20", "110"))) == [("parked", "lower")]
    number = (await meters.read("number_of", "C1", date(2026, 10, 20)))[0][0]
    await replace_reading(meters.connection, Replacement(reading=number, value=None, why="не тот прибор", by="мастер", at=NOW))
    assert told(await meters.give("C1", ("2026-11-21", "110"))) == [ACCEPTED]


async def test_the_database_itself_keeps_the_order_and_the_rows(meters: Meters) -> None:
    await meters.give("C1", ("2026-10-20", "100"))
    backwards = ("C1", 0, micro("99"), date(2026, 11, 20), 202611, False)
    twice_a_day = ("C1", 0, micro("101"), date(2026, 10, 20), 202610, False)
    earlier_month = ("C1", 0, micro("101"), date(2026, 11, 20), 202609, False)
    rolled_for_nothing = ("C1", 0, micro("101"), date(2026, 11, 20), 202611, True)
    for row in (backwards, twice_a_day, earlier_month, rolled_for_nothing):
        with pytest.raises(asyncpg.CheckViolationError, match="out of order"):
            await meters.connection.execute(SQL["add_accepted"], *row)
    for statement in ("change_reading", "delete_reading"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await meters.connection.execute(SQL[statement])


async def test_the_owner_cannot_change_readings_either(meters: Meters, ledger_database: LedgerDatabase) -> None:
    await meters.give("C1", ("2026-10-20", "100"))
    owner: Any = await asyncpg.connect(ledger_database.owner_dsn)
    for statement in ("change_reading", "delete_reading"):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="never changes"):
            await owner.execute(SQL[statement])
    await owner.close()


async def test_two_intakes_at_once_take_every_reading_once(meters: Meters, ledger_database: LedgerDatabase) -> None:
    """Both give the same readings, in opposite orders, and one more each of which only one can count."""
    rows = await meters.connection.fetch(FIND_METERS, ["C1", "F3", "H1"])
    numbers = {row["code"]: row["meter"] for row in rows}
    shared = [(code, month, str(100 + month)) for code in ("C1", "F3", "H1") for month in range(1, 11)]

    async def give(rows: list[tuple[str, int, str]]) -> list[tuple[str, str]]:
        connection: Any = await asyncpg.connect(ledger_database.services_dsn)
        given = [
            NewReading(
                line=line,
                meter=numbers[code],
                zone=0,
                value=micro(value),
                taken_on=date(2026, month, 20),
                received_on=date(2026, month, 20),
                source=Source.API,
            )
            for line, (code, month, value) in enumerate(rows, start=1)
        ]
        async with connection.transaction():
            outcomes = await take_readings(connection, given, INTAKE)
        await connection.close()
        return told(outcomes)

    first, second = await asyncio.gather(give([*shared, ("C1", 11, "120")]), give([*reversed(shared), ("C1", 11, "121")]))
    assert sorted([first[-1], second[-1]]) == [ACCEPTED, ("parked", "same_day")]
    kept = await meters.read("readings")
    assert len(kept) == len(shared) + 2
    assert [row[5] for row in kept].count("accepted") == len(shared) + 1


async def test_counter_values_come_with_payments(meters: Meters) -> None:
    values = [("C1", "100"), ("333-1", "5.5"), ("L1-2", "7"), ("L1", "8"), ("nobody", "1"), ("C1", "сто"), ("C1", "100")]
    given = [CounterValue(counter=counter, reading=value, day=date(2026, 11, 20)) for counter, value in values]
    async with meters.connection.transaction():
        outcomes = await take_counter_values(meters.connection, given, INTAKE)
    assert [(outcome.line, outcome.reading > 0, outcome.is_repeat) for outcome in outcomes] == [
        (0, True, False),
        (1, True, False),
        (2, True, False),
        (3, False, False),
        (4, False, False),
        (5, False, False),
        (6, True, True),
    ]


async def test_counter_values_of_registers_are_taken_once(meters: Meters) -> None:
    await meters.connection.execute(SQL["add_register"], ["C1", "nobody", "C1"], ["100", "5", "100"])
    assert [outcome.reading > 0 for outcome in await take_registers(meters.connection, INTAKE)] == [True, False, True]
    assert await take_registers(meters.connection, INTAKE) == ()
    assert [row[3] for row in await meters.read("counter_values")] == [True, False, True]
    assert [(row[2], row[3]) for row in await meters.read("readings")] == [(micro("100"), date(2026, 11, 20))]


async def test_readings_of_acts_count_for_their_day_whoever_gives_them(meters: Meters) -> None:
    """The last reading of a meter and the first of the next one stand in the act of its replacement, also after the window."""
    await meters.load_facts("events", "meter,event,on,act\nC1,removed,2026-10-28,акт 5\n")
    line = "C9,01,1,,cold,,999,,5,2026-10-28,2032-10-27,,\n"
    await meters.load_facts("meters", FACTS["meters"].splitlines()[0] + "\n" + line)
    given = [*await meters.give("C1", ("2026-10-28", "150")), *await meters.give("C9", ("2026-10-28", "0"), ("2026-10-30", "1"))]
    assert [(one.verdict.value, one.period) for one in given] == [("accepted", period) for period in (202610, 202610, 202611)]
