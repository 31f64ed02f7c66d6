"""Readings judged: every fault, in the order in which it is looked for; the database keeps the rest of the promise."""

from datetime import date

import pytest

from services.billing.core.meters import segments_of
from services.billing.core.plausibility import MESSAGES, Counted, Dial, Fault, Given, Limits, Verdict, counting_period, judge
from services.billing.core.quantities import Volume
from tests.billing.metered_supply import meter
from tests.billing.recalculated_house import micro

DAY = date(2026, 10, 20)
USUAL = (("2026-08-20", "100", 202608), ("2026-09-20", "103", 202609))


def dial(**given: object) -> Dial:
    """A dial of five digits that is in order."""
    fields: dict[str, object] = {
        "digits": 5,
        "installed": date(2020, 1, 15),
        "ended_on": None,
        "maximum": 0,
        "restarts": frozenset(),
        "segments": segments_of(meter()),
    }
    return Dial(**(fields | given))  # type: ignore[arg-type]


def counted(*rows: tuple[str, str, int]) -> list[Counted]:
    """Readings that count: day, value, period."""
    return [Counted(value=Volume(micro(value)), taken_on=date.fromisoformat(day), period=period) for day, value, period in rows]


def new(value: str, day: date = DAY, *, restarts: bool = False) -> Given:
    """A reading given for October."""
    return Given(value=Volume(micro(value)), taken_on=day, period=202610, restarts=restarts)


CASES = [
    ("nothing wrong", new("106"), dial(), USUAL, Verdict.ACCEPTED, None),
    ("taken after it was given", new("106", date(2026, 10, 26)), dial(), USUAL, Verdict.REFUSED, Fault.FUTURE),
    ("before commissioning", new("1", date(2020, 1, 14)), dial(), (), Verdict.REFUSED, Fault.BEFORE_INSTALLED),
    ("after the meter went", new("106"), dial(ended_on=date(2026, 10, 19)), USUAL, Verdict.REFUSED, Fault.AFTER_END),
    ("on the day it went", new("106"), dial(ended_on=DAY), USUAL, Verdict.ACCEPTED, None),
    ("more digits than the dial", new("100000"), dial(), USUAL, Verdict.REFUSED, Fault.TOO_LONG),
    ("anew without an act", new("0", restarts=True), dial(), USUAL, Verdict.REFUSED, Fault.RESTART_WITHOUT_ACT),
    ("anew by an act", new("0", restarts=True), dial(restarts=frozenset({DAY})), USUAL, Verdict.ACCEPTED, None),
    ("another of that day", new("107", date(2026, 9, 20)), dial(), USUAL, Verdict.PARKED, Fault.SAME_DAY),
    ("older than all we look at", new("90", date(2026, 7, 20)), dial(is_cut=True), USUAL, Verdict.PARKED, Fault.TOO_OLD),
    ("lower than before", new("102.999"), dial(), USUAL, Verdict.PARKED, Fault.LOWER),
    ("higher than later", new("104", date(2026, 9, 1)), dial(), USUAL, Verdict.PARKED, Fault.ABOVE_NEXT),
    ("between its neighbours", new("102", date(2026, 9, 1)), dial(), USUAL, Verdict.ACCEPTED, None),
    ("more than it can count", new("823.001"), dial(maximum=micro("1")), USUAL, Verdict.PARKED, Fault.IMPOSSIBLE),
    ("as much as it can count", new("823"), dial(maximum=micro("1")), USUAL, Verdict.ACCEPTED, Fault.JUMP),
    ("five times the usual and some", new("123.1"), dial(), USUAL, Verdict.ACCEPTED, Fault.JUMP),
    ("a meter out of order", new("106"), dial(segments=()), USUAL, Verdict.ACCEPTED, Fault.NOT_IN_ORDER),
]


@pytest.mark.parametrize(
    ("given", "on", "known", "verdict", "fault"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_judged(given: Given, on: Dial, known: tuple[tuple[str, str, int], ...], verdict: Verdict, fault: Fault | None) -> None:
    judgement = judge(given, on, counted(*known), date(2026, 10, 25), Limits())
    assert (judgement.verdict, judgement.fault, judgement.rolled) == (verdict, fault, False)
    assert judgement.message == ("" if fault is None else MESSAGES[fault])


@pytest.mark.parametrize(
    ("before", "value", "maximum", "rolled"),
    [
        ("99995", "3", "0", True),
        ("90000", "0", "0", True),
        ("89999", "0", "0", False),
        ("99995", "9996", "0", False),
        ("99995", "3", "0.01", False),
        ("99995", "3", "0.02", True),
    ],
)
def test_a_dial_passes_zero_from_near_its_end_and_not_by_more_than_it_can(
    before: str, value: str, maximum: str, rolled: bool
) -> None:
    known = counted(("2026-09-20", before, 202609))
    judgement = judge(new(value), dial(maximum=micro(maximum)), known, DAY, Limits())
    assert (judgement.rolled, judgement.fault) == ((True, None) if rolled else (False, Fault.LOWER))


def test_the_month_stands_between_those_of_the_neighbours() -> None:
    late = counted(("2026-08-20", "100", 202608), ("2026-10-20", "106", 202611))
    assert judge(new("103", date(2026, 9, 20)), dial(), late, DAY, Limits()).period == 202610
    early = counted(("2026-08-20", "100", 202608), ("2026-10-01", "106", 202609))
    assert judge(new("103", date(2026, 9, 20)), dial(), early, DAY, Limits()).period == 202609
    ahead = counted(("2026-10-01", "100", 202611))
    assert judge(new("103"), dial(), ahead, DAY, Limits()).period == 202611


@pytest.mark.parametrize(
    ("day", "last_day", "period"),
    [("2026-10-25", 25, 202610), ("2026-10-26", 25, 202611), ("2026-12-31", 25, 202701), ("2026-12-31", 31, 202612)],
)
def test_after_the_window_it_counts_for_the_next_month(day: str, last_day: int, period: int) -> None:
    assert counting_period(date.fromisoformat(day), last_day) == period
