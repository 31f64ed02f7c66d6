"""``kopeck law``: rows of law shown, proposed, approved, and tried on real history (docs/billing-law.md)."""

import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TypeVar

import click

from kopeck.clock import utc_now
from kopeck.commands.acting import NotDone, act_on_ledger, by_option
from kopeck.commands.options import data_option
from kopeck.commands.reading import console, json_option, print_json
from kopeck.law_shown import comparison_row, print_comparison, print_rules, rule_row
from ledger.core.entry import MOSCOW
from ledger.feed import Connection
from services.billing.core.law import LawSilent
from services.billing.core.law_tables import LAW_TABLES
from services.billing.law.diff import Comparison, PenaltyRecalculation, compare, laws_for
from services.billing.law.files import LawFileError, read_law_file
from services.billing.law.history import Bounds, HouseUnknown
from services.billing.law.proposing import LawRefused, approve, propose
from services.billing.law.reading import StoredRule, list_in_force, list_waiting, rules_on

Answer = TypeVar("Answer")

_PERIOD = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])")

day_type = click.DateTime(formats=["%Y-%m-%d"])
region_option = click.option("--region", default="", metavar="NN", help="As this region sees it: two digits; federal by default.")


@click.group()
def law() -> None:
    """Law as data: coefficients, rates, terms and switches, each row with its source.

    A change of law is a new row with the day from which it holds: one person proposes it, a second approves it.
    """


@law.command(name="list")
@click.option("--table", type=click.Choice(tuple(LAW_TABLES)), help="Only rows of this table.")
@click.option("--on", type=day_type, help="Only rows in force on this day.")
@data_option
@json_option
def list_command(table: str | None, on: datetime | None, data_dir: Path | None, as_json: bool) -> None:
    """List rows in force, and rows that wait for a second person."""

    async def read(connection: Connection) -> tuple[tuple[StoredRule, ...], tuple[StoredRule, ...]]:
        return await list_in_force(connection), await list_waiting(connection)

    in_force, waiting = _act(data_dir, read)
    if on is not None:
        in_force = rules_on(in_force, on.date())
    in_force, waiting = (tuple([one for one in rows if table in (None, one.rule.table)]) for rows in (in_force, waiting))
    if as_json:
        print_json({"in_force": [rule_row(one) for one in in_force], "waiting": [rule_row(one) for one in waiting]})
        return
    print_rules(console(), "Действуют", in_force)
    if waiting:
        print_rules(console(), "Ждут второго лица", waiting)


@law.command(name="propose")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@by_option
@data_option
def propose_command(file: Path, by: str, data_dir: Path | None) -> None:
    """Propose the rows of a FILE (TOML, like the shipped law.toml), all or none."""
    try:
        drafts = read_law_file(file)
    except LawFileError as error:
        raise NotDone(str(error)) from error

    async def act(connection: Connection) -> tuple[int, ...]:
        return await propose(connection, drafts, by, utc_now())

    for rule, draft in zip(_act(data_dir, act), drafts, strict=True):
        click.echo(
            f"Row {rule} ({draft.table} {draft.key} from {draft.valid_from}) holds nothing until a second person approves it."
        )


@law.command(name="approve")
@click.argument("row", type=click.IntRange(min=1))
@by_option
@data_option
def approve_command(row: int, by: str, data_dir: Path | None) -> None:
    """Approve a proposed ROW as the second person."""

    async def act(connection: Connection) -> bool:
        return await approve(connection, row, by, utc_now())

    click.echo(f"Row {row} {'is approved' if _act(data_dir, act) else 'was approved before'}.")


@law.command(name="diff")
@click.argument("date", type=day_type)
@click.option("--row", type=click.IntRange(min=1), help="Only this row of the day.")
@click.option("--since", type=day_type, help="As if the rows had held from this earlier day.")
@click.option("--as-of", type=day_type, help="The day of the calculation; the later of today and DATE by default.")
@click.option("--period", help="Only bills of this period, YYYY-MM, or of YYYY-MM:YYYY-MM.")
@click.option("--house", default="", help="Only bills of this house's accounts, by its code in the housing stock.")
@region_option
@data_option
@json_option
def diff_command(
    date: datetime,
    row: int | None,
    since: datetime | None,
    as_of: datetime | None,
    period: str | None,
    house: str,
    region: str,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Show what the rows that hold from DATE, proposed or in force, would have changed on real history: penalties."""
    bounds, day = _bounds(period, house), date.date()
    calculated_on = as_of.date() if as_of is not None else max(day, _today())
    begins = None if since is None else since.date()

    async def act(connection: Connection) -> Comparison:
        in_force = await list_in_force(connection)
        asked = _asked((*in_force, *await list_waiting(connection)), day, row)
        laws = laws_for([one.rule for one in in_force], [one.rule for one in asked], calculated_on, begins)
        regions = {one.rule.region for one in asked} - {""}
        view = region or (regions.pop() if len(regions) == 1 else "")
        return await compare(connection, PenaltyRecalculation(), bounds, laws.in_region(view))

    try:
        comparison = _act(data_dir, act)
    except LawSilent as error:
        raise NotDone(f"{error}: bound the history by --period") from error
    except HouseUnknown as error:
        raise NotDone(str(error)) from error
    if as_json:
        print_json(comparison_row(comparison))
    else:
        print_comparison(console(), comparison)


def _act(data_dir: Path | None, act: Callable[[Connection], Awaitable[Answer]]) -> Answer:
    """Act on the ledger's law; refusals end the command with their one line."""
    try:
        return act_on_ledger(data_dir, act)
    except LawRefused as error:
        raise NotDone(str(error)) from error


def _asked(rows: Sequence[StoredRule], day: date, row: int | None) -> tuple[StoredRule, ...]:
    """Rows that begin on the day; one in force that a proposed one would replace is the law that it is compared with."""
    asked = [one for one in rows if one.rule.valid_from == day and row in (None, one.rule.rule)]
    waiting = [one for one in asked if one.approved_by is None]
    if not asked:
        raise NotDone(f"no row of law {'' if row is None else f'{row} '}begins on {day}")
    slots = [(one.rule.table, one.rule.key, one.rule.region) for one in waiting]
    if len(set(slots)) != len(slots):
        raise NotDone(f"several proposed rows of one subject begin on {day}: name one by --row")
    replaced = {one.replaces for one in waiting}
    return tuple([one for one in asked if one.rule.rule not in replaced])


def _bounds(period: str | None, house: str) -> Bounds:
    if period is None:
        return Bounds(house=house)
    first, colon, last = period.partition(":")
    found = [_PERIOD.fullmatch(text) for text in ((first, last) if colon else (first, first))]
    numbers = [int(match[1] + match[2]) for match in found if match is not None]
    if len(numbers) != len(found) or numbers[0] > numbers[1]:
        raise click.BadParameter("a period is like 2026-10 or 2026-01:2026-10", param_hint="--period")
    return Bounds(first_period=numbers[0], last_period=numbers[1], house=house)


def _today() -> date:
    return utc_now().astimezone(MOSCOW).date()
