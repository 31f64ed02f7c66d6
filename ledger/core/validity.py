"""When a table stops being true: days turn in the house's time zone (design §3)."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from ledger.core.account_facts import AccountFacts, BuildError
from schemas.allocation import Alias

VALID_DAYS_MAX = 400
ONE_DAY = timedelta(days=1)

_zone = lru_cache(maxsize=64)(ZoneInfo)


def zone_of(facts: AccountFacts) -> ZoneInfo:
    """Return the house's time zone; an unknown name raises BuildError."""
    try:
        return _zone(facts.time_zone)
    except (LookupError, ValueError) as error:
        raise BuildError(facts.account, f"unknown time zone {facts.time_zone!r}") from error


def aliases_on(facts: AccountFacts, today: date) -> tuple[Alias, ...]:
    """Return the names valid today, sorted, each once: the order is part of the canonical table."""
    names = {
        (alias.namespace, alias.number)
        for alias in facts.aliases
        if alias.valid_from <= today and (alias.valid_to is None or today <= alias.valid_to)
    }
    return tuple([Alias(namespace, number) for namespace, number in sorted(names)])


def alias_changes(facts: AccountFacts) -> Iterable[date]:
    """Days on which a name of the account begins or is no longer valid."""
    for alias in facts.aliases:
        yield alias.valid_from
        if alias.valid_to is not None:
            yield alias.valid_to + ONE_DAY


def expiry_of(zone: ZoneInfo, today: date, changes: Iterable[date]) -> int:
    """Return the earliest start of a day of ``changes`` after ``today``, in whole seconds of UTC since 1970.

    At most VALID_DAYS_MAX days ahead, on the first of a month, so that rebuilding on another day gives the same table.
    """
    cap = (today + timedelta(days=VALID_DAYS_MAX)).replace(day=1)
    day = min((change for change in changes if today < change < cap), default=cap)
    return int(datetime.combine(day, time.min, zone).astimezone(UTC).timestamp())
