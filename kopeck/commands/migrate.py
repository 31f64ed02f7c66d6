"""``kopeck migrate``: bring the ledger's database to this program's version, the law's rows that it ships included."""

import asyncio
import importlib.metadata
import os
from pathlib import Path

import asyncpg
import click

from kopeck.clock import utc_now
from kopeck.commands.options import data_option
from kopeck.config import read_config
from kopeck.embedded.servers import Connections, connect_or_start
from ledger.migrate import migrate as apply_migrations
from ledger.migrate import set_role_passwords
from services.billing.law.proposing import load_shipped


@click.command()
@data_option
def migrate(data_dir: Path | None) -> None:
    """Apply the migrations that the database does not have yet."""
    config = read_config(os.environ, data_dir=data_dir)
    with connect_or_start(config.data_dir, config) as connections:
        applied = asyncio.run(migrate_ledger(connections))
    numbers = ", ".join(f"{number:04d}" for number in applied)
    click.echo(f"applied: {numbers}" if applied else "nothing to apply")


async def migrate_ledger(connections: Connections) -> tuple[int, ...]:
    """Migrate as the owner and, on our own server, let the ledger's roles log in; the numbers applied.

    Rows of law that this release brings are loaded then, by the services' role; a repeat adds nothing.
    """
    connection = await asyncpg.connect(connections.owner_dsn)
    try:
        applied = await apply_migrations(connection)
        await set_role_passwords(connection, connections.role_passwords)
    finally:
        await connection.close()
    services = await asyncpg.connect(connections.services_dsn)
    try:
        await load_shipped(services, importlib.metadata.version("kopeck"), utc_now())
    finally:
        await services.close()
    return applied
