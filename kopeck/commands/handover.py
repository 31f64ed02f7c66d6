"""``kopeck billing handover``: accounts of houses that left a provider take debts alone (docs/billing-offsets.md)."""

import sys
from pathlib import Path
from typing import NamedTuple

import click

from kopeck.clock import utc_now
from kopeck.commands.acting import act_on_ledger
from kopeck.commands.options import data_option
from kopeck.commands.reading import console, json_option, print_json
from ledger.feed import Connection
from ledger.publication import publish_accounts
from services.billing.handover import LeftAccount, keep_debts_only, list_left_accounts

EXIT_NOT_CLEAN = 1
PUBLISHER = "handover"
PERIOD_FORM = click.DateTime(formats=["%Y-%m"])


class _Left(NamedTuple):
    accounts: tuple[LeftAccount, ...]
    published: int
    failed: tuple[str, ...]


@click.command()
@click.argument("month", type=PERIOD_FORM, metavar="YYYY-MM")
@click.option("--provider", required=True, help="Code of the provider that was left.")
@click.option("--dry-run", is_flag=True, help="Only list the accounts.")
@data_option
@json_option
def handover(month: object, provider: str, dry_run: bool, data_dir: Path | None, as_json: bool) -> None:
    """Let the old accounts of houses that changed their provider within the month take payments of debts alone.

    Exit code 1: some tables could not be published; their accounts stay due.
    """
    period = int(f"{month:%Y%m}")

    async def act(connection: Connection) -> _Left:
        left = await list_left_accounts(connection, provider, period)
        if dry_run or not left:
            return _Left(left, 0, ())
        accounts = [one.account for one in left]
        await keep_debts_only(connection, accounts)
        report = await publish_accounts(connection, accounts, utc_now(), PUBLISHER)
        return _Left(left, report.published, tuple([str(error) for error in report.failed]))

    found = act_on_ledger(data_dir, act)
    if as_json:
        print_json(found._asdict())
    else:
        out = console()
        for one in found.accounts:
            out.print(f"{one.house}: {one.name}")
        done = "Только долги" if not dry_run else "Открыты, дом передан"
        out.print(f"{done}: лицевых счетов {len(found.accounts)}, таблиц опубликовано {found.published}")
        for fault in found.failed:
            out.print(f"Не опубликовано: {fault}")
    sys.exit(EXIT_NOT_CLEAN if found.failed else 0)
