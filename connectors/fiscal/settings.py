"""What connections to operators of tills have in common in their configuration."""

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from connectors.fiscal.receipt_limits import INN

CALLBACK_URL_CHARACTERS_MAX = 256
LOGIN_CHARACTERS_MAX = 100
DOUBLINGS_MAX = 10

Milliseconds = Annotated[int, msgspec.Meta(ge=1, le=3_600_000)]
Login = Annotated[str, msgspec.Meta(min_length=1, max_length=LOGIN_CHARACTERS_MAX)]


class Polling(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How soon after it was accepted a receipt is asked about; doubled at every further attempt, up to ``at_most_ms``."""

    first_ms: Milliseconds = 2_000
    at_most_ms: Milliseconds = 60_000

    def after_ms(self, attempt: int) -> int:
        """Return the wait after an order's ``attempt``, counted from 1."""
        return min(self.first_ms << min(max(attempt - 1, 0), DOUBLINGS_MAX), self.at_most_ms)


def check_url(url: str, field: str) -> None:
    """Refuse an address that nothing can be appended to: ValueError naming the key."""
    if not url.startswith(("http://", "https://")) or url.endswith("/") or not url.isprintable() or "?" in url:
        raise ValueError(f"{field}: expected http(s)://… without a query and without a slash at its end")


def check_callback_url(url: str) -> None:
    """Refuse a callback address that an operator would: ValueError."""
    if url and (not url.startswith(("http://", "https://")) or len(url) > CALLBACK_URL_CHARACTERS_MAX):
        raise ValueError(f"callback_url: expected http(s)://… of at most {CALLBACK_URL_CHARACTERS_MAX} characters")


def check_inn(inn: str) -> None:
    """Refuse what is not an ИНН: ValueError."""
    if INN.fullmatch(inn) is None:
        raise ValueError("inn: expected 10 or 12 digits")


def zone_of(name: str) -> ZoneInfo:
    """Return a zone by its IANA name: ValueError for an unknown one."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"zone: no time zone is called {name!r}") from error
