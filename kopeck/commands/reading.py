"""What the reading commands share: a reader's connection to the ledger of a data folder, and how they speak."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import click
import msgspec
from rich.console import Console

from kopeck.config import Config, read_config
from kopeck.embedded.servers import connect_or_start
from ledger.feed import Connection
from ledger.names import Names
from schemas.journal import RecordedEntry

Answer = TypeVar("Answer")

WIDTH_CHARACTERS = 150
"""Width of what is printed where there is no terminal to ask."""
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, amounts in kopecks.")


def ledger_config(data_dir: Path | None) -> Config:
    """Read the configuration; a folder without a ledger ends the command instead of getting an empty one."""
    config = read_config(os.environ, data_dir=data_dir)
    if not config.postgres_dsn and not os.path.lexists(config.data_dir / "postgres"):
        raise click.ClickException(f"there is no ledger in {config.data_dir}: kopeck run makes one, --data names another folder")
    return config


def read_ledger(data_dir: Path | None, read: Callable[[Connection], Awaitable[Answer]]) -> Answer:
    """Run ``read`` on a connection of the reader's role; a ledger that is not there or not migrated ends the command."""
    config = ledger_config(data_dir)
    with connect_or_start(config.data_dir, config) as connections:
        return asyncio.run(with_connection(connections.reader_dsn, read))


async def with_connection(dsn: str, read: Callable[[Connection], Awaitable[Answer]]) -> Answer:
    """Run ``read`` on a connection of its own; a ledger that is not migrated ends the command."""
    connection = await asyncpg.connect(dsn)
    try:
        return await read(connection)
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError) as error:
        raise click.ClickException("this ledger is not migrated yet: run kopeck migrate") from error
    finally:
        await connection.close()


def console() -> Console:
    """A console for tables: as wide as the terminal, or WIDTH_CHARACTERS."""
    made = Console(soft_wrap=False, markup=False, highlight=False)
    if not made.is_terminal:
        made.width = WIDTH_CHARACTERS
    return made


def print_json(value: object) -> None:
    """Print a value as indented JSON."""
    click.echo(msgspec.json.format(msgspec.json.encode(value)))


def place_of(text: str) -> tuple[int, int] | None:
    """Read ``book:sequence``; None for anything else."""
    book, colon, sequence = text.partition(":")
    numbers = (book, sequence)
    if not colon or not all(number.isascii() and number.isdecimal() and len(number) < 19 for number in numbers):
        return None
    return int(book), int(sequence)


def entry_for_people(recorded: RecordedEntry, names: Names) -> Mapping[str, Any]:
    """An entry as the commands' JSON shows it: names of ledger accounts, kopecks, ISO instants."""
    entry = recorded.entry
    return {
        "book": recorded.book,
        "sequence": recorded.sequence,
        "kind": entry.kind.name.lower(),
        "space": names.spaces.get(entry.space, f"#{entry.space}"),
        "external_id": entry.external_id,
        "channel": names.channels.get(entry.channel, "") if entry.channel else "",
        "personal_account_id": entry.personal_account,
        "table_version": entry.table_version,
        "previous": recorded.previous,
        "amount_kopecks": entry.amount_kopecks,
        "event_at": entry.event_at,
        "value_date": entry.value_date,
        "recorded_at": recorded.recorded_at,
        "bank_day": recorded.bank_day,
        "transit": names.transits.get(entry.transit, f"#{entry.transit}"),
        "reason": entry.reason.name.lower() if entry.reason else "",
        "designation": msgspec.Raw(entry.designation.encode() or b"null"),
        "postings": [
            {"account": names.name_of(account), "amount_kopecks": amount, "line": line}
            for account, amount, line in zip(entry.accounts, entry.amounts, entry.lines, strict=True)
        ],
    }
