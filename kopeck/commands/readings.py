"""``kopeck readings``: meters and their readings loaded, corrected, shown, and those that are missing."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import click

from kopeck.clock import utc_now
from kopeck.commands.acting import NotDone, act_on_ledger, by_option, why_option
from kopeck.commands.load import Loader, Options, Refused, file_argument, json_option, run_load
from kopeck.commands.load import by_option as loaded_by_option
from kopeck.commands.options import data_option
from kopeck.commands.reading import console, print_json, read_ledger
from kopeck.readings_shown import print_account, print_missing
from ledger.core.entry import MOSCOW
from services.billing.core.ladder import Rung
from services.billing.core.law import LawSilent
from services.billing.core.quantities import Volume
from services.billing.law.reading import read_law
from services.billing.reading import Asked, read_rungs
from services.billing.readings.counters import take_registers
from services.billing.readings.fields import FACT_KINDS
from services.billing.readings.files import load_readings
from services.billing.readings.intake import IntakeTerms, Outcome, ReadingRefused, Replacement, replace_reading
from services.billing.readings.loading import load_facts
from services.billing.readings.showing import AccountPlace, ShownReading, find_place, list_missing, list_readings
from services.billing.stock import fields
from services.reference.loading import Connection, LoadReport, LoadTerms, Progress
from services.reference.rows import FieldFault

READINGS = "readings"
_PERIOD = re.compile(r"((?:19|20)[0-9]{2})-(0[1-9]|1[0-2])", re.ASCII)


@click.group()
def readings() -> None:
    """Meters' readings: taken, judged, corrected, shown."""


@readings.command()
@file_argument
@click.option(
    "--what", type=click.Choice((READINGS, *FACT_KINDS)), default=READINGS, show_default=True, help="What the file holds."
)
@click.option("--open-from", default="", help="The first month that is not closed, YYYY-MM: readings count for none before it.")
@click.option("--dry-run", "is_dry_run", is_flag=True, help="Check and write everything, then undo it.")
@data_option
@loaded_by_option
@json_option
def load(file: Path, what: str, open_from: str, is_dry_run: bool, data_dir: Path | None, by: str, as_json: bool) -> None:
    """Load a CSV, JSON Lines or XLSX file.

    A file not in the promised form is refused whole. Readings that cannot be true are parked or refused one by one, as warnings
    with their lines say; the same reading again changes nothing.
    """
    options = Options(data_dir=data_dir, by=by, as_json=as_json, is_dry_run=is_dry_run)
    with _law_told():
        run_load(file, _loader(what, _period(open_from) if open_from else 0), options)


def _loader(what: str, open_from: int) -> Loader:
    async def load_given(connection: Connection, path: Path, terms: LoadTerms, told: Progress) -> LoadReport:
        law = await read_law(connection)
        intake = IntakeTerms(law=law, at=utc_now(), by=terms.loaded_by, open_from=open_from)
        return await load_readings(connection, path, intake, terms, told)

    async def load_kind(connection: Connection, path: Path, terms: LoadTerms, told: Progress) -> LoadReport:
        return await load_facts(connection, path, FACT_KINDS[what], terms, told)

    return load_given if what == READINGS else load_kind


@readings.command("take-registers")
@click.option("--open-from", default="", help="The first month that is not closed, YYYY-MM.")
@by_option
@data_option
@json_option
def take_registers_command(open_from: str, by: str, data_dir: Path | None, as_json: bool) -> None:
    """Take the readings that came with payments in registers and were not taken yet."""

    async def take(connection: Connection) -> tuple[Outcome, ...]:
        law = await read_law(connection)
        terms = IntakeTerms(law=law, at=utc_now(), by=by, open_from=_period(open_from) if open_from else 0)
        return await take_registers(connection, terms)

    with _law_told():
        outcomes = act_on_ledger(data_dir, take)
    if as_json:
        print_json(outcomes)
        return
    for outcome in outcomes:
        if outcome.message:
            click.echo(f"{outcome.verdict.value}: {outcome.message}", err=True)
    click.echo(
        f"{len(outcomes)} values, {sum(outcome.reading > 0 and not outcome.is_repeat for outcome in outcomes)} new readings."
    )


@readings.command()
@click.argument("number", type=click.IntRange(1))
@click.option("--value", default="", help="The right value; without it the reading is taken away.")
@click.option("--rolled", is_flag=True, help="The dial passed zero since the reading before.")
@by_option
@why_option
@data_option
def correct(number: int, value: str, rolled: bool, by: str, why: str, data_dir: Path | None) -> None:
    """Let another reading stand for reading NUMBER, or none; the old one stays to be seen."""
    try:
        volume = Volume(fields.quantity(value)) if value else None
    except FieldFault as fault:
        raise NotDone(f"--value {fault}") from fault

    async def act(connection: Connection) -> int:
        decided = Replacement(reading=number, value=volume, why=why, by=by, at=utc_now(), rolled=rolled)
        async with connection.transaction():
            return await replace_reading(connection, decided)

    try:
        made = act_on_ledger(data_dir, act)
    except ReadingRefused as error:
        raise NotDone(str(error)) from error
    click.echo(f"Reading {made} stands for {number}.")


@readings.command()
@click.option("--house", default="", help="Of one house, by its code.")
@click.option("--period", "month", default="", help="The month, YYYY-MM; this month by default.")
@data_option
@json_option
def missing(house: str, month: str, data_dir: Path | None, as_json: bool) -> None:
    """List meters without a reading for the month, with their last one and how many months ago it was."""
    period = _period(month)
    found = read_ledger(data_dir, lambda connection: list_missing(connection, period, house))
    if as_json:
        print_json(found)
    else:
        print_missing(console(), period, found)


@readings.command()
@click.argument("account", metavar="NAMESPACE:NUMBER")
@click.option("--period", "month", default="", help="The month whose volumes are shown, YYYY-MM; this month by default.")
@data_option
@json_option
def show(account: str, month: str, data_dir: Path | None, as_json: bool) -> None:
    """Show an account's readings, what became of each, and where the month's volumes come from. Exit code 2: no such account."""
    period = _period(month)
    today = _today()

    async def read(connection: Connection) -> tuple[AccountPlace | None, list[ShownReading], dict[str, Rung]]:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            place = await find_place(connection, account, date(period // 100, period % 100, 1))
            if place is None:
                return None, [], {}
            law = await read_law(connection)
            rungs = await read_rungs(connection, place.house, place.premises, law, Asked(period=period, today=today))
            return place, await list_readings(connection, place), rungs

    with _law_told():
        place, kept, rungs = read_ledger(data_dir, read)
    if place is None:
        raise NotDone(f"account {account!r} stands in no premises of the stock in {period // 100}-{period % 100:02d}")
    if as_json:
        told = {service: {"rung": rung, "reason": rung.reason} for service, rung in rungs.items()}
        print_json({"place": place, "period": period, "volumes": told, "readings": kept})
    else:
        print_account(console(), period, place, rungs, kept)


@contextmanager
def _law_told() -> Iterator[None]:
    """A law that says nothing ends the command with what is missing."""
    try:
        yield
    except LawSilent as error:
        raise Refused(f"{error}: load the law with kopeck law") from error


def _today() -> date:
    return utc_now().astimezone(MOSCOW).date()


def _period(month: str) -> int:
    if not month:
        today = _today()
        return today.year * 100 + today.month
    match = _PERIOD.fullmatch(month)
    if match is None:
        raise Refused(f"{month[:40]!r} is no month: expected YYYY-MM")
    return int(match[1]) * 100 + int(match[2])
