"""One HTTP exchange with a counterparty, as connectors see it: they build requests and read answers, others do the I/O."""

from collections.abc import Awaitable, Callable

import msgspec


class HttpRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request to be made. ``url`` is absolute; header names are lower case."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    timeout_ms: int = 5_000

    def __repr__(self) -> str:
        """Name the request without its headers, query and body: tokens and personal data stand there."""
        return f"HttpRequest({self.method} {self.url.partition('?')[0]})"


class HttpAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back. Header names are lower case."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def header(self, name: str) -> str:
        """Return a header's value by its lower-case name, empty when there is none."""
        return next((value for given, value in self.headers if given == name), "")


class ExchangeFailed(Exception):
    """No answer came. ``sent`` is False only when the counterparty has surely seen nothing (refused, no route, no TLS)."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent = sent


Exchange = Callable[[HttpRequest], Awaitable[HttpAnswer]]
"""Makes a request and returns the answer, whatever its status; raises ExchangeFailed."""
