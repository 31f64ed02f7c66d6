"""``kopeck billing corrections`` and ``adjust``: closed months corrected in an open one (docs/billing-corrections.md)."""

import sys
from datetime import date, datetime
from pathlib import Path

import click
import msgspec

from kopeck.billing_shown import progress_bar
from kopeck.billing_sources import find_provider
from kopeck.clock import utc_now
from kopeck.commands.acting import NotDone, act_on_ledger, by_option, why_option
from kopeck.commands.billing import EXIT_NOT_CLEAN, Pool, billing, period_argument, period_of_text, refusals_told, with_pool
from kopeck.commands.load import Options, run_load
from kopeck.commands.options import data_option
from kopeck.commands.reading import console, json_option, print_json, read_ledger
from kopeck.recalculation_shown import print_decided, print_fines, print_found, print_sums, print_taken
from ledger.core.entry import MOSCOW
from services.billing.core.engine import calculate_house
from services.billing.core.month import Adjustment
from services.billing.corrections.candidates import Search
from services.billing.corrections.comparing import Compared, Comparing
from services.billing.corrections.deciding import (
    Answer,
    Basis,
    Decided,
    DecidedSum,
    Month,
    WaitingSum,
    answer_proposals,
    fetch_limit,
    find_month,
    list_decided,
    list_waiting,
    set_limit,
    write_off,
)
from services.billing.corrections.files import KINDS, adjust, load_adjustments, roubles
from services.billing.corrections.fines import Claim, Fined, decide_fines
from services.billing.corrections.taking import Taken, Taking, begin_take, count_waiting, find_corrections, take
from services.billing.corrections.yearly import GROUPS, Yearly, correct_year, list_year_houses
from services.billing.law.reading import read_law
from services.billing.runs.keeping import Person, RunRefused
from services.billing.runs.sources import Connection
from services.reference.loading import LoadReport, LoadTerms, Progress
from services.reference.rows import FieldFault, free_text

SHOWN_MAX = 200

__all__ = ["billing"]

provider_option = click.option("--provider", help="Code of the provider; needed when several bill houses.")
house_option = click.option("--house", "houses", multiple=True, help="Look at this house whatever was loaded; may be repeated.")
of_option = click.option(
    "--of", "periods", multiple=True, callback=lambda _c, _p, given: tuple([month_named(one) for one in given]),
    help="Look at this closed month whatever was loaded, YYYY-MM; may be repeated.",
)  # fmt: skip
in_option = click.option("--in", "period", required=True, callback=period_of_text, metavar="YYYY-MM", help="The open month.")


def month_named(text: str) -> int:
    """Return a month YYYY-MM as a period."""
    try:
        read = datetime.strptime(text, "%Y-%m")
    except ValueError as error:
        raise click.BadParameter(f"{text[:40]!r} is no month: expected YYYY-MM") from error
    return read.year * 100 + read.month


@billing.group()
def corrections() -> None:
    """Closed months corrected in an open one: what is to be recalculated, taken, corrected for a year, decided."""


@corrections.command()
@period_argument
@provider_option
@house_option
@of_option
@data_option
@json_option
def find(period: int, provider: str | None, houses: tuple[str, ...], periods: tuple[int, ...], **given: object) -> None:
    """Show what an open month would correct of closed ones; nothing is written. Exit code 1: houses are in the way."""

    async def work(pool: Pool) -> tuple[Compared, ...]:
        async with pool.acquire() as connection:
            month, search, comparing = await _doors(connection, provider, period, (houses, periods))
            return tuple([one async for one in find_corrections(connection, month, search, comparing)])

    found = refusals_told(lambda: with_pool(_data(given), work))
    if given["as_json"]:
        print_json(found)
    else:
        print_found(console(), found, SHOWN_MAX)
    if any(one.reason for one in found):
        sys.exit(EXIT_NOT_CLEAN)


@corrections.command("take")
@period_argument
@provider_option
@house_option
@of_option
@by_option
@data_option
@json_option
def take_command(period: int, provider: str | None, houses: tuple[str, ...], periods: tuple[int, ...], **given: object) -> None:
    """Decide the corrections of an open month, or go on with it; again it adds nothing. Exit code 1: houses are in the way."""
    by = Person(name=str(given["by"]), at=utc_now())

    async def work(pool: Pool) -> Taken:
        async with pool.acquire() as connection:
            month, search, comparing = await _doors(connection, provider, period, (houses, periods))
            taking = Taking(search=search, comparing=comparing, by=by, clock=utc_now)
            waiting = await count_waiting(connection, await begin_take(connection, month, taking))
        with progress_bar("houses", waiting) as advance:
            return await take(pool, month, msgspec.structs.replace(taking, progress=advance))

    taken = refusals_told(lambda: with_pool(_data(given), work))
    if given["as_json"]:
        print_json(taken)
    else:
        print_taken(console(), taken)
    if taken.open or taken.parked:
        sys.exit(EXIT_NOT_CLEAN)


@corrections.command()
@click.argument("year", type=click.IntRange(1991, 2099))
@click.option("--service", "group", type=click.Choice(tuple(GROUPS)), required=True, help="What is corrected.")
@in_option
@provider_option
@click.option("--house", "houses", multiple=True, help="Only this house; may be repeated.")
@click.option("--dry-run", "is_found_only", is_flag=True, help="Show what would be decided.")
@by_option
@data_option
@json_option
def yearly(year: int, group: str, period: int, provider: str | None, houses: tuple[str, ...], **given: object) -> None:
    """Correct a year to its volumes by meters, in an open month, once. Exit code 1: houses are in the way."""
    by = Person(name=str(given["by"]), at=utc_now())

    async def work(pool: Pool) -> tuple[Compared, ...]:
        async with pool.acquire() as connection:
            month, _, comparing = await _doors(connection, provider, period, ((), ()))
            asked = Yearly(year=year, group=group, comparing=comparing, by=by)
            listed = await list_year_houses(connection, month, asked)
        found: list[Compared] = []
        unknown = sorted(set(houses) - set(listed))
        if unknown:
            raise RunRefused(f"домов нет у исполнителя: {', '.join(unknown)}")
        chosen = [house for house in listed if not houses or house in houses]
        with progress_bar("houses", len(chosen)) as advance:
            for house in chosen:
                found += await correct_year(pool, month, house, asked, is_found_only=bool(given["is_found_only"]))
                advance(1)
        return tuple(found)

    found = refusals_told(lambda: with_pool(_data(given), work))
    if given["as_json"]:
        print_json(found)
    else:
        print_found(console(), found, SHOWN_MAX)
    if any(one.reason for one in found):
        sys.exit(EXIT_NOT_CLEAN)


@corrections.command()
@period_argument
@provider_option
@click.option("--account", default="", metavar="NS:NUMBER", help="Only this account.")
@data_option
@json_option
def decided(period: int, provider: str | None, account: str, data_dir: Path | None, as_json: bool) -> None:
    """Show sums decided for a month, which of them are charged, and which wait for a second person."""

    async def read(connection: Connection) -> tuple[tuple[DecidedSum, ...], tuple[WaitingSum, ...]]:
        month = await _month(connection, provider, period)
        return await list_decided(connection, month, account), await list_waiting(connection, month, account)

    sums, waiting = refusals_told(lambda: read_ledger(data_dir, read))
    if as_json:
        shown = [{**msgspec.structs.asdict(one), "is_charged": one.is_charged} for one in sums]
        print_json({"decided": shown, "waiting": waiting})
    else:
        print_sums(console(), sums, waiting)


@corrections.command()
@period_argument
@click.argument("proposals", nargs=-1, type=click.IntRange(min=1))
@click.option("--all", "is_all", is_flag=True, help="All that wait in the month.")
@click.option("--decline", "why", default="", metavar="WHY", help="Decline them for this reason.")
@provider_option
@by_option
@data_option
def answer(period: int, proposals: tuple[int, ...], is_all: bool, why: str, **given: object) -> None:
    """Confirm large sums as the second person, so that the month charges them; or decline them."""
    if is_all == bool(proposals):
        raise click.UsageError("name the sums, or --all")
    said = Answer(is_confirmed=not why, proposals=proposals, why=why)
    by = Person(name=str(given["by"]), at=utc_now())

    async def act(connection: Connection) -> int:
        return await answer_proposals(connection, await _month(connection, given["provider"], period), said, by)

    done = refusals_told(lambda: act_on_ledger(_data(given), act))
    click.echo(f"{'подтверждено' if said.is_confirmed else 'отклонено'} сумм: {done}")


@corrections.command("write-off")
@click.argument("adjustment", type=click.IntRange(min=1))
@by_option
@why_option
@data_option
def write_off_command(adjustment: int, by: str, why: str, data_dir: Path | None) -> None:
    """Write a decided sum off as a second person: it is charged to nobody, and its month may close."""
    who = Person(name=by, at=utc_now())
    number = refusals_told(lambda: act_on_ledger(data_dir, lambda connection: write_off(connection, adjustment, who, why)))
    click.echo(f"сумма {adjustment} списана суммой {number}")


@corrections.command("limit")
@click.option("--set", "amount", default="", metavar="ROUBLES", help="Ask a second person above this from now on.")
@click.option("--by", default="", help="Who sets it.")
@data_option
def limit_command(amount: str, by: str, data_dir: Path | None) -> None:
    """Show, or set, from how much on an account's sums of one month need a second person."""
    kopecks = _roubles(amount) if amount else None
    if kopecks is not None and (kopecks < 0 or not by):
        raise click.UsageError("--set needs --by and a sum above zero")

    async def act(connection: Connection) -> int:
        if kopecks is not None:
            await set_limit(connection, kopecks, Person(name=by, at=utc_now()))
        return await fetch_limit(connection)

    known = refusals_told(lambda: act_on_ledger(data_dir, act))
    click.echo(f"второе лицо нужно, если счёту за месяц решено больше {known // 100}.{known % 100:02d} ₽")


@corrections.command()
@in_option
@click.option("--account", required=True, metavar="NS:NUMBER")
@click.option("--claimed", type=click.DateTime(["%Y-%m-%d"]), help="The day on which the consumer claimed.")
@click.option("--paid", type=click.DateTime(["%Y-%m-%d"]), help="The day on which he paid the overcharge.")
@click.option("--mended", type=click.DateTime(["%Y-%m-%d"]), help="The day of the correction; when it was decided by default.")
@click.option("--payers-fault", "is_payers_fault", is_flag=True, help="The consumer is to blame for the overcharge.")
@provider_option
@by_option
@data_option
@json_option
def fine(period: int, account: str, provider: str | None, **given: object) -> None:
    """Decide the provider's fine for overcharges of an account that the open month corrects (п. 155(1)), each once."""
    days = {name: _day(given[name]) for name in ("claimed", "paid", "mended")}
    claim = Claim(
        account=account,
        claimed_on=days["claimed"],
        paid_on=days["paid"],
        mended_on=days["mended"],
        is_payers_fault=bool(given["is_payers_fault"]),
    )
    by = Person(name=str(given["by"]), at=utc_now())

    async def act(connection: Connection) -> tuple[Fined, ...]:
        month = await _month(connection, provider, period)
        return await decide_fines(connection, month, claim, await read_law(connection), by)

    fined = refusals_told(lambda: act_on_ledger(_data(given), act))
    if given["as_json"]:
        print_json(fined)
    else:
        print_fines(console(), fined)


@billing.command("adjust")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@in_option
@click.option("--account", metavar="NS:NUMBER")
@click.option("--service", help="Code of the service.")
@click.option("--period", "of_period", metavar="YYYY-MM", help="The closed month that the sum corrects.")
@click.option("--amount", metavar="ROUBLES", help="Below zero: given back.")
@click.option("--kind", type=click.Choice(tuple(KINDS)), default="correction", show_default=True)
@click.option("--cause", help="What the payer is told.")
@click.option("--apart", "is_apart", is_flag=True, help="Beside the calculation: later recalculations leave it as it is.")
@provider_option
@by_option
@data_option
def adjust_command(file: Path | None, period: int, provider: str | None, by: str, data_dir: Path | None, **given: object) -> None:
    """Decide a sum of a closed month for the open one, or a FILE of them.

    Columns: account, service, of_period, amount, cause; kind (correction, fine) and basis (counted, apart). Amounts are
    roubles. A file is decided whole or not at all, with faults by line and exit code 2.
    """
    who = Person(name=by, at=utc_now())
    named = {name: given[name] for name in ("account", "service", "of_period", "amount", "cause")}
    if file is not None:
        if any(value is not None for value in named.values()) or given["is_apart"]:
            raise click.UsageError("a file says it all: leave the other options out")
        _adjust_file(file, (provider, period, who), data_dir)
        return
    if not all(named.values()):
        raise click.UsageError("a FILE, or --account, --service, --period, --amount and --cause")
    one = _adjustment({**named, "kind": given["kind"]})
    basis = Basis.APART if given["is_apart"] else Basis.PERSON

    async def act(connection: Connection) -> Decided:
        month = await _month(connection, provider, period)
        return await adjust(connection, month, str(named["account"]), one, (who, basis))

    print_decided(console(), refusals_told(lambda: act_on_ledger(data_dir, act)))


def _adjust_file(file: Path, to: tuple[str | None, int, Person], data_dir: Path | None) -> None:
    provider, period, who = to

    async def load(connection: Connection, path: Path, terms: LoadTerms, told: Progress) -> LoadReport:
        month = await _month(connection, provider, period)
        return await load_adjustments(connection, path, (month, who), terms, told)

    refusals_told(lambda: run_load(file, load, Options(data_dir=data_dir, by=who.name, as_json=False)))


def _adjustment(given: dict[str, object]) -> Adjustment:
    try:
        cause = free_text(str(given["cause"]))
    except FieldFault as fault:
        raise NotDone(f"--cause {fault}") from fault
    return Adjustment(
        service=str(given["service"]),
        kind=KINDS[str(given["kind"])],
        amount_kopecks=_roubles(str(given["amount"])),
        cause=cause,
        of_period=month_named(str(given["of_period"])),
    )


def _roubles(text: str) -> int:
    try:
        return roubles(text)
    except FieldFault as fault:
        raise NotDone(f"{text[:40]!r} {fault}") from fault


def _day(given: object) -> date | None:
    return given.date() if isinstance(given, datetime) else None


def _data(given: dict[str, object]) -> Path | None:
    folder = given["data_dir"]
    return folder if isinstance(folder, Path) else None


async def _month(connection: Connection, provider: object, period: int) -> Month:
    code = provider if isinstance(provider, str) else None
    return await find_month(connection, await find_provider(connection, code, period), period)


async def _doors(
    connection: Connection, provider: str | None, period: int, asked: tuple[tuple[str, ...], tuple[int, ...]]
) -> tuple[Month, Search, Comparing]:
    law, today = await read_law(connection), utc_now().astimezone(MOSCOW).date()
    search = Search(law=law, today=today, houses=asked[0], periods=asked[1])
    return await _month(connection, provider, period), search, Comparing(law=law, today=today, calculating=calculate_house)
