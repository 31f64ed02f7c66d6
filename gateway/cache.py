"""Redis, or Valkey, as a cache that cannot cause a wrong split (design W6): what it says is hashed and compared at the door.

A value is the table's version in twelve decimal digits followed by the packed table, under ``kopeck:table:<namespace>:<number>``.
Every failure is answered as a miss; after one, Redis is left alone for a moment so that a batch does not wait for it.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import redis.asyncio as redis
import structlog
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gateway import metrics

log = structlog.get_logger("gateway.cache")

Name = tuple[str, str]
"""(namespace, number as written)."""

VERSION_DIGITS = 12
REST_AFTER_FAILURE_S = 1.0
WRITE_EVERY_S = 0.02
WAITING_TABLES_MAX = 8192
_SET_IF_NEWER = (Path(__file__).parent / "set_if_newer.lua").read_text("utf-8")


def cache_key(name: Name) -> str:
    """Return the key of an account's table by one of its names."""
    return f"kopeck:table:{name[0]}:{name[1]}"


def cache_value(version: int, packed: bytes) -> bytes:
    """Return the value that is kept: the version first, so that Redis can compare it."""
    return b"%012d" % version + packed


class TableCache:
    """Reads and writes packed tables; never raises for anything Redis does."""

    def __init__(self, url: str, timeout_s: float):
        self._client: redis.Redis = redis.Redis.from_url(
            url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=Retry(NoBackoff(), 0)
        )
        self._set_if_newer = self._client.register_script(_SET_IF_NEWER)
        self._rest_until = 0.0

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def read(self, names: Sequence[Name], now: float) -> Mapping[Name, bytes]:
        """Return the packed tables found, unverified, in one read; nothing when Redis fails or rests."""
        if not names or now < self._rest_until:
            return {}
        try:
            values = await self._client.mget([cache_key(name) for name in names])
        except (RedisError, OSError, TimeoutError) as error:
            self._failed(error, now)
            return {}
        return {name: value[VERSION_DIGITS:] for name, value in zip(names, values, strict=True) if isinstance(value, bytes)}

    async def write(self, tables: Mapping[Name, bytes], now: float) -> None:
        """Keep values (``cache_value``) whose version is higher than what is there; best effort."""
        if not tables or now < self._rest_until:
            return
        keys: list[Any] = [cache_key(name) for name in tables]
        try:
            await self._set_if_newer(keys=keys, args=list(tables.values()))
        except (RedisError, OSError, TimeoutError) as error:
            self._failed(error, now)

    async def forget(self, names: Sequence[Name], now: float) -> None:
        """Drop what turned out stale, unreadable or tampered with, whatever version it claims; best effort."""
        if not names or now < self._rest_until:
            return
        try:
            await self._client.delete(*(cache_key(name) for name in names))
        except (RedisError, OSError, TimeoutError) as error:
            self._failed(error, now)

    def _failed(self, error: Exception, now: float) -> None:
        metrics.CACHE_ERRORS.inc()
        self._rest_until = now + REST_AFTER_FAILURE_S
        log.warning("cache.failed", error=type(error).__name__)


class WriteBehind:
    """Hands the tables that payments left to the cache, many batches at once: a write a batch cost as much as its read.

    Until then this process has them at hand (``TableSource``); a sibling that reads the older one is told Stale by the door.
    """

    def __init__(self, cache: TableCache):
        self._cache = cache
        self._waiting: dict[Name, bytes] = {}

    def put(self, values: Mapping[Name, bytes]) -> None:
        """Keep values (``cache_value``) for the next write; what there is no room for is not cached."""
        if len(self._waiting) < WAITING_TABLES_MAX:
            self._waiting.update(values)

    async def run(self) -> None:
        """Write what waits, every WRITE_EVERY_S, until cancelled."""
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            await self.flush()

    async def flush(self) -> None:
        """Write what waits now."""
        waiting, self._waiting = self._waiting, {}
        await self._cache.write(waiting, time.monotonic())
