"""What the commands that act share: the services' connection to the ledger of a data folder."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click
import structlog

from kopeck.commands.reading import ledger_config, with_connection
from kopeck.embedded.servers import connect_or_start
from ledger.feed import Connection

Answer = TypeVar("Answer")

EXIT_REFUSED = 2

by_option = click.option("--by", required=True, help="Who does it.")
why_option = click.option("--why", required=True, help="Why; kept with what was done.")


class NotDone(click.ClickException):
    """What was asked for cannot be done as it was asked for, or there is no such thing; nothing was changed."""

    exit_code = EXIT_REFUSED


def act_on_ledger(data_dir: Path | None, act: Callable[[Connection], Awaitable[Answer]]) -> Answer:
    """Run ``act`` on a connection of the services' role; what is logged goes to standard error, beside the answer."""
    config = ledger_config(data_dir)
    log_to_standard_error(config.log_level)
    with connect_or_start(config.data_dir, config) as connections:
        return asyncio.run(with_connection(connections.services_dsn, act))


def log_to_standard_error(level: str) -> None:
    """Log there from ``level`` (KOPECK_LOG_LEVEL) on: standard output is the answer's alone."""
    structlog.configure(
        processors=[
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.KeyValueRenderer(key_order=["event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: structlog.WriteLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
