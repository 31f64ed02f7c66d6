"""A register is taken whole, once: its row and its lines in one transaction, or it is a register that we have (design W5)."""

import hashlib
from datetime import datetime
from enum import StrEnum

import asyncpg
import msgspec

from connectors.registers.register import Register, RegisterLine
from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.channel import Channel
from schemas.ids import ChannelNumber
from schemas.money import roubles_for_people

_SQL = load_statements("services/registers/registers.sql")

DIFFERENCES_SHOWN_MAX = 5
LINE_COLUMNS = (
    "register",
    "row",
    "key",
    "account",
    "amount",
    "fee",
    "event_at",
    "period",
    "designates",
    "document",
    "aliases",
    "repeats",
)
READING_COLUMNS = ("register", "row", "place", "counter", "reading")


class Purpose(StrEnum):
    """What a register's lines are: payments, or what a channel told of one by one."""

    PAYMENTS = "payments"
    RECONCILIATION = "reconciliation"


class Sameness(StrEnum):
    """By what a file is known to be a register that was taken before."""

    FILE = "file"
    LINES = "lines"
    NUMBER = "number"


class TakingTerms(msgspec.Struct, frozen=True, kw_only=True):
    """Who loads which file when, and for what. ``content_digest`` is the SHA-256 of the file."""

    by: str
    at: datetime
    file_name: str
    content_digest: bytes
    purpose: Purpose


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """The register's number with us, and its channel's. ``again``: it was taken before, at ``loaded_at`` by ``loaded_by``."""

    register: int
    channel: ChannelNumber
    again: Sameness | None
    loaded_by: str
    loaded_at: datetime
    booked: bool


class RegisterDiffers(ValueError):
    """A register of that number and day was taken with other lines; the message names the first. Nothing was changed."""


async def take_register(connection: Connection, channel: Channel, register: Register, terms: TakingTerms) -> Taken:
    """Store the register and its lines as the services role, in one transaction, or find that they are stored.

    The same file, the same lines in another file where lines have no ids of their own, and the same number and day with the same
    lines, are the same register of the space. Raises RegisterDiffers, also for a file that names itself or its operations and was
    taken for another space: its money would be booked twice.
    """
    lines_digest = lines_digest_of(register.lines)
    async with connection.transaction():
        if register.number or lines_digest is None:
            await _refuse_of_another(connection, channel, terms.content_digest)
        number = await connection.fetchval(_SQL["add_register"], *_row(channel, register, terms, lines_digest))
        if number is not None:
            await connection.copy_records_to_table(
                "register_line", schema_name="intake", columns=LINE_COLUMNS, records=_line_rows(number, register.lines)
            )
            await _keep_readings(connection, number, register.lines)
            return Taken(
                register=number, channel=channel.number, again=None, loaded_by=terms.by, loaded_at=terms.at, booked=False
            )
    known = await connection.fetchrow(
        _SQL["find_known"], channel.space, terms.content_digest, lines_digest, register.number, register.day
    )
    assert known is not None, "what stood in the way of a register is a register"
    return await _known(connection, register, known, terms.content_digest, lines_digest)


async def _refuse_of_another(connection: Connection, channel: Channel, content_digest: bytes) -> None:
    other = await connection.fetchrow(_SQL["find_elsewhere"], channel.space, content_digest)
    if other is not None:
        taken = f"register {other['register']} of {other['space']} on {other['loaded_at']:%Y-%m-%d} by {other['loaded_by']}"
        raise RegisterDiffers(f"this very file was taken as {taken}: it cannot be of {channel.space_name} as well")


async def _known(
    connection: Connection, register: Register, known: asyncpg.Record, content_digest: bytes, lines_digest: bytes | None
) -> Taken:
    if known["content_digest"] == content_digest:
        again = Sameness.FILE
    elif lines_digest is not None and known["lines_digest"] == lines_digest:
        again = Sameness.LINES
    else:
        again = Sameness.NUMBER
        await _require_same(connection, register, known)
    return Taken(
        register=known["register"],
        channel=known["channel"],
        again=again,
        loaded_by=known["loaded_by"],
        loaded_at=known["loaded_at"],
        booked=known["booked_at"] is not None,
    )


async def _require_same(connection: Connection, register: Register, known: asyncpg.Record) -> None:
    """Raise RegisterDiffers unless both have the same lines, in whatever order."""
    stored = sorted(
        (row["key"], row["account"], row["amount"]) for row in await connection.fetch(_SQL["list_identities"], known["register"])
    )
    given = sorted((line.operation, line.account, line.amount_kopecks) for line in register.lines)
    if stored == given:
        return
    only_stored, only_given = set(stored) - set(given), set(given) - set(stored)
    shown = [f"then {_told(one)}" for one in sorted(only_stored)[:DIFFERENCES_SHOWN_MAX]]
    shown += [f"now {_told(one)}" for one in sorted(only_given)[:DIFFERENCES_SHOWN_MAX]]
    taken = f"was taken on {known['loaded_at']:%Y-%m-%d} as register {known['register']} with {known['lines']} lines"
    told = "; ".join(shown) or "a line stands there more often"
    raise RegisterDiffers(f"register {known['number']} of {known['day']} {taken}, this file has {len(register.lines)}: {told}")


def _told(line: tuple[str, str, int]) -> str:
    return f"{line[0]} {line[1]} {roubles_for_people(line[2])}"


def lines_digest_of(lines: tuple[RegisterLine, ...]) -> bytes | None:
    """SHA-256 of what the payments are, in whatever order they stand, when a line has no id of its own; else None."""
    if all(line.has_own_id for line in lines):
        return None
    identities = sorted(
        f"{line.operation if line.has_own_id else ''}\0{line.event_at.isoformat()}\0{line.account}\0{line.amount_kopecks}\n"
        for line in lines
    )
    return hashlib.sha256("".join(identities).encode()).digest()


def _row(channel: Channel, register: Register, terms: TakingTerms, lines_digest: bytes | None) -> tuple[object, ...]:
    days = [line.day for line in register.lines]
    return (
        channel.number,
        channel.space,
        channel.transit,
        register.format,
        terms.file_name,
        terms.content_digest,
        lines_digest,
        register.number,
        register.day,
        register.order_number,
        register.order_day,
        register.time_zone,
        min(days),
        max(days),
        len(register.lines),
        register.total_kopecks,
        register.fee_kopecks,
        register.skipped,
        terms.purpose.value,
        terms.by,
        terms.at,
    )


def _line_rows(number: int, lines: tuple[RegisterLine, ...]) -> list[tuple[object, ...]]:
    seen: set[str] = set()
    rows: list[tuple[object, ...]] = []
    for line in lines:
        repeats = line.operation in seen
        seen.add(line.operation)
        rows.append(
            (
                number,
                line.row,
                line.operation,
                line.account,
                line.amount_kopecks,
                line.fee_kopecks,
                line.event_at,
                line.period,
                line.designates,
                line.document,
                line.aliases,
                repeats,
            )
        )
    return rows


async def _keep_readings(connection: Connection, number: int, lines: tuple[RegisterLine, ...]) -> None:
    """Keep the meter readings aside for billing."""
    readings = [(number, line.row, place, one.counter, one.reading) for line in lines for place, one in enumerate(line.readings)]
    if readings:
        await connection.copy_records_to_table("meter_reading", schema_name="intake", columns=READING_COLUMNS, records=readings)
