"""``kopeck billing offsets``: advances that accounts still hold, and who owes whom for them (docs/billing-offsets.md)."""

import sys
from pathlib import Path
from typing import NamedTuple

import click

from kopeck.clock import utc_now
from kopeck.commands.acting import act_on_ledger
from kopeck.commands.options import data_option
from kopeck.commands.reading import console, json_option, print_json
from kopeck.offsets_shown import print_obligations, print_offsets, write_obligations
from ledger.feed import Connection
from services.billing.offsets.running import OffsetReport, run_offsets
from services.settlement.obligations import Obligation, list_obligations

EXIT_NOT_CLEAN = 1
PERIOD_FORM = click.DateTime(formats=["%Y-%m"])


class _Found(NamedTuple):
    offsets: OffsetReport
    obligations: tuple[Obligation, ...]


@click.command()
@click.argument("month", type=PERIOD_FORM, metavar="YYYY-MM")
@click.option("--dry-run", is_flag=True, help="Only say what would be offset.")
@click.option("--holder", help="Obligations of this recipient only, by its code.")
@click.option("--csv", "csv_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the obligations there as CSV.")
@data_option
@json_option
def offsets(
    month: object, dry_run: bool, holder: str | None, csv_file: Path | None, data_dir: Path | None, as_json: bool
) -> None:
    """Set advances off against published charges, and show what holders of advances owe others. Exit code 1: some failed."""
    period = int(f"{month:%Y%m}")

    async def act(connection: Connection) -> _Found:
        made = await run_offsets(connection, period, utc_now(), dry_run=dry_run)
        return _Found(made, await list_obligations(connection, period, holder))

    found = act_on_ledger(data_dir, act)
    if csv_file is not None:
        with csv_file.open("w", encoding="utf-8", newline="") as file:
            write_obligations(file, found.obligations)
    if as_json:
        print_json({"offsets": found.offsets, "obligations": found.obligations})
    else:
        print_offsets(console(), found.offsets)
        print_obligations(console(), found.obligations)
    sys.exit(EXIT_NOT_CLEAN if found.offsets.failed else 0)
