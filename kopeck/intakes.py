"""The intake opened by a command: channels of a file, the ledger of a data folder (gateway/intake.py)."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import msgspec

from gateway.intake import Intake, open_intake
from gateway.settings import GatewaySettings
from kopeck.channels import ChannelConfigError, read_channels, register_channels
from kopeck.clock import utc_now
from kopeck.embedded.servers import Connections
from ledger.core.entry import MOSCOW
from ledger.feed import Connection
from ledger.journal import fetch_books
from schemas.channel import Channel


class Open(msgspec.Struct, frozen=True, kw_only=True):
    """What a command books with."""

    intake: Intake
    channels: tuple[Channel, ...]
    services: Connection

    def channel(self, name: str) -> Channel:
        """Return a channel by its name; raises ChannelConfigError."""
        return channel_named(self.channels, name)


def channel_named(channels: tuple[Channel, ...], name: str) -> Channel:
    """Return a channel by its name; raises ChannelConfigError."""
    for channel in channels:
        if channel.name == name:
            return channel
    raise ChannelConfigError(f"there is no channel {name}: known are {', '.join(one.name for one in channels)}")


def gateway_settings(
    connections: Connections, channels: tuple[Channel, ...], books: int, process_index: int = 0
) -> GatewaySettings:
    """Return the settings of a process that books payments of these channels."""
    return GatewaySettings(
        gateway_dsn=connections.gateway_dsn,
        redis_url=connections.redis_url,
        channels=channels,
        spaces=tuple(sorted({(channel.space_name, channel.space) for channel in channels})),
        books=books,
        process_index=process_index,
    )


async def channels_of(connection: Connection, file: Path) -> tuple[Channel, ...]:
    """Return a file's channels with their numbers; raises ChannelConfigError."""
    today = utc_now().astimezone(MOSCOW).date()
    return await register_channels(connection, read_channels(file, os.environ), today=today)


@asynccontextmanager
async def opened(connections: Connections, file: Path) -> AsyncIterator[Open]:
    """Open the stations for the channels of a file; raises ChannelConfigError."""
    services = await asyncpg.connect(connections.services_dsn)
    try:
        channels = await channels_of(services, file)
        settings = gateway_settings(connections, channels, await fetch_books(services))
        async with open_intake(settings, utc_now) as intake:
            yield Open(intake=intake, channels=channels, services=services)
    finally:
        await services.close()
