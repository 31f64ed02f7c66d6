"""Properties of the ladder on random lives of meters."""

import random
from datetime import date

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from services.billing.core.consumption import LadderTerms
from services.billing.core.ladder import norm_periods, rung_of
from services.billing.core.meters import MeterLife, MeterReading, supply_of
from services.billing.core.month import VolumeSource
from services.billing.core.periods import days_of, month_number, period_of
from services.billing.core.quantities import MICRO, Volume
from tests.billing.metered_supply import meter, monthly, volumes

START = 202501
MONTHS_MAX = 26
MEASURED = (VolumeSource.METER, VolumeSource.AVERAGE)

steps = st.lists(st.one_of(st.none(), st.integers(0, 40 * MICRO)), min_size=1, max_size=MONTHS_MAX)
terms_of = st.builds(
    LadderTerms, averaged_max=st.integers(0, 6), average_months=st.integers(3, 8), average_months_min=st.integers(1, 3)
)


def life_of(moves: list[int | None], events: tuple[tuple[str, str], ...] = ()) -> tuple[MeterLife, int, int]:
    """Return a meter read first in START, its last told reading and the number of its month."""
    total, month, texts = 0, month_number(START), ["0"]
    last = month
    for number, move in enumerate(moves, start=1):
        total += move or 0
        texts.append(None if move is None else f"{total // MICRO}.{total % MICRO:06d}")  # type: ignore[arg-type]
        last = last if move is None else month + number
    return meter(monthly(START, *texts), events), total, last


def _twentieth(month: int) -> date:
    return days_of(month)[0].replace(day=20)


def charged(life: MeterLife, terms: LadderTerms, norm: int, last: int) -> list[int]:
    """Return the volumes of the months after START up to ``last``, as they stand when the last reading is known."""
    supply = supply_of([life])
    norms = dict.fromkeys(range(START, 203001), norm)
    found = []
    for month in range(month_number(START) + 1, last + 1):
        rung = rung_of(supply, period_of(month), terms, norms, known=period_of(last))
        found.append(sum(volumes(rung).values()) if rung.source in MEASURED else norm)
    return found


@given(moves=steps, terms=terms_of, norm=st.integers(0, 30 * MICRO))
def test_volumes_of_months_sum_to_the_difference_of_readings(moves: list[int | None], terms: LadderTerms, norm: int) -> None:
    life, total, last = life_of(moves)
    assert sum(charged(life, terms, norm, last)) == total


@given(moves=steps, terms=terms_of, norm=st.integers(0, 30 * MICRO))
def test_what_was_charged_and_its_corrections_sum_alike(moves: list[int | None], terms: LadderTerms, norm: int) -> None:
    """Month by month as a system lives it: every reading charges its month and corrects those before it."""
    life, total, last = life_of(moves)
    supply, norms = supply_of([life]), dict.fromkeys(range(START, 203001), norm)
    stands: dict[int, int] = {}
    for known in range(month_number(START) + 1, last + 1):
        for month in range(month_number(START) + 1, known + 1):
            rung = rung_of(supply, period_of(month), terms, norms, known=period_of(known))
            stands[month] = sum(volumes(rung).values()) if rung.source in MEASURED else norm
    assert sum(stands.values()) == total
    assert all(volume >= 0 for volume in stands.values())


@given(
    moves=st.lists(st.integers(0, 40 * MICRO) | st.none(), max_size=MONTHS_MAX),
    following=st.lists(st.integers(0, 40 * MICRO), min_size=4, max_size=9),
    late=st.integers(0, 3),
    terms=terms_of,
    norm=st.integers(0, 30 * MICRO),
)
def test_a_replaced_meter_whose_last_reading_comes_late_counts_once(
    moves: list[int | None], following: list[int], late: int, terms: LadderTerms, norm: int
) -> None:
    """Replaced on a 20th: the last reading counts so many months later, the next meter is read every month."""
    month = month_number(START) + len(moves) + 1
    life, total, _ = life_of(moves)
    final = MeterReading(period=period_of(month + late), taken_on=_twentieth(month), values=(Volume(total + 7 * MICRO),))
    after, counted, _ = life_of(list(following))
    rest = [
        structs.replace(one, period=period_of(month + number), taken_on=_twentieth(month + number))
        for number, one in enumerate(after.readings)
    ]
    gone = meter((*life.readings, final), (("removed", _twentieth(month).isoformat()),))
    supply = supply_of([gone, meter(rest, meter="m2", installed=_twentieth(month))])
    norms, known = dict.fromkeys(range(START, 203001), norm), period_of(month + len(following))
    sums = []
    for each in range(month_number(START) + 1, month + len(following) + 1):
        rung = rung_of(supply, period_of(each), terms, norms, known=known)
        sums.append(sum(volumes(rung).values()) if rung.source in MEASURED else norm)
    assert sum(sums) == total + 7 * MICRO + counted


@given(moves=steps, terms=terms_of, seed=st.integers(0, 10_000))
def test_the_order_of_readings_changes_nothing(moves: list[int | None], terms: LadderTerms, seed: int) -> None:
    life, _, last = life_of(moves, (("broken", "2025-09-05"), ("repaired", "2025-10-09"), ("access_refused", "2026-02-03")))
    readings, events = list(life.readings), list(life.events)
    random.Random(seed).shuffle(readings)
    random.Random(seed).shuffle(events)
    shuffled = meter(readings)
    shuffled = MeterLife(
        **{name: getattr(shuffled, name) for name in ("meter", "place", "zones", "digits", "installed", "verified_until")},
        events=tuple(events),
        readings=tuple(readings),
    )
    norms = dict.fromkeys(range(START, 203001), MICRO)
    for month in range(month_number(START), last + 2):
        period = period_of(month)
        assert rung_of(supply_of([life]), period, terms, norms) == rung_of(supply_of([shuffled]), period, terms, norms)


@given(moves=steps, terms=terms_of)
def test_the_average_never_stands_in_for_longer_than_the_law_allows(moves: list[int | None], terms: LadderTerms) -> None:
    life, _, last = life_of(moves)
    supply, row = supply_of([life]), 0
    norms = dict.fromkeys(range(START, 203001), MICRO)
    for month in range(month_number(START) + 1, last + 9):
        rung = rung_of(supply, period_of(month), terms, norms)
        row = row + 1 if rung.source is VolumeSource.AVERAGE else 0
        assert row <= terms.averaged_max
        assert set(norm_periods(supply, period_of(month), terms)) <= {period_of(q) for q in range(month_number(START), month)}


@given(first=steps, second=steps, terms=terms_of)
def test_two_places_without_a_norm_sum_as_each_alone(
    first: list[int | None], second: list[int | None], terms: LadderTerms
) -> None:
    lives = [life_of(first)[0], life_of(second)[0]]
    lives[1] = structs.replace(lives[1], meter="m2", place="кухня")
    norms = dict.fromkeys(range(START, 203001), MICRO)
    for month in range(month_number(START) + 1, month_number(START) + MONTHS_MAX):
        alone = [rung_of(supply_of([life]), period_of(month), terms, norms) for life in lives]
        together = rung_of(supply_of(lives), period_of(month), terms, norms)
        if all(rung.source in MEASURED for rung in alone) and not any(rung.settled for rung in alone):
            assert sum(volumes(together).values()) == sum(volume for rung in alone for volume in volumes(rung).values())
        else:
            assert (together.source in MEASURED) == all(rung.source in MEASURED for rung in alone)
