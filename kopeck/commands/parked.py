"""``kopeck parked``: the cases that wait for a person, shown and resolved."""

import asyncio
import os
from pathlib import Path

import asyncpg
import click
from rich.table import Table

from kopeck.commands.options import data_option
from kopeck.commands.reading import console, json_option, print_json, read_ledger
from kopeck.config import read_config
from kopeck.embedded.servers import connect_or_start
from ledger.feed import Connection
from services.parked import NotParked, ParkedCase, list_parked, resolve_parked


@click.group()
def parked() -> None:
    """Conflicts, stale timestamps and failed tables that wait for a person."""


@parked.command(name="list")
@click.option("--all", "resolved_too", is_flag=True, help="Show resolved cases too.")
@data_option
@json_option
def list_command(resolved_too: bool, data_dir: Path | None, as_json: bool) -> None:
    """List what waits, the oldest first."""

    async def read(connection: Connection) -> tuple[ParkedCase, ...]:
        return await list_parked(connection, resolved_too=resolved_too)

    cases = read_ledger(data_dir, read)
    if as_json:
        print_json(cases)
        return
    table = Table("case", "what", "channel", "space/operation", "seen (UTC)", "content", "resolved by")
    for case in cases:
        operation = f"{case.space}/{case.external_id}"
        seen = f"{case.seen_at:%Y-%m-%d %H:%M:%S}"
        table.add_row(str(case.number), case.what, case.channel, operation, seen, bytes(case.content).decode(), case.resolved_by)
    console().print(table)


@parked.command()
@click.argument("number", type=int)
@click.option("--by", required=True, help="Who decided.")
@data_option
def resolve(number: int, by: str, data_dir: Path | None) -> None:
    """Mark case NUMBER as resolved; an unresolved conflict blocks the closing of its day."""
    config = read_config(os.environ, data_dir=data_dir)
    with connect_or_start(config.data_dir, config) as connections:
        try:
            asyncio.run(_resolve(connections.services_dsn, number, by))
        except NotParked as error:
            raise click.ClickException(str(error)) from error
    click.echo(f"case {number} is resolved by {by}")


async def _resolve(dsn: str, number: int, by: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await resolve_parked(connection, number, by)
    finally:
        await connection.close()
