"""Which (house, earlier period) an open month has to look at again, and why: readings, facts loaded late, documents overdue.

Found by when facts were loaded, not by comparing months: whatever was loaded before the period's newest run was begun stands in
it. What is looked at without need comes to nothing, for sums are compared afterwards (``comparing.py``). A margin covers loads
that were under way then.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta

import msgspec

from ledger.statements import load_statements
from services.billing.core.absence import RULES
from services.billing.core.law import Law
from services.billing.core.periods import month_number, period_of
from services.billing.corrections.deciding import Month
from services.billing.reading import HISTORY_MONTHS, Asked, list_changed_periods
from services.billing.runs.sources import Connection

SQL = load_statements("services/billing/corrections/candidates.sql")

LOAD_MARGIN = timedelta(hours=1)
"""No load is longer under way: what it wrote is looked at again where a run or a take was begun in that time after it."""
READINGS = "показания приборов учёта"
ASKED_FOR = "по решению исполнителя"
CAUSE_CHARACTERS_MAX = 400

Published = Mapping[tuple[str, int], datetime]
"""House and period -> when its newest whole run was begun."""


class Candidate(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A house and an earlier period to be calculated again; ``cause``: what the payer is told, in Russian."""

    of_period: int
    house: str
    cause: str


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """By what candidates are sought. ``houses`` and ``periods``: looked at whatever was loaded, empty for what changed alone."""

    law: Law
    today: date
    margin: timedelta = LOAD_MARGIN
    houses: tuple[str, ...] = ()
    periods: tuple[int, ...] = ()


async def list_candidates(connection: Connection, month: Month, search: Search) -> tuple[Candidate, ...]:
    """Return what the open month looks at again, by period and house; no further back than three years (limitation)."""
    first = period_of(month_number(month.period) - HISTORY_MONTHS + 1)
    rows = await connection.fetch(SQL["list_published"], month.provider, first, period_of(month_number(month.period) - 1))
    published = {(row["house"], row["period"]): row["made_at"] for row in rows}
    if search.houses or search.periods:
        forced = [key for key in published if _is_asked(key, search)]
        return _candidates((key, ASKED_FOR) for key in forced)
    found = await _by_facts(connection, month, published, search)
    found += [(key, READINGS) for key in await _by_readings(connection, month, published, search) if key in published]
    return _candidates(found)


def _is_asked(key: tuple[str, int], search: Search) -> bool:
    house, period = key
    return (not search.houses or house in search.houses) and (not search.periods or period in search.periods)


def _candidates(found: Iterable[tuple[tuple[str, int], str]]) -> tuple[Candidate, ...]:
    causes: defaultdict[tuple[str, int], dict[str, None]] = defaultdict(dict)
    for key, what in found:
        causes[key][what] = None
    return tuple(
        sorted(Candidate(house=house, of_period=period, cause=_cause(whats)) for (house, period), whats in causes.items())
    )


def _cause(whats: Iterable[str]) -> str:
    return f"перерасчёт: {', '.join(sorted(whats))}"[:CAUSE_CHARACTERS_MAX]


async def _by_facts(
    connection: Connection, month: Month, published: Published, search: Search
) -> list[tuple[tuple[str, int], str]]:
    """Return what facts loaded since ask for, and what the last take left undone."""
    if not published:
        return []
    take = await connection.fetchrow(SQL["find_last_take"], month.provider)
    begun = None if take is None else take["begun_at"]
    since = [made if begun is None else max(made, begun) for made in published.values()]
    keys = [house for house, _ in published], [period for _, period in published]
    sinces = [one - search.margin for one in since]
    rows = await connection.fetch(SQL["list_changed"], *keys, sinces, RULES.documents_days, search.today, search.margin)
    found = [((row["house"], row["period"]), what) for row in rows for what in row["causes"]]
    if take is not None:
        left = await connection.fetch(SQL["list_left"], take["take"])
        found += [((row["house"], row["of_period"]), _bare(row["cause"])) for row in left if _is_known(row, published)]
    return found


def _is_known(row: Mapping[str, object], published: Published) -> bool:
    return (row["house"], row["of_period"]) in published


def _bare(cause: str) -> str:
    return cause.partition(": ")[2] or cause


async def _by_readings(connection: Connection, month: Month, published: Published, search: Search) -> Sequence[tuple[str, int]]:
    """Return what true readings bring down (п. 61): of every period since the one that was last taken, it included."""
    houses = sorted({house for house, _ in published})
    if not houses:
        return ()
    take = await connection.fetchrow(SQL["find_last_take"], month.provider)
    since = min(period for _, period in published) if take is None else take["in_period"]
    found: set[tuple[str, int]] = set()
    for number in range(month_number(min(since, month.period)), month_number(month.period) + 1):
        asked = Asked(period=period_of(number), today=search.today)
        found |= set(await list_changed_periods(connection, houses, search.law, asked))
    return sorted(found)
