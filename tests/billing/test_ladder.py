"""The ladder meter → average → norm, a case a clause (п. 31, 33, 42, 59–61, 80–81 ПП 354; law.md §2.1)."""

from datetime import date

import pytest

from services.billing.core.consumption import LadderTerms
from services.billing.core.ladder import Cause, changed_periods, norm_periods, rung_of
from services.billing.core.meters import MeterLife, MeterOutOfOrder, Possibility, segments_of, supply_of
from services.billing.core.month import VolumeSource
from services.billing.core.quantities import MICRO
from tests.billing.metered_supply import NON_RESIDENTIAL, TERMS, meter, monthly, told, volumes
from tests.billing.recalculated_house import micro

STEADY = monthly(202601, "100", "103", "106", "109", "112", "115", "118")
"""Readings of January to July: three a month."""
METER, AVERAGE, NORM, RAISED = VolumeSource.METER, VolumeSource.AVERAGE, VolumeSource.NORM, VolumeSource.NORM_RAISED
NORMS = {period: micro("8") for period in range(202601, 202613)}


def steady(*events: tuple[str, ...], readings: tuple[object, ...] = (), **given: object) -> MeterLife:
    """Return a meter read until July, with what happens to it and what is read later."""
    return meter((*STEADY, *readings), events, **given)  # type: ignore[arg-type]


CASES = [
    ("reading in time: the difference", [steady()], 202603, TERMS, (METER, Cause.READING, "3", 0)),
    ("a reading of no consumption", [meter(monthly(202601, "5", "5"))], 202602, TERMS, (METER, Cause.READING, "0", 0)),
    (
        "two readings of one month: the last",
        [steady(readings=(told(202607, "120", 24),))],
        202607,
        TERMS,
        (METER, Cause.READING, "5", 0),
    ),
    (
        "the dial passes zero",
        [meter((told(202601, "99998"), told(202602, "3", rolled=(0,))))],
        202602,
        TERMS,
        (METER, Cause.READING, "5", 0),
    ),
    (
        "a dial of four digits passes zero",
        [meter((told(202601, "9998"), told(202602, "3", rolled=(0,))), digits=4)],
        202602,
        TERMS,
        (METER, Cause.READING, "5", 0),
    ),
    ("fractions of the dial", [meter(monthly(202601, "1.25", "2.375"))], 202602, TERMS, (METER, Cause.READING, "1.125", 0)),
    ("(б) first period without a reading", [steady()], 202608, TERMS, (AVERAGE, Cause.NO_READING, "3", 1)),
    ("(б) third period", [steady()], 202610, TERMS, (AVERAGE, Cause.NO_READING, "3", 3)),
    ("(б) fourth period: norm, not raised", [steady()], 202611, TERMS, (NORM, Cause.NO_READING, "0", 4)),
    ("(б) non-residential: second period", [steady()], 202609, NON_RESIDENTIAL, (AVERAGE, Cause.NO_READING, "3", 2)),
    ("(б) non-residential: third period", [steady()], 202610, NON_RESIDENTIAL, (NORM, Cause.NO_READING, "0", 3)),
    (
        "(а) broken in the month, no last reading",
        [steady(("broken", "2026-08-01"))],
        202608,
        TERMS,
        (AVERAGE, Cause.FAULTY, "3", 1),
    ),
    (
        "(а) lost on the last day of July, which is the first period",
        [steady(("lost", "2026-07-31"))],
        202608,
        TERMS,
        (AVERAGE, Cause.FAULTY, "3", 2),
    ),
    ("(а) verification runs out", [steady(verified_until=date(2026, 7, 31))], 202608, TERMS, (AVERAGE, Cause.FAULTY, "3", 1)),
    (
        "(а) the last day of the verification still counts",
        [steady(verified_until=date(2026, 7, 31))],
        202607,
        TERMS,
        (METER, Cause.READING, "3", 0),
    ),
    ("(а) a seal is broken", [steady(("seal_broken", "2026-08-01"))], 202608, TERMS, (AVERAGE, Cause.FAULTY, "3", 1)),
    ("(а) taken off without another", [steady(("removed", "2026-08-01"))], 202608, TERMS, (AVERAGE, Cause.FAULTY, "3", 1)),
    ("(а) third period", [steady(("broken", "2026-08-01"))], 202610, TERMS, (AVERAGE, Cause.FAULTY, "3", 3)),
    ("(а) fourth period: norm, raised", [steady(("broken", "2026-08-01"))], 202611, TERMS, (RAISED, Cause.FAULTY, "0", 4)),
    (
        "(а) readings of a meter not in order are not used",
        [steady(("broken", "2026-08-01"), readings=(told(202608, "150"),))],
        202608,
        TERMS,
        (AVERAGE, Cause.FAULTY, "3", 1),
    ),
    (
        "(а) readings after the verification ran out are not used",
        [steady(verified_until=date(2026, 7, 31), readings=(told(202608, "150"),))],
        202608,
        TERMS,
        (AVERAGE, Cause.FAULTY, "3", 1),
    ),
    (
        "(а) a last reading on the day it broke, then the average by days",
        [steady(("broken", "2026-08-16"), readings=(told(202608, "119", 16),))],
        202608,
        TERMS,
        (AVERAGE, Cause.FAULTY, "2.548387", 1),
    ),
    (
        "(а) non-residential: third period",
        [steady(("broken", "2026-08-01"))],
        202610,
        NON_RESIDENTIAL,
        (RAISED, Cause.FAULTY, "0", 3),
    ),
    (
        "(б) then (а): the periods count on, the cause is the last",
        [steady(("broken", "2026-10-01"))],
        202611,
        TERMS,
        (RAISED, Cause.FAULTY, "0", 4),
    ),
    (
        "(в) access refused: the reading given is not used",
        [steady(("access_refused", "2026-08-10"), readings=(told(202608, "119"),))],
        202608,
        TERMS,
        (AVERAGE, Cause.NO_ACCESS, "3", 1),
    ),
    (
        "(в) the month before the act is by the meter",
        [steady(("access_refused", "2026-08-10"))],
        202607,
        TERMS,
        (METER, Cause.READING, "3", 0),
    ),
    (
        "(в) fourth period: norm, raised",
        [steady(("access_refused", "2026-08-10"))],
        202611,
        TERMS,
        (RAISED, Cause.NO_ACCESS, "0", 4),
    ),
    (
        "(в) access given within the month",
        [steady(("access_refused", "2026-08-10"), ("access_given", "2026-08-25"), readings=(told(202608, "122", 25),))],
        202608,
        TERMS,
        (METER, Cause.READING, "4", 0),
    ),
    (
        "a reading before the fault and repair on one day: no gap",
        [steady(("broken", "2026-07-21"), ("repaired", "2026-07-21"))],
        202607,
        TERMS,
        (METER, Cause.READING, "3", 0),
    ),
    (
        "verified on the day after it ran out: no gap",
        [steady(("verified", "2026-07-11", "2032-07-10"), verified_until=date(2026, 7, 10))],
        202607,
        TERMS,
        (METER, Cause.READING, "3", 0),
    ),
    (
        "verified ahead of time goes on",
        [steady(("verified", "2026-03-11", "2032-07-10"), verified_until=date(2026, 4, 10))],
        202607,
        TERMS,
        (METER, Cause.READING, "3", 0),
    ),
    (
        "verified again after a gap: by days",
        [steady(("verified", "2026-08-11", "2032-08-10"), verified_until=date(2026, 7, 31), readings=(told(202608, "130", 11),))],
        202608,
        TERMS,
        (AVERAGE, Cause.FAULTY, "0.967742", 1),
    ),
    (
        "the month after a gap counts from the reading at the verification",
        [
            steady(
                ("verified", "2026-08-11", "2032-08-10"),
                verified_until=date(2026, 7, 31),
                readings=(told(202608, "130", 11), told(202609, "134")),
            )
        ],
        202609,
        TERMS,
        (METER, Cause.READING, "4", 0),
    ),
    (
        "replaced on one day: both meters",
        [
            steady(("removed", "2026-08-10"), readings=(told(202608, "119", 10),)),
            meter((told(202608, "0", 10), told(202608, "1.5", 24)), meter="m2", installed=date(2026, 8, 10)),
        ],
        202608,
        TERMS,
        (METER, Cause.READING, "2.5", 0),
    ),
    (
        "replaced after ten days without: the average for them",
        [
            steady(("removed", "2026-08-11"), readings=(told(202608, "119", 11),)),
            meter((told(202608, "0", 21), told(202608, "1", 24)), meter="m2", installed=date(2026, 8, 21)),
        ],
        202608,
        TERMS,
        (AVERAGE, Cause.FAULTY, "2.967742", 1),
    ),
    (
        "replaced after the average has run out: the norm for the month (п. 81)",
        [
            steady(("broken", "2026-08-01")),
            meter((told(202611, "0", 10), told(202611, "2", 24)), meter="m2", installed=date(2026, 11, 10)),
        ],
        202611,
        TERMS,
        (RAISED, Cause.FAULTY, "0", 4),
    ),
    (
        "the month after that is by the new meter",
        [
            steady(("broken", "2026-08-01")),
            meter((told(202611, "0", 10), told(202611, "2", 24), told(202612, "5")), meter="m2", installed=date(2026, 11, 10)),
        ],
        202612,
        TERMS,
        (METER, Cause.READING, "3", 0),
    ),
    (
        "the next meter of a place ends the one before",
        [steady(), meter(monthly(202607, "0", "2"), meter="m2", installed=date(2026, 7, 1))],
        202608,
        TERMS,
        (METER, Cause.READING, "2", 0),
    ),
    (
        "the average outlives the meter",
        [
            steady(("removed", "2026-08-01"), readings=(told(202608, "118", 1),)),
            meter((told(202608, "0", 1), told(202608, "3", 24)), meter="m2", installed=date(2026, 8, 1)),
        ],
        202609,
        TERMS,
        (AVERAGE, Cause.NO_READING, "3", 1),
    ),
    (
        "first month of the first meter: norm",
        [meter((told(202607, "0", 10), told(202607, "2", 24)), installed=date(2026, 7, 10))],
        202607,
        TERMS,
        (NORM, Cause.FIRST_MONTH, "0", 0),
    ),
    (
        "second month of the first meter: from the last reading of the first",
        [meter((told(202607, "0", 10), told(202607, "2", 24), told(202608, "5")), installed=date(2026, 7, 10))],
        202608,
        TERMS,
        (METER, Cause.READING, "3", 0),
    ),
    (
        "a first reading of a meter that stood there is no volume",
        [meter(monthly(202607, "50"))],
        202607,
        TERMS,
        (NORM, Cause.NO_READING, "0", 4),
    ),
    (
        "three months of readings make an average",
        [meter(monthly(202604, "0", "2", "4", "9"))],
        202608,
        TERMS,
        (AVERAGE, Cause.NO_READING, "3", 1),
    ),
    (
        "two months make none: norm, not raised",
        [meter(monthly(202605, "0", "2", "4"))],
        202608,
        TERMS,
        (NORM, Cause.NO_READING, "0", 1),
    ),
    (
        "of more than six months the last six",
        [meter(monthly(202512, "0", "60", "61", "62", "63", "64", "65", "66"))],
        202608,
        TERMS,
        (AVERAGE, Cause.NO_READING, "1", 1),
    ),
    (
        "a reading of two months at once counts as two",
        [meter(monthly(202601, "0", "2", None, "8", None, "14"))],
        202607,
        TERMS,
        (AVERAGE, Cause.NO_READING, "2.8", 1),
    ),
    (
        "two places: both differences",
        [steady(), steady(meter="m2", place="кухня")],
        202607,
        TERMS,
        (METER, Cause.READING, "6", 0),
    ),
    (
        "two places: one by the average",
        [steady(), steady(readings=(told(202608, "122"),), meter="m2", place="кухня")],
        202608,
        TERMS,
        (AVERAGE, Cause.NO_READING, "7", 1),
    ),
    (
        "two places: the norm of one is the norm of all",
        [
            steady(("broken", "2026-08-01")),
            meter((*STEADY, *monthly(202608, "121", "124", "127", "130")), meter="m2", place="кухня"),
        ],
        202611,
        TERMS,
        (RAISED, Cause.FAULTY, "0", 4),
    ),
    (
        "a place that is no more is not missed",
        [steady(("abolished", "2026-08-01")), meter((*STEADY, told(202608, "121")), meter="m2", place="кухня")],
        202608,
        TERMS,
        (METER, Cause.READING, "3", 0),
    ),
    (
        "nothing but an abolished place",
        [steady(("abolished", "2026-08-01"))],
        202608,
        TERMS,
        (NORM, Cause.POSSIBILITY_UNKNOWN, "0", 0),
    ),
    (
        "heating: months of the season alone make the average",
        [meter(monthly(202510, "0", "2", "4", "6", "8", "10", "12", "12", "12", "12", "12", "12"))],
        202610,
        LadderTerms(averaged_max=3, average_months=6, average_months_min=3, season=(1, 2, 3, 4, 10, 11, 12)),
        (AVERAGE, Cause.NO_READING, "2", 1),
    ),
    (
        "house meter of heating: sixth period (ПП 1176)",
        [meter(monthly(202509, "0", "6", "12", "18", "24", "30", "36"), [("broken", "2026-04-01")])],
        202609,
        LadderTerms(averaged_max=6, average_months=6, average_months_min=3),
        (AVERAGE, Cause.FAULTY, "6", 6),
    ),
    (
        "house meter of heating: seventh period",
        [meter(monthly(202509, "0", "6", "12", "18", "24", "30", "36"), [("broken", "2026-04-01")])],
        202610,
        LadderTerms(averaged_max=6, average_months=6, average_months_min=3),
        (RAISED, Cause.FAULTY, "0", 7),
    ),
    (
        "п. 61: the catch-up of one averaged month",
        [steady(readings=(told(202609, "125"),))],
        202609,
        TERMS,
        (METER, Cause.READING, "4", 0),
    ),
    ("п. 61: of three averaged months", [steady(readings=(told(202611, "130"),))], 202611, TERMS, (METER, Cause.READING, "3", 0)),
    (
        "п. 61: of three averaged months and one by the norm",
        [steady(readings=(told(202612, "138"),))],
        202612,
        TERMS,
        (METER, Cause.READING, "3", 0),
    ),
    (
        "п. 61: less than was charged: nothing this month",
        [steady(readings=(told(202609, "119"),))],
        202609,
        TERMS,
        (METER, Cause.READING, "0", 0),
    ),
    (
        "п. 61: a reading after access was refused",
        [
            steady(
                ("access_refused", "2026-08-10"),
                ("access_given", "2026-10-05"),
                readings=(told(202608, "119"), told(202610, "128", 5)),
            )
        ],
        202610,
        TERMS,
        (METER, Cause.READING, "4", 0),
    ),
    (
        "п. 61: not of the months in which the meter was out of order",
        [
            steady(
                ("broken", "2026-08-01"), ("repaired", "2026-09-01"), readings=(told(202609, "130", 1), told(202609, "132", 24))
            )
        ],
        202609,
        TERMS,
        (METER, Cause.READING, "2", 0),
    ),
]


@pytest.mark.parametrize(("meters", "period", "terms", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_rung(meters: list[MeterLife], period: int, terms: LadderTerms, expected: tuple[VolumeSource, Cause, str, int]) -> None:
    source, cause, volume, missed = expected
    rung = rung_of(supply_of(meters), period, terms, NORMS)
    assert (rung.source, rung.cause, sum(volumes(rung).values()), rung.missed) == (source, cause, micro(volume), missed)


@pytest.mark.parametrize(
    ("possibility", "expected"),
    [
        (Possibility.POSSIBLE, (RAISED, Cause.NO_METER)),
        (Possibility.IMPOSSIBLE, (NORM, Cause.NO_POSSIBILITY)),
        (Possibility.UNKNOWN, (NORM, Cause.POSSIBILITY_UNKNOWN)),
    ],
)
def test_no_meter_at_all(possibility: Possibility, expected: tuple[VolumeSource, Cause]) -> None:
    rung = rung_of(supply_of([], possibility), 202608, TERMS)
    assert (rung.source, rung.cause) == expected


def test_first_month_is_raised_where_a_meter_could_have_been_all_along() -> None:
    first = meter((told(202607, "0", 10),), installed=date(2026, 7, 10))
    rung = rung_of(supply_of([first], Possibility.POSSIBLE), 202607, TERMS)
    assert (rung.source, rung.cause) == (RAISED, Cause.FIRST_MONTH)


def test_zones_are_counted_and_averaged_apart() -> None:
    readings = monthly(202601, ("0", "0"), ("10", "4"), ("20", "8"), ("30", "12"), None)
    supply = supply_of([meter(readings, zones=(1, 2))])
    assert volumes(rung_of(supply, 202604, TERMS)) == {1: micro("10"), 2: micro("4")}
    assert volumes(rung_of(supply, 202605, TERMS)) == {1: micro("10"), 2: micro("4")}


def test_zones_are_settled_apart() -> None:
    readings = monthly(202601, ("0", "0"), ("10", "4"), ("20", "8"), ("30", "12"), None, ("35", "22"))
    supply = supply_of([meter(readings, zones=(1, 2))])
    assert volumes(rung_of(supply, 202606, TERMS)) == {1: 0, 2: micro("6")}
    assert volumes(rung_of(supply, 202605, TERMS, known=202606)) == {1: micro("5"), 2: micro("4")}


def test_a_lower_reading_brings_the_averaged_months_down_by_their_part() -> None:
    supply = supply_of([steady(readings=(told(202610, "120"),))])
    assert changed_periods(supply, 202610, TERMS) == (202608, 202609)
    lowered = [rung_of(supply, period, TERMS, known=202610) for period in (202608, 202609, 202610)]
    assert [sum(volumes(rung).values()) for rung in lowered] == [MICRO, MICRO, 0]
    assert [rung.source for rung in lowered] == [METER, METER, METER]


def test_a_lower_reading_turns_a_norm_month_into_volumes() -> None:
    supply = supply_of([steady(readings=(told(202612, "126.5"),))])
    assert norm_periods(supply, 202612, TERMS) == (202611,)
    assert changed_periods(supply, 202612, TERMS, NORMS) == (202608, 202609, 202610, 202611)
    rung = rung_of(supply, 202611, TERMS, NORMS, known=202612)
    assert (rung.source, volumes(rung)) == (METER, {0: micro("4")})
    assert volumes(rung_of(supply, 202608, TERMS, NORMS, known=202612)) == {0: micro("1.5")}


def test_a_higher_reading_changes_no_earlier_month() -> None:
    supply = supply_of([steady(readings=(told(202610, "140"),))])
    assert changed_periods(supply, 202610, TERMS) == ()
    assert rung_of(supply, 202610, TERMS).settled == (202608, 202609)


def test_reading_after_the_period_does_not_change_it() -> None:
    early, late = supply_of([steady()]), supply_of([steady(readings=(told(202610, "119"),))])
    assert rung_of(early, 202608, TERMS) == rung_of(late, 202608, TERMS)


def test_reasons_are_russian_and_name_the_clause() -> None:
    told_of = [rung_of(supply_of([steady(("broken", "2026-08-01"))]), period, TERMS).reason for period in (202607, 202608)]
    assert told_of == [
        "по показаниям прибора учёта",
        "прибор учёта неисправен, утрачен или не поверен (п. 59 «а» Правил), период 1",
    ]
    short = rung_of(supply_of([meter(monthly(202605, "0", "2"))]), 202608, TERMS)
    assert short.reason.endswith("среднего нет")


def test_a_meter_commissioned_with_an_expired_verification_is_never_in_order() -> None:
    assert segments_of(meter(verified_until=date(2019, 1, 1))) == ()


def test_a_dial_that_goes_back_is_named() -> None:
    with pytest.raises(MeterOutOfOrder, match=r"m1 идут назад: 20\.02\.2026"):
        supply_of([meter(monthly(202601, "10", "9"))])
