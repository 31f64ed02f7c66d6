"""How often a credential may ask: a bucket that fills evenly, one a credential and process; the headers tell what is left.

Limits are a courtesy between neighbours, not a guard of money: a restart gives everybody a full bucket.
"""

from collections import OrderedDict

import msgspec

REQUEST, MINUTE_MS = 1_000, 60_000
CREDENTIALS_MAX = 10_000
"""Buckets kept; the one that rested longest is full again anyway when it is dropped."""


class RateLimit(msgspec.Struct, frozen=True, kw_only=True):
    """``burst`` requests at once, refilled at ``per_minute``."""

    burst: int = 120
    per_minute: int = 600


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """What a request got. ``wait_s`` is nought where it may go on."""

    limit: int
    remaining: int
    reset_s: int
    wait_s: int

    def headers(self, terms: RateLimit) -> dict[str, str]:
        """Return the headers of draft-ietf-httpapi-ratelimit-headers, and Retry-After on a refusal."""
        found = {
            "RateLimit-Policy": f'"credential";q={terms.burst};w={max(1, terms.burst * 60 // terms.per_minute)}',
            "RateLimit": f'"credential";r={self.remaining};t={self.reset_s}',
        }
        return found | ({"Retry-After": str(self.wait_s)} if self.wait_s else {})


class Buckets:
    """Token buckets by credential, in thousandths of a request; the clock never goes back and counts milliseconds."""

    def __init__(self, terms: RateLimit) -> None:
        self._terms = terms
        self._held: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def take(self, credential: str, now_ms: int) -> Allowance:
        """Take one request from the credential's bucket, or say how long to wait."""
        full, per_minute = self._terms.burst * REQUEST, self._terms.per_minute
        held, at_ms = self._held.pop(credential, (full, now_ms))
        held = min(full, held + max(0, now_ms - at_ms) * per_minute * REQUEST // MINUTE_MS)
        allowed = held >= REQUEST
        held -= REQUEST if allowed else 0
        self._held[credential] = held, now_ms
        while len(self._held) > CREDENTIALS_MAX:
            self._held.popitem(last=False)
        return Allowance(
            limit=self._terms.burst,
            remaining=held // REQUEST,
            reset_s=_seconds(full - held, per_minute),
            wait_s=0 if allowed else _seconds(REQUEST - held, per_minute),
        )


def _seconds(thousandths: int, per_minute: int) -> int:
    """Return how long that much takes to come, in whole seconds, at least one."""
    return max(1, -(-thousandths * 60 // (per_minute * REQUEST)))
