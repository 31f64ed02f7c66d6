"""A session with an operator that gives tokens: one token is kept, and only one is asked for at a time (protocols.md §8, §9)."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any

import msgspec

from schemas.delivery import Closed, NotTaken, Unknown
from schemas.exchange import Exchange, ExchangeFailed, HttpAnswer, HttpRequest

RETRY_AFTER_MS_MAX = 600_000
_TOO_MANY, _UNAVAILABLE = 429, 503

Lock = AbstractAsyncContextManager[Any]
"""What lets one task through at a time, such as asyncio.Lock; it comes from outside, for connectors do not know how to wait."""


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token and the moment after which it is not used any more, UTC."""

    value: str
    good_until: datetime

    def __repr__(self) -> str:
        """Show only when it ends."""
        return f"Token(…, good_until={self.good_until:%Y-%m-%dT%H:%M:%SZ})"


Turned = Closed | NotTaken
"""Why there is no token: nothing of the order has been sent."""


class TokenSession:
    """Makes requests with a token in them.

    ``ask_token`` asks the operator for one; ``refuses`` tells whether an answer refuses the token that the request carried.
    """

    def __init__(
        self,
        exchange: Exchange,
        ask_token: Callable[[], Awaitable[Token | Turned]],
        refuses: Callable[[HttpAnswer], bool],
        *,
        now: Callable[[], datetime],
        lock: Lock,
    ) -> None:
        self._exchange = exchange
        self._ask_token = ask_token
        self._refuses = refuses
        self._now = now
        self._lock = lock
        self._token: Token | Turned | None = None
        self._turns = 0

    async def request(self, with_token: Callable[[str], HttpRequest]) -> HttpAnswer | Closed | NotTaken | Unknown:
        """Make a request; with a token refused, once more with a new one."""
        token = await self._good_token(refused="")
        if not isinstance(token, Token):
            return token
        answer = await exchanged(self._exchange, with_token(token.value))
        if not isinstance(answer, HttpAnswer) or not self._refuses(answer):
            return answer
        token = await self._good_token(refused=token.value)
        if not isinstance(token, Token):
            return token
        return await exchanged(self._exchange, with_token(token.value))

    async def _good_token(self, *, refused: str) -> Token | Turned:
        if (kept := self._kept(refused)) is not None:
            return kept
        turns = self._turns
        async with self._lock:
            # Whoever waited takes what the one before was given, a failure too: a queue of logins would block the account.
            if self._turns != turns and self._token is not None:
                return self._token
            self._token = await self._ask_token()
            self._turns += 1
            return self._token

    def _kept(self, refused: str) -> Token | None:
        token = self._token
        usable = isinstance(token, Token) and token.value != refused and self._now() < token.good_until
        return token if isinstance(token, Token) and usable else None


async def exchanged(exchange: Exchange, request: HttpRequest) -> HttpAnswer | NotTaken | Unknown:
    """Make a request; what keeps it from an answer is NotTaken when the operator has surely done nothing, else Unknown."""
    try:
        answer = await exchange(request)
    except ExchangeFailed as failed:
        return Unknown(reason=failed.reason) if failed.sent else NotTaken(reason=failed.reason)
    wait = answer.header("retry-after")
    if answer.status == _TOO_MANY or (answer.status == _UNAVAILABLE and wait):
        return NotTaken(reason=f"HTTP {answer.status}: busy", after_ms=_wait_ms(wait))
    return answer


def _wait_ms(seconds: str) -> int:
    """Read Retry-After in whole seconds; 0, delivery's own delay, for a date or anything else."""
    return min(int(seconds) * 1000, RETRY_AFTER_MS_MAX) if seconds.isascii() and seconds.isdigit() and len(seconds) <= 6 else 0
