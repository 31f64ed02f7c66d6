"""The command line: a group that imports a command's file only when the command is named."""

import importlib
import importlib.metadata
import importlib.util
from typing import Any

import click

from kopeck.config import ConfigError
from kopeck.embedded.folder import FolderError
from kopeck.embedded.leftover import ServerError
from ledger.migrate import MigrationError

EXPECTED = (ConfigError, FolderError, ServerError, MigrationError)
"""Errors whose message is all that the person at the terminal needs."""

COMMANDS = {
    "run": "kopeck.commands.run",
    "load": "kopeck.commands.load",
    "housing": "kopeck.commands.housing",
    "billing": "kopeck.commands.recalculation",
    "month": "kopeck.commands.month",
    "readings": "kopeck.commands.readings",
    "tables": "kopeck.commands.tables",
    "split": "kopeck.commands.split",
    "explain": "kopeck.commands.explain",
    "balance": "kopeck.commands.balance",
    "journal": "kopeck.commands.journal",
    "verify": "kopeck.commands.verify",
    "day": "kopeck.commands.day",
    "parked": "kopeck.commands.parked",
    "transfers": "kopeck.commands.transfers",
    "settle": "kopeck.commands.settle",
    "statements": "kopeck.commands.statements",
    "registers": "kopeck.commands.registers",
    "acquiring": "kopeck.commands.acquiring",
    "suspense": "kopeck.commands.suspense",
    "refunds": "kopeck.commands.refunds",
    "reconcile": "kopeck.commands.reconcile",
    "documents": "kopeck.commands.documents",
    "penalties": "kopeck.commands.penalties",
    "saldo": "kopeck.commands.saldo",
    "reports": "kopeck.commands.reports",
    "law": "kopeck.commands.law",
    "qr": "kopeck.commands.qr",
    "sandbox": "kopeck.commands.sandbox",
    "contracts": "kopeck.commands.contracts",
    "receipts": "kopeck.commands.receipts",
    "orders": "kopeck.commands.orders",
    "webhooks": "kopeck.commands.webhooks",
    "access": "kopeck.commands.access",
    "migrate": "kopeck.commands.migrate",
    "clean": "kopeck.commands.clean",
}
"""Command -> module; the module exports a click command named as the command."""
SUMMARY_CHARACTERS_MAX = 90


class LazyGroup(click.Group):
    """Commands in the order of COMMANDS; one that is not installed is not listed and does not break the others."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands whose module exists; nothing is imported for it."""
        return [name for name, module in COMMANDS.items() if importlib.util.find_spec(module) is not None]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command; None for a name that is not a command here."""
        if cmd_name not in self.list_commands(ctx):
            return None
        try:
            command = getattr(importlib.import_module(COMMANDS[cmd_name]), cmd_name)
        except ImportError as error:
            raise click.ClickException(f"{cmd_name} cannot be loaded: {error}") from error
        if not isinstance(command, click.Command):
            raise TypeError(f"{COMMANDS[cmd_name]}.{cmd_name} is not a click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands; one that cannot be loaded is listed with the reason."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._summary(ctx, name)) for name in self.list_commands(ctx)])

    def _summary(self, ctx: click.Context, name: str) -> str:
        try:
            command = self.get_command(ctx, name)
        except click.ClickException as error:
            return error.message
        return "" if command is None else command.get_short_help_str(SUMMARY_CHARACTERS_MAX)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; an expected error becomes one message and exit code 1 instead of a traceback."""
        try:
            return super().invoke(ctx)
        except EXPECTED as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="kopeck")
def main() -> None:
    """Kopeck splits housing-and-utilities (ЖКУ) payments and keeps the ledger of them."""
