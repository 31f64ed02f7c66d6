"""Limit on unknown account numbers that a source may ask about: a terminal must not be a way to list accounts."""

from collections import OrderedDict

SOURCES_MAX = 10_000
WINDOW_S = 60.0


class UnknownNumbers:
    """Counts unknown numbers per (channel, address) in windows of a minute; the oldest source is forgotten first."""

    def __init__(self) -> None:
        self._counts: OrderedDict[tuple[str, str], tuple[float, int]] = OrderedDict()

    def exceeded(self, channel: str, address: str, limit: int, now: float) -> bool:
        """Tell whether the source has used up its unknown numbers in this window."""
        started, count = self._counts.get((channel, address), (now, 0))
        return count >= limit and now - started < WINDOW_S

    def count(self, channel: str, address: str, now: float) -> None:
        """Note one unknown number asked about."""
        started, count = self._counts.pop((channel, address), (now, 0))
        if now - started >= WINDOW_S:
            started, count = now, 0
        self._counts[(channel, address)] = (started, count + 1)
        while len(self._counts) > SOURCES_MAX:
            self._counts.popitem(last=False)
