"""``kopeck month``: a month closed end to end, from its draft to its agreement and closing (docs/billing-demo.md)."""

import asyncio
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import asyncpg
import click

from kopeck.clock import utc_now
from kopeck.commands.acting import NotDone, by_option, log_to_standard_error
from kopeck.commands.billing import CONNECTIONS_MAX, period_argument
from kopeck.commands.options import data_option
from kopeck.commands.reading import json_option, ledger_config, print_json
from kopeck.embedded.servers import connect_or_start
from kopeck.month_closing import MonthClosed, close_whole_month
from kopeck.month_shown import protocol_of, verdict_of
from kopeck.month_steps import MonthMeans, MonthStopped, MonthWish
from services.billing.core.law import LawSilent
from services.billing.runs.keeping import RunRefused
from services.reference.loading import LoadBusy

EXIT_STOPPED = 1


@click.command()
@period_argument
@click.option("--provider", help="Only this provider's month; all that bill houses then by default.")
@by_option
@click.option("--approver", help="The second person, who approves; without one the month stops before approval.")
@data_option
@json_option
def month(period: int, provider: str | None, by: str, approver: str | None, data_dir: Path | None, as_json: bool) -> None:
    """Close a month end to end, or go on with it: draft, checks, approval, publication, tables, agreement, closing.

    Prints what each step came to. Exit code 1: something does not agree, or waits for a person; the month stays open.
    """
    if approver is not None and approver.strip().lower() == by.strip().lower():
        raise NotDone("утверждает не тот, кто считал: нужно второе лицо")
    wish = MonthWish(period=period, provider=provider, by=by, approver=approver)
    try:
        done = _close(wish, data_dir, is_quiet=as_json)
    except (RunRefused, LoadBusy, LawSilent) as error:
        raise NotDone(str(error)) from error
    except MonthStopped as error:
        click.echo(f"остановлено: {error}", err=as_json)
        sys.exit(EXIT_STOPPED)
    if as_json:
        print_json({"period": period, "closed": done.closed, "agrees": done.agreement.agrees, "agreement": done.agreement})
    else:
        for line in (*protocol_of(done.agreement), verdict_of(done)):
            click.echo(line)
    if not done.agreement.agrees:
        sys.exit(EXIT_STOPPED)


def _close(wish: MonthWish, data_dir: Path | None, *, is_quiet: bool) -> MonthClosed:
    async def run(dsn: str) -> MonthClosed:
        async with asyncpg.create_pool(dsn, min_size=1, max_size=CONNECTIONS_MAX) as pool:
            with ProcessPoolExecutor() as executor:
                told = (lambda line: None) if is_quiet else click.echo
                return await close_whole_month(MonthMeans(pool=pool, executor=executor, clock=utc_now, told=told), wish)

    config = ledger_config(data_dir)
    log_to_standard_error(config.log_level)
    with connect_or_start(config.data_dir, config) as connections:
        return asyncio.run(run(connections.services_dsn))
