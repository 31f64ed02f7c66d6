"""``kopeck reconcile``: a bank day held against its statement, explained, and closed by two people (docs/reconciliation.md)."""

import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import click

from kopeck.clock import utc_now
from kopeck.commands.acting import NotDone, act_on_ledger, by_option
from kopeck.commands.options import data_option
from kopeck.commands.reading import console, json_option, print_json, read_ledger
from kopeck.reconciliation_shown import print_month, print_report, protocol_for_json, protocol_text
from ledger.core.entry import MOSCOW
from ledger.feed import Connection
from schemas.ids import Transit
from services.reconciliation.backlog import list_backlog
from services.reconciliation.closing import NotClosed, Signed, explain, list_transit_accounts, set_statement_required, sign_day
from services.reconciliation.core.words import Explanation
from services.reconciliation.months import MonthReport, inspect_month, sign_month
from services.reconciliation.reading import NoSuchDay
from services.reconciliation.report import DayReport
from services.reconciliation.report import reconcile as reconcile_day
from services.reconciliation.signed import DAY, MONTH, Protocol, check_protocol, find_protocol

EXIT_NOT_CLEAN = 1
DATE = click.DateTime(formats=["%Y-%m-%d"])
MONTH_FORM = click.DateTime(formats=["%Y-%m"])
Answer = TypeVar("Answer")

transit_option = click.option("--transit", help="The transit account's 20 digits; needed when there are several.")
day_argument = click.argument("day", type=DATE, metavar="DATE")


class DayGroup(click.Group):
    """A group whose first argument may be a date: then the day is reconciled."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the command ``day`` in front of what is no command of ours."""
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["day", *args]
        return super().parse_args(ctx, args)


@click.group(cls=DayGroup, subcommand_metavar="DATE | COMMAND [ARGS]...")
def reconcile() -> None:
    """Reconcile a bank day with the bank's statement: `kopeck reconcile DATE`; explain, close, protocol, month."""


@reconcile.command()
@day_argument
@click.option("--transit", help="Only this transit account, by its 20 digits; all that have the day by default.")
@data_option
@json_option
def day(day: datetime, transit: str | None, data_dir: Path | None, as_json: bool) -> None:
    """Show how every line and entry of a day ended. Exit code 1: not clean; 2: no such day."""

    async def read(connection: Connection) -> list[tuple[DayReport, Protocol | None, tuple[str, ...]]]:
        found = []
        for number in await _transits(connection, transit):
            try:
                report = await reconcile_day(connection, number, day.date())
            except NoSuchDay:
                if transit is not None:
                    raise
                continue
            protocol = await find_protocol(connection, number, DAY, day.date())
            closed = protocol is not None and protocol.is_closed
            found.append((report, protocol, await check_protocol(connection, protocol) if protocol and closed else ()))
        return found

    found = _told(lambda: read_ledger(data_dir, read))
    if not found:
        raise NotDone(f"операционного дня {day:%Y-%m-%d} нет ни у одного транзитного счёта")
    if as_json:
        print_json([{"report": report, "closed_by": _closed(protocol), "faults": faults} for report, protocol, faults in found])
    else:
        _print_days(found)
    if any(faults or not _is_done(report, protocol) for report, protocol, faults in found):
        sys.exit(EXIT_NOT_CLEAN)


def _print_days(found: list[tuple[DayReport, Protocol | None, tuple[str, ...]]]) -> None:
    out = console()
    for report, protocol, faults in found:
        if protocol is not None and protocol.is_closed:
            out.print(protocol_text(protocol))
        else:
            print_report(out, report)
        for fault in faults:
            out.print(f"! {fault}")


def _is_done(report: DayReport, protocol: Protocol | None) -> bool:
    return report.is_clean or (protocol is not None and protocol.is_closed)


def _closed(protocol: Protocol | None) -> object:
    return protocol_for_json(protocol) if protocol is not None and protocol.is_closed else None


@reconcile.command(name="explain")
@day_argument
@click.argument("places", nargs=-1, required=True, metavar="PLACE...")
@click.option("--text", required=True, help="Why it does not match; it stands in the protocol.")
@by_option
@transit_option
@data_option
def explain_command(
    day: datetime, places: tuple[str, ...], text: str, by: str, transit: str | None, data_dir: Path | None
) -> None:
    """Explain items of a day: PLACE as shown (line:12, 0:345, difference, technical). Never changed: say more by another."""

    async def act(connection: Connection) -> None:
        number = await _one_transit(connection, transit)
        await explain(connection, number, day.date(), places, Explanation(text=text, by=by, at=utc_now()))

    _told(lambda: act_on_ledger(data_dir, act))
    click.echo(f"объяснено: {', '.join(places)}")


@reconcile.command()
@day_argument
@by_option
@transit_option
@data_option
@json_option
def close(day: datetime, by: str, transit: str | None, data_dir: Path | None, as_json: bool) -> None:
    """Sign the protocol of a day; the second of two people closes it for good."""

    async def act(connection: Connection) -> Signed:
        return await sign_day(connection, await _one_transit(connection, transit), day.date(), by, utc_now())

    _tell_signed(_told(lambda: act_on_ledger(data_dir, act)), as_json=as_json)


@reconcile.command()
@day_argument
@transit_option
@data_option
@json_option
def protocol(day: datetime, transit: str | None, data_dir: Path | None, as_json: bool) -> None:
    """Show the protocol of a day, with its SHA-256 and signatures. Exit code 2: nobody has begun to close it."""

    async def read(connection: Connection) -> Protocol | None:
        return await find_protocol(connection, await _one_transit(connection, transit), DAY, day.date())

    _show_protocol(_told(lambda: read_ledger(data_dir, read)), as_json=as_json)


@reconcile.command()
@click.argument("month", type=MONTH_FORM, metavar="YYYY-MM")
@click.option("--close", "closes", is_flag=True, help="Sign its protocol; the second of two people closes it.")
@click.option("--protocol", "shows", is_flag=True, help="Show its protocol.")
@click.option("--by", help="Who signs.")
@transit_option
@data_option
@json_option
def month(
    month: datetime, closes: bool, shows: bool, by: str | None, transit: str | None, data_dir: Path | None, as_json: bool
) -> None:
    """Check a month, or sign its protocol. Exit code 1: something is in the way."""
    first = month.date()
    if closes:
        if not by:
            raise click.UsageError("--close needs --by NAME")

        async def act(connection: Connection) -> Signed:
            return await sign_month(connection, await _one_transit(connection, transit), first, (by or "", utc_now()))

        _tell_signed(_told(lambda: act_on_ledger(data_dir, act)), as_json=as_json)
        return

    async def read(connection: Connection) -> tuple[MonthReport, Protocol | None]:
        number = await _one_transit(connection, transit)
        return await inspect_month(connection, number, first), await find_protocol(connection, number, MONTH, first)

    report, found = _told(lambda: read_ledger(data_dir, read))
    if shows:
        _show_protocol(found, as_json=as_json)
        return
    if as_json:
        print_json(report)
    else:
        print_month(console(), report)
    if report.faults:
        sys.exit(EXIT_NOT_CLEAN)


@reconcile.command()
@click.argument("transit")
@click.option("--required/--not-required", required=True, help="Whether a day closes by the bank's final statement only.")
@by_option
@data_option
def statement(transit: str, required: bool, by: str, data_dir: Path | None) -> None:
    """Say whether days of a transit account need a final statement, from now on."""

    async def act(connection: Connection) -> None:
        await set_statement_required(connection, await _one_transit(connection, transit), required, by, utc_now())

    _told(lambda: act_on_ledger(data_dir, act))
    click.echo(f"{transit}: итоговая выписка {'требуется' if required else 'не требуется'}")


@reconcile.command()
@data_option
@json_option
def waiting(data_dir: Path | None, as_json: bool) -> None:
    """Show what waits: days not closed, late news of closed days, the oldest promise."""
    today = utc_now().astimezone(MOSCOW).date()
    found = read_ledger(data_dir, lambda connection: list_backlog(connection, today))
    if as_json:
        print_json(found)
        return
    for one in found:
        told = [f"не закрыто дней {one.unreconciled_days}"]
        if one.oldest_unreconciled is not None:
            told.append(f"первый {one.oldest_unreconciled:%d.%m.%Y}")
        if one.oldest_promised is not None:
            told.append(f"старейшее обещание {one.oldest_promised:%d.%m.%Y}, рабочих дней {one.oldest_promised_working_days}")
        if one.late_items:
            told.append(f"опоздавших сведений {one.late_items}")
        click.echo(f"{one.account}: {', '.join(told)}")


def _tell_signed(signed: Signed, *, as_json: bool) -> None:
    if as_json:
        print_json({**protocol_for_json(signed.protocol), "superseded": signed.superseded})
        return
    if signed.superseded:
        click.echo("с первой подписи что-то изменилось: составлен новый протокол, его подписывают заново оба")
    last = signed.protocol.signatures[-1]
    click.echo(f"подписал {last.person}: {'закрыто' if signed.protocol.is_closed else 'нужна подпись второго лица'}")
    click.echo(f"SHA-256 {signed.protocol.digest.hex()}")


def _show_protocol(found: Protocol | None, *, as_json: bool) -> None:
    if found is None:
        raise NotDone("протокола нет: никто ещё не подписывал")
    if as_json:
        print_json(protocol_for_json(found))
    else:
        click.echo(protocol_text(found))


async def _transits(connection: Connection, account: str | None) -> tuple[Transit, ...]:
    known = await list_transit_accounts(connection)
    if account is None:
        return tuple(known.values())
    if account not in known:
        raise NotDone(f"{account} не транзитный счёт; заведены: {', '.join(sorted(known)) or 'никакие'}")
    return (known[account],)


async def _one_transit(connection: Connection, account: str | None) -> Transit:
    found = await _transits(connection, account)
    if len(found) != 1:
        raise NotDone("назовите счёт: --transit")
    return found[0]


def _told(work: Callable[[], Answer]) -> Answer:
    """Run ``work``; what cannot be done is one line and exit code 2."""
    try:
        return work()
    except (NotClosed, NoSuchDay) as error:
        raise NotDone(str(error)) from error
