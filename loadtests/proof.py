"""The proof after a load: what was answered is what the ledger holds, to the key and the kopeck.

Answers become claims, one a key, copied beside the journal and compared there by set operations.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Any, NamedTuple, TypeAlias

import asyncpg
import msgspec

from ledger.statements import load_statements
from loadtests.generator import LoadReport, Verdict
from loadtests.traffic import Expected, Planned, Source

Connection: TypeAlias = "asyncpg.Connection[Any]"

DIFFERENCES_SHOWN = 5
CATCH_UP_TIMEOUT_S = 120
POLL_S = 0.05
CONSUMERS = ("balances",)

_SQL = load_statements("loadtests/statements/proof.sql")
_CHECKS = tuple(sorted(name for name in _SQL if name.startswith("check_") and name != "check_balances"))


class Claimed(IntEnum):
    """What the answers to a key said; UNKNOWN when none of them was final."""

    BOOKED = 0
    SUSPENSE = 1
    REFUSED = 2
    UNKNOWN = 3


class Claim(NamedTuple):
    """One key that was sent, with the amount in kopecks."""

    space: int
    external_id: str
    amount: int
    claimed: Claimed


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """Claims of one phase. ``repeats`` were answered for good again; ``faults`` are answers that contradict plan or first."""

    claims: tuple[Claim, ...]
    repeats: int
    faults: tuple[str, ...]


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What was compared; the proof holds when ``differences`` is empty. Amounts in kopecks.

    ``caught_up_ms`` is how long the consumers needed to reach the journal's head, -1 when they were not awaited.
    """

    entries: int
    debits: int
    credits: int
    answered: int
    caught_up_ms: int
    differences: tuple[str, ...]


def claims_of(planned: Sequence[Planned], report: LoadReport, spaces: Mapping[Source, int]) -> Claims:
    """Turn a phase's answers into claims; ``spaces`` is the operation space of each source."""
    firsts: dict[int, tuple[Verdict, int]] = {}
    sent: dict[int, None] = {}
    repeats = 0
    faults: list[str] = []
    for index, payment in enumerate(planned):
        verdict = Verdict(report.verdicts[index])
        if verdict is Verdict.UNSENT:
            continue
        sent[payment.first] = None
        if verdict not in (Verdict.ACCEPTED, Verdict.REFUSED):
            continue
        answer = (verdict, report.checksums[index])
        first = firsts.setdefault(payment.first, answer)
        repeats += payment.first != index
        if first != answer:
            faults.append(f"key {payment.key} was answered in two ways: {first[0].name}, {verdict.name}, other bytes")
        if (verdict is Verdict.REFUSED) != (payment.expected is Expected.REFUSED):
            faults.append(f"key {payment.key} was {verdict.name.lower()}, expected {payment.expected.name.lower()}")
    claims = [_claim(planned[index], index in firsts, spaces) for index in sent]
    return Claims(claims=tuple(claims), repeats=repeats, faults=tuple(faults))


def _claim(payment: Planned, final: bool, spaces: Mapping[Source, int]) -> Claim:
    claimed = Claimed(payment.expected.value) if final else Claimed.UNKNOWN
    return Claim(spaces[payment.source], payment.key, payment.amount_kopecks, claimed)


async def prove(connection: Connection, claims: Iterable[Claim], *, await_consumers: bool) -> Proof:
    """Compare the claims with the ledger; the load has ended and ``connection`` may make a temporary table."""
    await connection.execute(_SQL["create_claims"])
    try:
        await connection.copy_records_to_table("claim", records=claims)
        await connection.execute(_SQL["analyze_claims"])
        await connection.execute(_SQL["analyze_ledger"])
        await connection.execute(_SQL["prefer_hashes"])
        differences = [text for name in _CHECKS for text in await _differences(connection, name)]
        totals = await connection.fetchrow(_SQL["totals"])
        sums = await connection.fetchrow(_SQL["acknowledged"])
    finally:
        await connection.execute(_SQL["drop_claims"])
    caught_up_ms = -1
    if await_consumers:
        caught_up_ms = await _await_consumers(connection)
        differences += await _differences(connection, "check_balances")
    if totals["debits"] != totals["credits"]:
        differences.append(f"debits {totals['debits']} are not credits {totals['credits']}")
    if sums["answered"] != sums["recorded"]:
        differences.append(f"{sums['answered']} kopecks were answered as booked, {sums['recorded']} are")
    return Proof(
        entries=totals["entries"],
        debits=totals["debits"],
        credits=totals["credits"],
        answered=sums["answered"],
        caught_up_ms=caught_up_ms,
        differences=tuple(differences),
    )


async def _differences(connection: Connection, name: str) -> list[str]:
    rows = await connection.fetch(_SQL[name], DIFFERENCES_SHOWN)
    return [f"{name.removeprefix('check_')}: {row[0]}" for row in rows]


async def _await_consumers(connection: Connection) -> int:
    started = time.perf_counter_ns()
    async with asyncio.timeout(CATCH_UP_TIMEOUT_S):
        while await connection.fetchval(_SQL["count_behind"], CONSUMERS):
            await asyncio.sleep(POLL_S)
    return (time.perf_counter_ns() - started) // 1_000_000
