"""A register's file from the folder into the ledger: read, taken whole, booked through the gateway's stations."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import asyncpg
import msgspec

from connectors.registers.detection import detect_register
from connectors.registers.reading import read_register
from connectors.registers.register import Register
from connectors.registers.shipped import read_description, shipped_formats
from gateway.intake import open_intake
from gateway.settings import GatewaySettings
from kopeck.channels import ChannelsFile, register_channels
from kopeck.clock import utc_now
from kopeck.embedded.servers import Connections
from ledger.core.entry import MOSCOW
from ledger.feed import Connection
from ledger.journal import fetch_books
from schemas.channel import Channel, ChannelKind
from services.registers.booking import Run, book_register
from services.registers.taking import Purpose, Sameness, Taken, TakingTerms, take_register
from services.sealing import Sealer

NOT_ONLINE = (ChannelKind.REGISTER, ChannelKind.STATEMENT)
"""Kinds by which nobody tells of payments one by one."""
BATCH_ENTRIES, QUEUE_PAYMENTS = 512, 16_384
"""A register's own: nobody waits at its other end, so batches are as large as the door takes."""


class NotLoadable(ValueError):
    """The register cannot be loaded for that channel; nothing was changed."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What to load and how. ``purpose`` None: by what else tells of payments in the channel's space."""

    path: Path
    channel: str
    by: str
    format: str
    purpose: Purpose | None


class Bars(msgspec.Struct, frozen=True, kw_only=True):
    """Who is told how far the load is: the register once it is read, then the lines done."""

    read: Callable[[int], None]
    booked: Callable[[int], None]


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """The register as it was read and as it was taken."""

    read: Register
    taken: Taken


def read_file(path: Path, format_name: str) -> tuple[bytes, Register]:
    """Read the file by a shipped format's name, a description of one's own (``*.toml``), or whichever format accepts it.

    Raises NotLoadable, RegisterUnreadable, FormatUncertain, DescriptionError.
    """
    content = path.read_bytes()
    if not format_name:
        return content, detect_register(content, shipped_formats())
    if format_name.endswith(".toml"):
        return content, read_register(content, read_description(Path(format_name)))
    if format_name not in shipped_formats():
        raise NotLoadable(f"format {format_name!r} is none of {', '.join(shipped_formats())}, nor a description's file")
    return content, read_register(content, shipped_formats()[format_name])


async def load_register(connections: Connections, file: ChannelsFile, wish: Wish, sealer: Sealer | None, bars: Bars) -> Loaded:
    """Read, take and book one register; what read_file, take_register and book_register raise, and NotLoadable."""
    content, register = read_file(wish.path, wish.format)
    bars.read(len(register.lines))
    connection = await asyncpg.connect(connections.services_dsn)
    try:
        today = utc_now().astimezone(MOSCOW).date()
        channels = await register_channels(connection, file, today=today)
        channel = register_channel(channels, wish.channel)
        purpose = wish.purpose or purpose_of(channels, channel)
        terms = TakingTerms(
            by=wish.by,
            at=utc_now(),
            file_name=wish.path.name,
            content_digest=hashlib.sha256(content).digest(),
            purpose=purpose,
        )
        taken = await take_register(connection, channel, register, terms)
        if taken.channel != channel.number:
            raise NotLoadable(
                f"this is register {taken.register}, which was taken for another channel of space {channel.space_name}"
            )
        if not taken.booked:
            run = Run(
                utc_now=utc_now,
                progress=bars.booked,
                payers=_payers(register, taken),
                seal=None if sealer is None else sealer.seal,
            )
            await _book(connections, connection, channels, (channel, taken.register), run)
        return Loaded(read=register, taken=taken)
    finally:
        await connection.close()


def _payers(register: Register, taken: Taken) -> dict[int, str]:
    """Payers by row: of the very file whose rows are stored, for in another file the same payments stand in other rows."""
    if taken.again not in (None, Sameness.FILE):
        return {}
    return {line.row: line.payer for line in register.lines if line.payer}


async def _book(
    connections: Connections, connection: Connection, channels: tuple[Channel, ...], what: tuple[Channel, int], run: Run
) -> None:
    settings = GatewaySettings(
        gateway_dsn=connections.gateway_dsn,
        redis_url=connections.redis_url,
        channels=channels,
        spaces=tuple(sorted({(one.space_name, one.space) for one in channels})),
        books=await fetch_books(connection),
        batch_entries_max=BATCH_ENTRIES,
        queue_payments_max=QUEUE_PAYMENTS,
    )
    channel, number = what
    async with open_intake(settings, utc_now) as intake:
        await book_register(connection, intake, channel, number, run)


def register_channel(channels: tuple[Channel, ...], name: str) -> Channel:
    """Return the channel of kind register with that name; raises NotLoadable."""
    for one in channels:
        if one.name == name and one.kind is ChannelKind.REGISTER:
            return one
        if one.name == name:
            raise NotLoadable(
                f"channel {name} is of kind {one.kind.value}: load its registers for a channel of kind register in its space"
            )
    known = ", ".join(one.name for one in channels if one.kind is ChannelKind.REGISTER) or "none"
    raise NotLoadable(f"no channel {name!r}; channels of kind register: {known}")


def purpose_of(channels: tuple[Channel, ...], channel: Channel) -> Purpose:
    """Reconciliation where another channel of the space tells of the same payments one by one (design W5)."""
    told = any(one.space == channel.space and one.kind not in NOT_ONLINE for one in channels)
    return Purpose.RECONCILIATION if told else Purpose.PAYMENTS
