"""Heating, once a year: the even way corrected to the year by meters (3(2), 3(4), 3(5)), and heat cost allocators (6)."""

from collections.abc import Sequence

import msgspec

from services.billing.core.lines import Explanation, LineKind
from services.billing.core.parts import Part
from services.billing.core.quantities import MICRO, MICRO_PER_KOPECK, divide_half_up


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of the year at one price: what the house's meter says, or for common property what may be charged."""

    volume: int
    price: int


class YearPremises(msgspec.Struct, frozen=True, kw_only=True):
    """One premises of the year. ``own`` is its meter's volume in each span, None where it has no meter (Gcal in millionths).

    ``charged_kopecks``: for this year, its monthly charges with corrections of them made since.
    """

    premises: str
    area: int
    charged_kopecks: int
    own: tuple[int, ...] | None = None
    is_without_heating: bool = False


class HeatingYear(msgspec.Struct, frozen=True, kw_only=True):
    """A house's year: ``year`` as a number; spans in order, areas in millionths of a square metre."""

    year: int
    spans: tuple[Span, ...]
    area_all: int
    area_common: int
    premises: tuple[YearPremises, ...]


class AllocatorShare(msgspec.Struct, frozen=True, kw_only=True):
    """One premises equipped with allocators: the sum of their units (m_qi, millionths) and what was charged for the time."""

    premises: str
    units: int
    charged_kopecks: int


class Allocators(msgspec.Struct, frozen=True, kw_only=True):
    """A house with allocators in more than half of its area: ``amount_kopecks`` is P_all of the equipped premises."""

    of_period: int
    amount_kopecks: int
    shares: tuple[AllocatorShare, ...]


def yearly_heating_correction(year: HeatingYear) -> tuple[tuple[str, Part], ...]:
    """Return (premises, CORRECTION) of the even way: the year by meters less what was charged; nothing where they agree.

    The year by meters is the monthly form over each span of one price, so that a price that changed in the year is honoured.
    Sums are rounded once a premises. The correction belongs to the year's last month.
    """
    assert all(row.own is None or len(row.own) == len(year.spans) for row in year.premises), "a meter's volume for every span"
    owns = _own_volumes(year)
    spread = [span.volume - sum(own[place] for own in owns) for place, span in enumerate(year.spans)]
    heated = [row for row in year.premises if not row.is_without_heating]
    metered = sum(row.own is not None for row in heated)
    formula = "3(2)" if not metered else "3(5)" if metered == len(heated) else "3(4)"
    found = []
    for row, own in zip(year.premises, owns, strict=True):
        volumes = [mine + divide_half_up(row.area * rest, year.area_all) for mine, rest in zip(own, spread, strict=True)]
        due = cost_of(volumes, year.spans)
        inputs = span_inputs(volumes, year.spans)
        found.append((row.premises, correction(formula, due, row.charged_kopecks, inputs, year.year * 100 + 12)))
    return tuple((premises, part) for premises, part in found if part.amount_kopecks)


def _own_volumes(year: HeatingYear) -> list[tuple[int, ...]]:
    """Return V_i of every premises and span, as a month's form has it."""
    without = sum(row.area for row in year.premises if row.is_without_heating)
    heated_area = year.area_all - without + year.area_common
    return [
        (0,) * len(year.spans)
        if row.is_without_heating
        else row.own
        if row.own is not None
        else tuple(divide_half_up(row.area * span.volume, heated_area) for span in year.spans)
        for row in year.premises
    ]


def cost_of(volumes: Sequence[int], spans: Sequence[Span]) -> int:
    """Return kopecks of a premises' volumes at their spans' prices, rounded once."""
    return divide_half_up(sum(volume * span.price for volume, span in zip(volumes, spans, strict=True)), MICRO * MICRO_PER_KOPECK)


def span_inputs(volumes: Sequence[int], spans: Sequence[Span]) -> tuple[tuple[str, int], ...]:
    """Return the explanation's V and T of every span."""
    pairs = enumerate(zip(volumes, spans, strict=True), start=1)
    return tuple(pair for number, (volume, span) in pairs for pair in ((f"V_{number}", volume), (f"T_{number}", span.price)))


def allocator_correction(allocators: Allocators) -> tuple[tuple[str, Part], ...]:
    """Return (premises, CORRECTION) by formula 6: P_all by the units of the premises less what was charged.

    P_all is a given sum, so it is shared by largest remainder: corrections and charges add up to it to the kopeck.
    """
    total = sum(share.units for share in allocators.shares)
    assert total > 0, "allocators that counted something"
    due = share_kopecks(allocators.amount_kopecks, [share.units for share in allocators.shares])
    assert sum(due) == allocators.amount_kopecks, "P_all is shared to the kopeck"
    found = []
    for share, amount in zip(allocators.shares, due, strict=True):
        inputs = (("P_all", allocators.amount_kopecks), ("m_i", share.units), ("Σm", total))
        found.append((share.premises, correction("6", amount, share.charged_kopecks, inputs, allocators.of_period)))
    return tuple((premises, part) for premises, part in found if part.amount_kopecks)


def correction(formula: str, due: int, charged: int, inputs: tuple[tuple[str, int], ...], of_period: int) -> Part:
    """Return the CORRECTION of a sum ``due`` against what was charged, kopecks; both stand in its inputs."""
    return Part(
        kind=LineKind.CORRECTION,
        volume=0,
        price=0,
        amount_kopecks=due - charged,
        explanation=Explanation(formula=formula, inputs=(*inputs, ("P_due", due), ("P_charged", charged))),
        of_period=of_period,
    )


def share_kopecks(amount_kopecks: int, weights: Sequence[int]) -> list[int]:
    """Return whole kopecks by weights, largest remainder, earlier first among equals; they add up to ``amount_kopecks``."""
    total = sum(weights)
    floors = [amount_kopecks * weight // total for weight in weights]
    ranks = sorted(range(len(weights)), key=lambda place: (-(amount_kopecks * weights[place] % total), place))
    for place in ranks[: amount_kopecks - sum(floors)]:
        floors[place] += 1
    return floors
