"""The only place that asks the machine for the time of day (design W10); everything else takes time as an argument."""

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Gives the present instant, aware and in UTC."""

    def __call__(self) -> datetime: ...


def utc_now() -> datetime:
    """The present instant in UTC with microseconds."""
    return datetime.now(UTC)
