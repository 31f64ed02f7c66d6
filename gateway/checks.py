"""``check``: may this account be paid, and what may be shown of it. It reads, and reserves nothing (protocols.md §1)."""

import time
from typing import Literal

import structlog

from connectors.terminals.check_view import CheckResult, CheckView, PrintedTotal
from gateway.cache import Name
from gateway.decide import Objection
from gateway.limits import UnknownNumbers
from gateway.reader import POSTGRESQL_ERRORS, Reader
from gateway.tables import Absent, Known, TableSource
from schemas.allocation import AccountState, AdvanceRule, AllocationTable, Kind, Pool
from schemas.channel import Channel
from schemas.outcome import Answer, Refusal

log = structlog.get_logger("gateway.checks")

TRY_AGAIN: Literal[Answer.TRY_AGAIN] = Answer.TRY_AGAIN


class Checks:
    """Answers asking channels before a payment."""

    def __init__(self, tables: TableSource, reader: Reader, unknown: UnknownNumbers):
        self._tables = tables
        self._reader = reader
        self._unknown = unknown

    async def check(self, channel: Channel, number: str, amount_kopecks: int | None, address: str) -> CheckResult:
        """Return what may be shown, the refusal that ``pay`` would meet, or "try again".

        ``address`` is the asking source: beyond its limit of unknown numbers a minute it is told to try later.
        """
        now = time.monotonic()
        if self._unknown.exceeded(channel.name, address, channel.unknown_per_minute_max, now):
            log.warning("check.too_many_unknown", channel=channel.name, source=address)
            return TRY_AGAIN
        name = (channel.namespace, number)
        try:
            answer = await self._answer(channel, name, amount_kopecks)
        except POSTGRESQL_ERRORS as error:
            log.warning("check.unavailable", channel=channel.name, error=type(error).__name__)
            return TRY_AGAIN
        if answer is Refusal.ACCOUNT_UNKNOWN:
            self._unknown.count(channel.name, address, now)
        return answer

    async def _answer(self, channel: Channel, name: Name, amount_kopecks: int | None) -> CheckResult:
        found = (await self._tables.look_up([name], frozenset(), time.monotonic()))[name]
        if isinstance(found, Known) and not found.authoritative and _refusal(channel, found.table) is not None:
            found = (await self._tables.look_up([name], frozenset({name}), time.monotonic()))[name]
        if isinstance(found, Absent):
            return Refusal.ACCOUNT_UNKNOWN if found.objection is Objection.UNKNOWN else Refusal.ACCOUNT_AMBIGUOUS
        if not isinstance(found, Known):
            return TRY_AGAIN
        refusal = _refusal(channel, found.table) or _amount_refusal(channel, found.table, amount_kopecks)
        if refusal is not None:
            return refusal
        masked_name, masked_address = await self._reader.find_shown(found.table.account)
        return CheckView(
            state=found.table.state,
            masked_name=masked_name,
            masked_address=masked_address,
            totals=totals_shown(found.table),
            smallest_kopecks=channel.amount_min_kopecks,
            largest_kopecks=largest_sum(channel, found.table),
        )


def totals_shown(table: AllocationTable) -> tuple[PrintedTotal, ...]:
    """Return what is still to pay by pool and period: principal of tiers that an unnamed payment reaches, in table order."""
    open_sums: dict[tuple[Pool, int], int] = {}
    for tier in table.tiers:
        if tier.kind is Kind.PRINCIPAL and not tier.designated_only:
            due = sum(weight - paid for weight, paid in zip(tier.weights, tier.paid, strict=True))
            open_sums[(tier.pool, tier.period)] = open_sums.get((tier.pool, tier.period), 0) + due
    return tuple(
        PrintedTotal(pool=pool, period=period, amount_kopecks=due) for (pool, period), due in open_sums.items() if due > 0
    )


def largest_sum(channel: Channel, table: AllocationTable) -> int:
    """Return the largest sum taken: the channel's limit, or what is owed where no advance is taken."""
    if table.advance.rule is not AdvanceRule.REFUSE:
        return channel.amount_max_kopecks
    owed = sum(
        max(0, weight - paid)
        for tier in table.tiers
        if not tier.designated_only
        for weight, paid in zip(tier.weights, tier.paid, strict=True)
    )
    return min(channel.amount_max_kopecks, owed)


def _refusal(channel: Channel, table: AllocationTable) -> Refusal | None:
    if channel.providers and table.provider not in channel.providers:
        return Refusal.NO_CONTRACT
    return Refusal.ACCOUNT_CLOSED if table.state is AccountState.CLOSED else None


def _amount_refusal(channel: Channel, table: AllocationTable, amount_kopecks: int | None) -> Refusal | None:
    if amount_kopecks is None:
        return None
    if amount_kopecks < channel.amount_min_kopecks:
        return Refusal.AMOUNT_TOO_SMALL
    if amount_kopecks > channel.amount_max_kopecks:
        return Refusal.AMOUNT_TOO_LARGE
    return Refusal.ADVANCE_NOT_TAKEN if amount_kopecks > largest_sum(channel, table) else None
