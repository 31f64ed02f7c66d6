"""``kopeck contracts``: what is agreed with banks and recipients, and whom nothing is paid to (docs/settlement.md)."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime, time
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import available_timezones

import asyncpg
import click
import msgspec

from kopeck.commands.acting import NotDone, act_on_ledger, by_option
from kopeck.commands.options import data_option
from ledger.feed import Connection
from schemas.money import MoneyError, kopecks_from_roubles, roubles_for_people
from services.requisites import account_key_is_valid, inn_is_valid, kpp_is_valid
from services.settlement.rules.screening import LegalLimit, StopEntry
from services.settlement.terms import (
    CommissionRow,
    ContractRow,
    ServiceName,
    TermsRefused,
    TransitTerms,
    add_commission,
    add_contracts,
    add_legal_limit,
    add_stop_entries,
    read_csv,
    read_rows,
    set_approval_limit,
    set_service_names,
    set_transit_terms,
)
from services.settlement.waiting import find_transit_terms

Row = TypeVar("Row", bound=msgspec.Struct)

DATE = click.DateTime(formats=["%Y-%m-%d"])
INN_OF_ORGANISATION = 10

file_argument = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.group()
def contracts() -> None:
    """Contracts, commission, stop lists, limits, and how transit accounts pay.

    Files are JSON Lines, or CSV with the same columns where the name ends with .csv, taken whole or not at all; exit code 2 and
    the line or the row when one is refused.
    """


@contracts.command()
@file_argument
@data_option
def load(file: Path, data_dir: Path | None) -> None:
    """Add contracts with recipients; known codes stay as they are."""
    _load(data_dir, _rows(file, ContractRow), add_contracts)


@contracts.command()
@file_argument
@data_option
def commission(file: Path, data_dir: Path | None) -> None:
    """Add commission terms of days to come."""
    _load(data_dir, _rows(file, CommissionRow), add_commission)


@contracts.command("stop-list")
@file_argument
@data_option
def stop_list(file: Path, data_dir: Path | None) -> None:
    """Add entries of stop lists; a known entry gets the last day that the file gives."""

    async def add(connection: Connection, rows: Iterable[StopEntry]) -> int:
        entries = list(rows)
        await add_stop_entries(connection, entries)
        return len(entries)

    _load(data_dir, _rows(file, StopEntry), add)


@contracts.command()
@file_argument
@data_option
def limits(file: Path, data_dir: Path | None) -> None:
    """Add dated limits of 115-ФЗ; an order that reaches one waits for two people."""

    async def add(connection: Connection, rows: Iterable[LegalLimit]) -> int:
        added = 0
        async with connection.transaction():
            for row in rows:
                await add_legal_limit(connection, row)
                added += 1
        return added

    _load(data_dir, _rows(file, LegalLimit), add)


@contracts.command("service-names")
@file_argument
@data_option
def service_names(file: Path, data_dir: Path | None) -> None:
    """Set how services are called in the purposes of orders; a service without a name is left out there."""

    async def name(connection: Connection, rows: Iterable[ServiceName]) -> int:
        names = {row.service: row.name for row in rows}
        await set_service_names(connection, names)
        return len(names)

    _load(data_dir, _rows(file, ServiceName), name)


@contracts.command("approval-limit")
@click.argument("roubles")
@click.option("--since", type=DATE, required=True, help="The first day.")
@by_option
@data_option
def approval_limit(roubles: str, since: datetime, by: str, data_dir: Path | None) -> None:
    """Let two people approve every order of ROUBLES or more, from a day on."""
    try:
        amount = kopecks_from_roubles(roubles)
    except MoneyError as error:
        raise click.BadParameter(str(error), param_hint="ROUBLES") from error
    if amount <= 0:
        raise click.BadParameter("must be above nought", param_hint="ROUBLES")
    _act(data_dir, lambda connection: set_approval_limit(connection, since.date(), amount, by))
    click.echo(f"from {since:%Y-%m-%d} on two people approve orders of {roubles_for_people(amount)} ₽ or more")


@contracts.command()
@click.argument("account")
@click.option("--inn", "payer_inn", help="ИНН of the payer: the bank, where 40911 is its own.")
@click.option("--kpp", "payer_kpp", help="КПП of the payer.")
@click.option("--name", "payer_name", help="The payer's name; the account's title by default.")
@click.option("--bank-name", "payer_bank_name", help="The payer's bank.")
@click.option("--correspondent", "payer_correspondent", help="The bank's correspondent account.")
@click.option("--counterparty", help="Connection by which registers leave.")
@click.option("--contracts-required/--contracts-optional", default=None, help="Whether money without a contract waits.")
@click.option("--cut-time", "cut_times", multiple=True, metavar="HH:MM", help="Time of a cut; may stand several times.")
@click.option("--time-zone", help="The bank's zone of the IANA database.")
@data_option
def transit(account: str, data_dir: Path | None, **given: object) -> None:
    """Set how the transit account ACCOUNT pays; what is not given stays as it is."""
    wanted = {name: value for name, value in given.items() if value not in (None, ())}

    async def act(connection: Connection) -> TransitTerms:
        found = await find_transit_terms(connection, account)
        if found is None:
            raise NotDone(f"no transit account {account}")
        terms = _terms(found, wanted)
        await set_transit_terms(connection, terms)
        return terms

    terms = _act(data_dir, act)
    times = ", ".join(f"{one:%H:%M}" for one in terms.cut_times)
    click.echo(f"{account}: ИНН {terms.payer_inn}, registers leave by {terms.counterparty}, cuts at {times} {terms.time_zone}")


def _terms(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> TransitTerms:
    """Join what stands with what is wanted; raises NotDone for what a bank would refuse."""
    kept = {name: value for name, value in found.items() if value is not None and name != "bic"}
    joined = {"payer_inn": "", "payer_kpp": "", **kept, **wanted}
    joined["cut_times"] = tuple([_time(one) for one in joined["cut_times"]]) if "cut_times" in joined else (time(20, 30),)
    terms: TransitTerms = msgspec.convert(joined, TransitTerms)
    if not inn_is_valid(terms.payer_inn):
        raise NotDone("--inn: the payer's ИНН is missing or its check digits are wrong")
    if len(terms.payer_inn) == INN_OF_ORGANISATION and not kpp_is_valid(terms.payer_kpp):
        raise NotDone("--kpp: an organisation has a КПП of 9 characters")
    correspondent = terms.payer_correspondent
    if correspondent and not (correspondent.startswith("30101") and account_key_is_valid(correspondent, found["bic"])):
        raise NotDone(f"--correspondent: not a correspondent account of the bank {found['bic']}")
    if terms.time_zone not in available_timezones():
        raise NotDone(f"--time-zone: {terms.time_zone!r} is not in the IANA database")
    return terms


def _time(given: time | str) -> time:
    if isinstance(given, time):
        return given
    hours, colon, minutes = given.partition(":")
    parts = (hours, minutes)
    if not colon or not all(part.isascii() and part.isdecimal() for part in parts) or int(hours) > 23 or int(minutes) > 59:
        raise NotDone(f"--cut-time: {given!r} is not a time of day like 20:30")
    return time(int(hours), int(minutes))


def _rows(file: Path, kind: type[Row]) -> list[Row]:
    """Read a file of rows; raises NotDone naming the line."""
    try:
        if file.suffix.lower() == ".csv":
            return [msgspec.convert(row, kind) for row in read_csv(file.read_text("utf-8-sig"), kind)]
        with file.open("rb") as lines:
            return [msgspec.convert(row, kind) for row in read_rows(lines, kind)]
    except UnicodeDecodeError as error:
        raise NotDone(f"{file.name}: is not UTF-8") from error
    except TermsRefused as error:
        raise NotDone(f"{file.name}: {error}") from error


def _load(data_dir: Path | None, rows: list[Row], add: Callable[[Connection, Iterable[Row]], Awaitable[int]]) -> None:
    added = _act(data_dir, lambda connection: add(connection, rows))
    click.echo(f"{len(rows)} rows: {added} taken, {len(rows) - added} known before")


Answer = TypeVar("Answer")


def _act(data_dir: Path | None, act: Callable[[Connection], Awaitable[Answer]]) -> Answer:
    """Act as the services; what the rules or a named constraint refuse is told, anything else is raised."""
    try:
        return act_on_ledger(data_dir, act)
    except TermsRefused as error:
        raise NotDone(str(error)) from error
    except asyncpg.IntegrityConstraintViolationError as error:
        raise NotDone(f"refused by {error.constraint_name}: {error.detail or error}") from error
    except asyncpg.DataError as error:
        raise NotDone(f"a number or a date is out of range: {error}") from error
