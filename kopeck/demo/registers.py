"""Registers that the demo's counterparties send: written into the data folder and loaded as a person would load them."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import asyncpg
import msgspec
import structlog

from connectors.registers.register import RegisterUnreadable
from connectors.sandbox.registers import SentPayment, SentRegister, write_sent
from kopeck.channels import ChannelsFile
from kopeck.demo.network import MOSCOW
from kopeck.demo.payers import Paid
from kopeck.embedded.servers import Connections
from kopeck.register_loading import Bars, Wish, load_register
from services.registers.booking import BookingUnfinished, RegisterBusy, tell_nobody
from services.registers.taking import Purpose, RegisterDiffers
from services.sealing import Sealer

FOLDER = "registers"
LOADER = "demo-loader"
SUFFIXES = {"kopeck": "txt", "sber": "txt"}

_log = structlog.get_logger("kopeck.traffic")


class RegisterWay(msgspec.Struct, frozen=True, kw_only=True):
    """A channel of kind register and the shipped format in which its counterparty writes."""

    channel: str
    format: str


class RegisterDesk:
    """Writes registers and loads them."""

    def __init__(self, folder: Path, connections: Connections, channels: ChannelsFile, sealer: Sealer) -> None:
        self._folder = folder / FOLDER
        self._connections = connections
        self._channels = channels
        self._sealer = sealer

    async def load(
        self, way: RegisterWay, number: str, paid: Sequence[Paid], now: datetime, purpose: Purpose | None = None
    ) -> bool:
        """Send a register with these payments, brought by the order of that number; whether it was taken and booked.

        ``purpose`` None: by what else tells of payments in the space.
        """
        sent = SentRegister(
            number=number,
            day=now.astimezone(MOSCOW).date(),
            payments=tuple(
                [
                    SentPayment(
                        operation=one.operation,
                        account=one.account,
                        amount_kopecks=one.amount_kopecks,
                        moment=one.at.astimezone(MOSCOW).replace(microsecond=0),
                    )
                    for one in paid
                ]
            ),
            order_number=number,
        )
        self._folder.mkdir(mode=0o700, exist_ok=True)
        path = self._folder / f"{way.channel}-{sent.day:%Y%m%d}-{number}.{SUFFIXES[way.format]}"
        path.write_bytes(write_sent(way.format, sent))
        wish = Wish(path=path, channel=way.channel, by=LOADER, format=way.format, purpose=purpose)
        try:
            await load_register(self._connections, self._channels, wish, self._sealer, Bars(read=tell_nobody, booked=tell_nobody))
        except (
            RegisterUnreadable, RegisterDiffers, RegisterBusy, BookingUnfinished,
            OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError,
        ) as error:  # fmt: skip
            _log.warning("register_not_loaded", channel=way.channel, number=number, reason=str(error) or type(error).__name__)
            return False
        return True
