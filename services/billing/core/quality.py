"""Breaks and bad quality (разд. IX–X ПП 354): from acts to what falls away of a month's charge.

``breaks_of_month`` reads acts by the table of ``quality_rows.py`` and makes the month's ``Break`` rows; ``quality_parts`` turns
them into money. Hours of one cause are summed over the month and only full ones count; a cause takes at most the whole charge,
and so do all together. Hours that two acts of one cause tell of count once.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta

import msgspec

from services.billing.core.absence import REDUCED
from services.billing.core.lines import Explanation, LineKind
from services.billing.core.month import Break, HouseMonth, Premises, ServiceKind, ServiceTerms
from services.billing.core.parts import Part
from services.billing.core.quality_rows import QUALITY_ROWS, Deviation, Effect, QualityRow, RoomKind
from services.billing.core.quantities import MICRO, Ratio, amount_of, divide_half_up, times

MINUTE = timedelta(minutes=1)
NIGHT_ENDS = timedelta(hours=5)
BASE = (*REDUCED, LineKind.ABSENCE, LineKind.COMMON)


class UncoveredAct(ValueError):
    """An act that no row of the table speaks of: its number and what it says."""


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """An act (акт) on one service, times in the house's own zone; values that differ with time are acts of several rows.

    ``measured``: °C or MPa, millionths; of a break of heating the room's temperature. ``outdoor``: mean of the day (waste).
    ``supplies``: independent electricity inputs that back each other.
    """

    number: str
    service: str
    deviation: Deviation
    started_at: datetime
    ended_at: datetime
    measured: int = 0
    outdoor: int = 0
    supplies: int = 1
    room: RoomKind = RoomKind.ORDINARY
    is_cold_region: bool = False


class _Piece(msgspec.Struct, frozen=True, kw_only=True):
    """An act's part within the month, and how long it lasted before: the limit at once is of the whole act."""

    act: Act
    row: QualityRow
    started_at: datetime
    ended_at: datetime
    minutes_before: int

    @property
    def minutes(self) -> int:
        return (self.ended_at - self.started_at) // MINUTE


def breaks_of_month(
    acts: Iterable[Act], kinds: Mapping[str, ServiceKind], period: int, rows: Sequence[QualityRow] = QUALITY_ROWS
) -> tuple[Break, ...]:
    """Return the month's Break rows, one a service and cause, in the order of services and rows; acts stand in any order.

    ``kinds`` are the services by code; acts of other services are not the house's. An act within the norm makes nothing. Raises
    UncoveredAct where the table has no row at all for what an act says.
    """
    in_force = [row for row in rows if row.since <= period <= row.until]
    groups: dict[tuple[str, str, Effect], list[_Piece]] = {}
    for act in sorted(acts, key=lambda act: (act.started_at, act.ended_at, act.number)):
        if act.service not in kinds:
            continue
        row = _row_of(act, kinds[act.service], in_force)
        piece = _cut(act, row, period) if row is not None else None
        if row is not None and piece is not None:
            _take(groups.setdefault((act.service, row.cause, row.effect), []), piece)
    order = {service: place for place, service in enumerate(kinds)}
    found = [_break_of(pieces, period) for _, pieces in sorted(groups.items(), key=lambda item: (order[item[0][0]], item[0][1:]))]
    return tuple(row for row in found if row.reduction or row.at_cold_price)


def _take(pieces: list[_Piece], piece: _Piece) -> None:
    """Add a piece, less the hours that an earlier one has already."""
    taken_until = max((earlier.ended_at for earlier in pieces), default=piece.started_at)
    if piece.ended_at <= taken_until:
        return
    late = max((taken_until - piece.started_at) // MINUTE, 0)
    start = max(piece.started_at, taken_until)
    pieces.append(msgspec.structs.replace(piece, started_at=start, minutes_before=piece.minutes_before + late))


def _row_of(act: Act, kind: ServiceKind, rows: Sequence[QualityRow]) -> QualityRow | None:
    """Return the row of an act, None where it is within the norm."""
    about = [row for row in rows if kind in row.kinds and row.deviation is act.deviation]
    if not about:
        raise UncoveredAct(f"{act.number}: {kind.name} {act.deviation.name}")
    return next((row for row in about if _applies(row, act)), None)


def _applies(row: QualityRow, act: Act) -> bool:
    return (
        (row.indoor is None or row.indoor.holds(act.measured))
        and (row.outdoor is None or row.outdoor.holds(act.outdoor))
        and (row.measured is None or row.measured.holds(act.measured))
        and (row.supplies is None or row.supplies == min(act.supplies, 2))
        and (row.room is None or row.room is act.room)
        and (row.is_cold_region is None or row.is_cold_region == act.is_cold_region)
        and (row.off is None or row.off.holds(_off(row, act.measured)))
    )


def _off(row: QualityRow, measured: int) -> int:
    """Return how far a pressure lies outside the normal range, a ratio of the bound it passed, rounded up."""
    assert row.normal is not None and row.normal.above is not None and row.normal.to is not None, "a normal range has bounds"
    low, high = row.normal.above, row.normal.to
    if measured < low:
        return -((measured - low) * MICRO // low)
    return max(-((high - measured) * MICRO // high), 0)


def _cut(act: Act, row: QualityRow, period: int) -> _Piece | None:
    year, month = divmod(period, 100)
    begins = act.started_at.replace(year=year, month=month, day=1, hour=0, minute=0, second=0, microsecond=0)
    started_at, ended_at = max(act.started_at, begins), min(act.ended_at, _next_month(begins))
    if ended_at <= started_at:
        return None
    before = (started_at - act.started_at) // MINUTE
    return _Piece(act=act, row=row, started_at=started_at, ended_at=ended_at, minutes_before=before)


def _next_month(first: datetime) -> datetime:
    year, month = divmod(first.year * 12 + first.month, 12)
    return first.replace(year=year, month=month + 1)


def _break_of(pieces: Sequence[_Piece], period: int) -> Break:
    """Return one cause's Break row, each leaf for one effect."""
    days = _days_in(period)
    effect, reduction, cold = pieces[0].row.effect, 0, 0
    match effect:
        case Effect.HOURLY:
            reduction = _hourly(pieces)
        case Effect.DAY_ZERO:
            reduction = divide_half_up(len({day for piece in pieces for day in _dates(piece)}) * MICRO, days)
        case Effect.COLD_PRICE:
            cold = divide_half_up(sum(piece.minutes for piece in pieces) // 60 * MICRO, 24 * days)
    numbers = dict.fromkeys(piece.act.number for piece in pieces)
    return Break(
        service=pieces[0].act.service,
        cause=pieces[0].row.cause,
        act=", ".join(numbers),
        reduction=Ratio(min(reduction, MICRO)),
        at_cold_price=Ratio(min(cold, MICRO)),
    )


def _days_in(period: int) -> int:
    first = datetime(period // 100, period % 100, 1)
    return (_next_month(first) - first).days


def _hourly(pieces: Sequence[_Piece]) -> int:
    """Return full hours beyond what is allowed times their rate: of a break by its limits, of quality by its steps."""
    row = pieces[0].row
    is_quality = bool(row.step)
    minutes = sum(_stepped_minutes(piece) for piece in pieces) if is_quality else _excess_minutes(pieces)
    return minutes // (60 * row.per_hours) * row.rate


def _excess_minutes(pieces: Sequence[_Piece]) -> int:
    """Return the minutes beyond the month's limit or beyond the limits at once, whichever is more.

    Acts under other limits (a dead-end main, maintenance) do not use up the month's.
    """
    apart = sum(_beyond_once(piece) for piece in pieces if piece.row.limits.month_hours is None)
    monthly = [piece for piece in pieces if piece.row.limits.month_hours is not None]
    if not monthly:
        return apart
    allowed = max(piece.row.limits.month_hours or 0 for piece in monthly) * 60
    once = sum(_beyond_once(piece) for piece in monthly if piece.row.limits.once_hours is not None)
    return apart + max(once, sum(piece.minutes for piece in monthly) - allowed, 0)


def _beyond_once(piece: _Piece) -> int:
    """Return the piece's minutes beyond what is allowed at once; what the act lasted before the month used that up first."""
    allowed = (piece.row.limits.once_hours or 0) * 60
    return min(max(piece.minutes_before + piece.minutes - allowed, 0), piece.minutes)


def _stepped_minutes(piece: _Piece) -> int:
    night = _night_minutes(piece)
    row, measured = piece.row, piece.act.measured
    by_day = max(row.norm - row.tolerance - measured, 0) // row.step
    by_night = max(row.norm - row.night_tolerance - measured, 0) // row.step
    return (piece.minutes - night) * by_day + night * by_night


def _dates(piece: _Piece) -> Iterator[date]:
    """Yield the calendar days that a piece touches."""
    day = piece.started_at.date()
    last = (piece.ended_at - timedelta(microseconds=1)).date()
    while day <= last:
        yield day
        day += timedelta(days=1)


def _night_minutes(piece: _Piece) -> int:
    """Return the minutes between midnight and five o'clock."""
    total = timedelta(0)
    midnight = piece.started_at.replace(hour=0, minute=0, second=0, microsecond=0)
    while midnight < piece.ended_at:
        total += max(min(piece.ended_at, midnight + NIGHT_ENDS) - max(piece.started_at, midnight), timedelta(0))
        midnight += timedelta(days=1)
    return total // MINUTE


def quality_parts(house: HouseMonth, terms: ServiceTerms, premises: Premises, charged: Sequence[Part]) -> tuple[Part, ...]:
    """Return one QUALITY part a cause, negative, of the month's charge that absence left; together no more than that charge.

    ``charged`` are the service's parts of the premises, absence among them. Hours under 40 °C give back what hot water cost more
    than cold in that part of the month.
    """
    rows = [row for row in charged if row.kind in BASE]
    amount = sum(row.amount_kopecks for row in rows)
    volume = sum(row.volume for row in rows if row.kind in (LineKind.CHARGE, LineKind.ABSENCE))
    left, found = amount, []
    for row in premises.breaks:
        if row.service != terms.service or left <= 0:
            continue
        cold = max(
            times(amount * MICRO, row.at_cold_price) - amount_of(times(volume, row.at_cold_price), terms.cold_price) * MICRO, 0
        )
        reduced = min(divide_half_up(amount * row.reduction + cold, MICRO), left)
        if reduced <= 0:
            continue
        left -= reduced
        inputs = [("P", amount), ("reduction", int(row.reduction))]
        inputs += [("at_cold_price", int(row.at_cold_price)), ("T_cold", int(terms.cold_price))] if row.at_cold_price else []
        explanation = Explanation(formula="качество", inputs=tuple(inputs), note=f"{row.cause}, акт {row.act}")
        found.append(Part(kind=LineKind.QUALITY, volume=0, price=0, amount_kopecks=-reduced, explanation=explanation))
    return tuple(found)
