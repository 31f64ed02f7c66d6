"""How meters and readings look at a terminal."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from services.billing.core.ladder import Rung
from services.billing.readings.showing import AccountPlace, MissingReading, ShownReading
from services.billing.stock.missing import square

SHOWN_MAX = 500
"""Meters without readings that are printed; the rest is counted."""


def print_missing(console: Console, period: int, found: Sequence[MissingReading]) -> None:
    """Print meters that have no reading for the period."""
    table = Table("house", "premises", "service", "meter", "number", "last", "on", "months ago", title="No reading")
    for one in found[:SHOWN_MAX]:
        last = "—" if one.last_value is None else square(one.last_value)
        place = one.premises or (f"flat {one.flat}" if one.flat else "the house")
        days = "—" if one.last_on is None else one.last_on.isoformat()
        table.add_row(
            one.house, place, one.service, one.meter, one.number, last, days, "—" if one.missed is None else str(one.missed)
        )
    if found:
        console.print(table)
    if len(found) > SHOWN_MAX:
        console.print(f"… and {len(found) - SHOWN_MAX} more")
    console.print(f"{len(found)} meters have no reading for {_month(period)}.")


def print_account(
    console: Console, period: int, place: AccountPlace, rungs: Mapping[str, Rung], kept: Sequence[ShownReading]
) -> None:
    """Print where the month's volumes come from, and the readings, the newest first."""
    console.print(f"House {place.code}, premises {place.number}{f', flat {place.flat}' if place.flat else ''}, {_month(period)}")
    volumes = Table("service", "volume", "source", "why", title="Volumes")
    for service, rung in rungs.items():
        told = ", ".join(square(volume) if not zone else f"{zone}: {square(volume)}" for zone, volume in rung.zones)
        volumes.add_row(service, told or "—", rung.source.name.lower(), rung.reason)
    console.print(volumes)
    table = Table(
        "no.", "meter", "service", "zone", "value", "taken", "counts for", "verdict", "from", "by", "said", title="Readings"
    )
    for one in kept:
        verdict = f"{one.verdict}{', rolled' if one.rolled else ''}{', replaced' if one.is_replaced else ''}"
        said = "; ".join(text for text in (one.message, one.why) if text)
        facts = (str(one.reading), one.meter, one.service, str(one.zone), square(one.value), one.taken_on.isoformat())
        table.add_row(*facts, _month(one.period), verdict, one.source, one.received_by, said)
    console.print(table)


def _month(period: int) -> str:
    return f"{period // 100}-{period % 100:02d}"
