"""Station 3: the allocation table of the named account: one read of the cache a batch, PostgreSQL for the rest (design W6)."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

import msgspec
import structlog

from gateway import metrics
from gateway.cache import Name, TableCache, cache_value
from gateway.decide import Decided, Objection
from gateway.reader import Answer, Reader
from ledger.rebuild import Ambiguous, DigestMismatch, Found, NotPublished, Rebuilt, Unknown
from schemas.allocation import Alias, AllocationTable, Digest, TableUnreadable, digest_of, unpack_table
from schemas.ids import AccountId

log = structlog.get_logger("gateway.tables")

RECENT_TABLES_MAX = 4096
RECENT_S = 0.1
"""How long a process trusts what it remembers ahead of the cache: a few writes of it, no longer, for a sibling may have
moved the account since, and a stale split costs a rebuild from PostgreSQL."""


class Known(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A table with its digest; ``authoritative`` when PostgreSQL gave it."""

    table: AllocationTable
    digest: Digest
    authoritative: bool


class Absent(msgspec.Struct, frozen=True, kw_only=True):
    """No one account answers to the name; always PostgreSQL's word."""

    objection: Objection
    candidates: tuple[AccountId, ...] = ()


class Unusable(msgspec.Struct, frozen=True, kw_only=True):
    """The account has a table that must not be split now; only a retryable answer may be given."""

    account: AccountId
    why: str


LookUp = Known | Absent | Unusable


class TableSource:
    """Looks tables up by (namespace, number); remembers, for a moment, what this process itself left ahead of the cache."""

    def __init__(self, cache: TableCache, reader: Reader, utc_now: Callable[[], datetime]):
        self._cache = cache
        self._reader = reader
        self._utc_now = utc_now
        self._recent: OrderedDict[Name, tuple[float, Known]] = OrderedDict()

    async def look_up(self, names: Iterable[Name], authoritative: frozenset[Name], now: float) -> Mapping[Name, LookUp]:
        """Return what is known of every name; names in ``authoritative`` are asked of PostgreSQL.

        Raises what the reader raises when PostgreSQL must be asked and does not answer.
        """
        moment = self._utc_now()
        found: dict[Name, LookUp] = {}
        asked: list[Name] = []
        self._forget_old(now)
        for name in dict.fromkeys(names):
            recent = None if name in authoritative else self._recent.get(name)
            if recent is not None and moment.timestamp() < recent[1].table.valid_until:
                found[name] = recent[1]
            else:
                asked.append(name)
        cacheable = [name for name in asked if name not in authoritative]
        for name, packed in (await self._cache.read(cacheable, now)).items():
            known = self._from_cache(name, packed, moment)
            if known is not None:
                found[name] = known
        missing = [name for name in asked if name not in found]
        metrics.TABLES.labels("recent").inc(len(found) + len(missing) - len(asked))
        metrics.TABLES.labels("cache").inc(len(asked) - len(missing))
        if missing:
            metrics.TABLES.labels("postgresql").inc(len(missing))
            found.update(await self._from_postgresql(missing, moment))
            await self._refresh(missing, found, now)
        return found

    def _from_cache(self, name: Name, packed: bytes, moment: datetime) -> Known | None:
        try:
            table = unpack_table(packed)
        # Bytes nested without end are no table either.
        except (TableUnreadable, RecursionError):
            log.warning("cache.unreadable", namespace=name[0])
            return None
        if Alias(*name) not in table.aliases or moment.timestamp() >= table.valid_until:
            return None
        return Known(table=table, digest=digest_of(packed), authoritative=False)

    async def _from_postgresql(self, names: Sequence[Name], moment: datetime) -> dict[Name, LookUp]:
        answers = await self._reader.read_tables(names, moment)
        return {name: self._look_up_of(answers[name], moment) for name in names}

    def _look_up_of(self, answer: Answer, moment: datetime) -> LookUp:
        match answer:
            case Unknown():
                return Absent(objection=Objection.UNKNOWN)
            case Ambiguous():
                return Absent(objection=Objection.AMBIGUOUS, candidates=answer.candidates)
            case Found(state=Rebuilt() as rebuilt):
                if moment.timestamp() >= rebuilt.table.valid_until:
                    return Unusable(account=answer.account, why="expired")
                return Known(table=rebuilt.table, digest=rebuilt.digest, authoritative=True)
            case Found(state=NotPublished()):
                return Unusable(account=answer.account, why="not-published")
            case Found(state=DigestMismatch()):
                return Unusable(account=answer.account, why="digest")
            case _:
                raise AssertionError(f"an unexpected state of {answer.account}")

    async def _refresh(self, names: Sequence[Name], found: Mapping[Name, LookUp], now: float) -> None:
        for name in names:
            self._recent.pop(name, None)
        await self._cache.forget(names, now)

    def remember(self, decided: Mapping[Name, Decided], now: float) -> dict[Name, bytes]:
        """Keep tables as the door left them, under every name of their accounts; return the values for the cache."""
        values: dict[Name, bytes] = {}
        for name, made in decided.items():
            table = made.table
            assert table is not None
            known = Known(table=table, digest=Digest(made.offer.after), authoritative=False)
            value = cache_value(table.version, made.packed)
            names = {name, *((alias.namespace, alias.number) for alias in table.aliases)} if len(table.aliases) > 1 else (name,)
            for one in names:
                self._recent[one] = (now, known)
                self._recent.move_to_end(one)
                values[one] = value
        return values

    def _forget_old(self, now: float) -> None:
        while self._recent:
            name, (kept_at, _) = next(iter(self._recent.items()))
            if now - kept_at < RECENT_S and len(self._recent) <= RECENT_TABLES_MAX:
                break
            del self._recent[name]

    def forget_recent(self, name: Name) -> None:
        """Drop what this process remembers of a name whose table turned out stale."""
        self._recent.pop(name, None)
