"""The intake process: ``python -m kopeck.intake_process``, a child of kopeck/supervisor.py.

It opens the gateway's stations without HTTP, asks acquirers about orders whose callbacks may be lost, has them give money back,
and clears: reads the statements of transit accounts that have a channel for it, and books every line (services/clearing).
"""

import asyncio
import os
import secrets
import sys
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack

import msgspec
import structlog
import uvloop

from connectors.acquiring.rbs_client import RbsClient
from connectors.statements.source import BankStatementSource
from gateway.intake import Intake, open_intake
from gateway.owned_tasks import TaskFailed
from gateway.settings import GatewaySettings
from kopeck.acquirer_sections import rbs_settings
from kopeck.child_log import start_log
from kopeck.clearing_tools import clearing_tools
from kopeck.clock import utc_now
from kopeck.connections import open_routes
from kopeck.counterparties import CounterpartiesFile
from kopeck.desks import make_desks
from kopeck.supervisor import Lifeline
from schemas.channel import Channel, ChannelKind
from schemas.events import EventTaking
from services.acquiring.asking import Asker, keep_asking
from services.acquiring.refunds import AcquirerRefunds, counterparty_of
from services.clearing.keeping import READ_PERIOD_S, keep_clearing
from services.delivery.http import HttpExchange
from services.delivery.line import Route
from services.delivery.metrics import DeliveryMetrics
from services.delivery.worker import Worker, WorkerTerms
from services.sealing import Sealer

NICENESS = 5
"""Where processors are short, payers who wait for an answer come first."""

_log = structlog.get_logger("kopeck.intake")


class IntakeOrders(msgspec.Struct, frozen=True, kw_only=True):
    """What the parent tells the process; ``gateway`` names all channels.

    ``counterparties`` are those whose statements clearing reads, every ``read_every_s``. ``personal_keys`` seal what statements
    say of payers, hexadecimal; without them nothing is cleared.
    """

    gateway: GatewaySettings
    services_dsn: str
    log_level: str
    counterparties: CounterpartiesFile = CounterpartiesFile()
    personal_keys: tuple[str, ...] = ()
    read_every_s: int = READ_PERIOD_S

    def __repr__(self) -> str:
        """Show no password."""
        return "IntakeOrders(…)"


def asked_channels(channels: tuple[Channel, ...]) -> tuple[Channel, ...]:
    """Return the channels whose acquirer can be asked."""
    return tuple(one for one in channels if one.kind is ChannelKind.RBS and one.acquirer.base_url)


def make_askers(channels: tuple[Channel, ...], exchange: HttpExchange, taking: EventTaking) -> tuple[Asker, ...]:
    """Return an asker for each channel whose acquirer can be asked."""
    return tuple(
        Asker(channel, RbsClient(rbs_settings(channel.acquirer), exchange), taking) for channel in asked_channels(channels)
    )


def make_refunder(dsn: str, channels: tuple[Channel, ...], exchange: HttpExchange) -> Worker:
    """Return the worker that gives money back at each acquirer that can be asked."""
    routes = [
        Route(
            name=counterparty_of(channel.name),
            counterparty=AcquirerRefunds(RbsClient(rbs_settings(channel.acquirer), exchange)),
        )
        for channel in asked_channels(channels)
    ]
    return Worker(dsn, routes, make_desks(), terms=WorkerTerms(draw=secrets.SystemRandom().randrange), hooks=DeliveryMetrics())


def cleared_accounts(channels: Iterable[Channel]) -> tuple[str, ...]:
    """Return the transit accounts whose statements clearing reads: those that have a channel for them."""
    return tuple(sorted({one.transit_account for one in channels if one.kind is ChannelKind.STATEMENT}))


def statement_counterparties(file: CounterpartiesFile, accounts: Iterable[str]) -> CounterpartiesFile:
    """Return those counterparties of a file from whom the statement of one of the accounts is read."""
    wanted = frozenset(accounts)
    sections = tuple(one for one in file.counterparty if wanted & {*one.statement_of})
    return CounterpartiesFile(counterparty=sections, sign_command=file.sign_command)


async def _statements(orders: IntakeOrders, stack: AsyncExitStack) -> Mapping[str, BankStatementSource]:
    opened = await open_routes(orders.counterparties, stack)
    cleared = cleared_accounts(orders.gateway.channels)
    return {
        account: source
        for account, source in opened.statements.items()
        if account in cleared and isinstance(source, BankStatementSource)
    }


async def _clear(orders: IntakeOrders, intake: Intake, sources: Mapping[str, BankStatementSource], stop: asyncio.Event) -> None:
    sealer = Sealer(tuple([bytes.fromhex(key) for key in orders.personal_keys]))
    tools = clearing_tools(orders.gateway.channels, intake, sealer)
    tools = msgspec.structs.replace(tools, read_every_s=orders.read_every_s)
    await keep_clearing(orders.services_dsn, sources, tools, utc_now, stop)


async def _work(lifeline: Lifeline, orders: IntakeOrders) -> None:
    lifeline.watch()
    stop = lifeline.stop
    async with AsyncExitStack() as stack:
        intake = await stack.enter_async_context(open_intake(orders.gateway, utc_now, stop))
        exchange = await stack.enter_async_context(HttpExchange())
        askers = make_askers(orders.gateway.channels, exchange, intake)
        refunds = make_refunder(orders.services_dsn, orders.gateway.channels, exchange)
        sources = await _statements(orders, stack)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(keep_asking(orders.services_dsn, askers, utc_now, stop))
            tasks.create_task(refunds.run())
            if orders.personal_keys:
                tasks.create_task(_clear(orders, intake, sources, stop))
            lifeline.ready()
            _log.info("intake_ready", acquirers=len(askers), statements=sorted(sources))
            await stop.wait()
            refunds.stop()
    _log.info("intake_stopped")


def main() -> None:
    """Work until the parent says stop or is gone; exit 1, as in order, when a task of the stations ended by itself."""
    lifeline = Lifeline()
    orders = msgspec.json.decode(lifeline.settings, type=IntakeOrders)
    start_log(orders.log_level)
    os.nice(NICENESS)
    try:
        uvloop.run(_work(lifeline, orders))
    except TaskFailed:
        # Logged with its traceback when it happened.
        sys.exit(1)


if __name__ == "__main__":
    main()
