"""``kopeck statements``: statements taken in, what their lines were taken for, what is still promised (docs/clearing.md)."""

from datetime import date, datetime
from pathlib import Path

import click
import msgspec

from connectors.statements.believing import read_any
from kopeck.clock import utc_now
from kopeck.commands.acting import NotDone, act_on_ledger, by_option
from kopeck.commands.options import data_option
from kopeck.commands.reading import console, json_option, ledger_config, print_json, read_ledger
from kopeck.personal_key import personal_sealer
from kopeck.statements_shown import print_line, print_lines, print_promised
from ledger.core.entry import MOSCOW
from ledger.feed import Connection
from schemas.statement import StatementUnbelieved
from services.clearing.ageing import list_promised
from services.clearing.core.verdict import LineClass
from services.clearing.loading_rules import RulesRefused, load_rules
from services.clearing.lookups import Wanted, find_line, find_sealed, list_lines
from services.clearing.personal import NothingToErase, PersonalText, erase_before, erase_line, unseal_text
from services.clearing.persons import BY_PERSON, NotClassified, Said, classify_by_person, explain_by_person, hints_said
from services.clearing.taking import TakenStatement, take_statement
from services.sealing import NotUnsealed

DATE = click.DateTime(formats=["%Y-%m-%d"])
LIMIT_MAX = 10_000

file_argument = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
line_argument = click.argument("number", type=int, metavar="LINE")
register_option = click.option("--register", "registers", multiple=True, help="Register that it covers; may be given again.")
operation_option = click.option("--operation", default="", help="Id of the payment that it covers.")
day_option = click.option("--day", type=DATE, help="Day of the payers that it covers.")


@click.group()
def statements() -> None:
    """Statements of the transit accounts: what each line was taken for, and what is still promised.

    Exit code 2 when something cannot be done as asked; nothing was changed then.
    """


@statements.command()
@file_argument
@click.option("--transit", required=True, help="The transit account's 20 digits.")
@by_option
@data_option
@json_option
def load(file: Path, transit: str, by: str, data_dir: Path | None, as_json: bool) -> None:
    """Take the statement FILE in, of any format that is known; its sums must agree.

    The running house classifies and books its lines. The same file again changes nothing.
    """
    sealer = personal_sealer(ledger_config(data_dir))
    now = utc_now()

    async def take(connection: Connection) -> TakenStatement:
        return await take_statement(connection, read_any(file.read_bytes(), transit, now), sealer, by, now)

    try:
        taken = act_on_ledger(data_dir, take)
    except (StatementUnbelieved, LookupError) as error:
        raise NotDone(f"{file}: {error}") from error
    if as_json:
        print_json(taken)
    elif taken.repeated:
        click.echo(f"statement {taken.statement}: taken before, nothing new")
    else:
        told = f"{taken.new} lines new, {taken.known} known, {taken.vanished} vanished, {taken.came_back} came back"
        click.echo(f"statement {taken.statement}: {told}")
    if taken.conflicts:
        click.echo(f"{taken.conflicts} known lines are told with another content: see kopeck parked", err=True)


@statements.command()
@click.option("--transit", help="The transit account's 20 digits.")
@click.option("--day", type=DATE, help="The day on which the account moved.")
@click.option("--class", "line_class", type=click.Choice([*(one.value for one in LineClass), "none"]), help="Of this class.")
@click.option(
    "--open", "open_only", is_flag=True, help="Not booked, held back, vanished, or covering something else than promised."
)
@click.option("--limit", type=click.IntRange(1, LIMIT_MAX), default=100, show_default=True, help="At most so many.")
@data_option
@json_option
def lines(
    transit: str | None,
    day: datetime | None,
    line_class: str | None,
    open_only: bool,
    limit: int,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """List lines, the newest first, with their class and why."""
    wanted = Wanted(transit_account=transit, day=day.date() if day else None, line_class=line_class, open_only=open_only)
    found = read_ledger(data_dir, lambda connection: list_lines(connection, wanted, limit))
    if as_json:
        print_json(found)
    else:
        print_lines(console(), found)


@statements.command()
@line_argument
@click.option("--text", is_flag=True, help="Show the payer's name and the purpose too.")
@data_option
@json_option
def line(number: int, text: bool, data_dir: Path | None, as_json: bool) -> None:
    """Show all about one line: what it was taken for and why, what it covers, where it is booked."""
    told = read_ledger(data_dir, lambda connection: find_line(connection, number))
    if told is None:
        raise NotDone(f"there is no line {number}")
    unsealed = _unsealed(number, data_dir) if text else None
    if as_json:
        shown = msgspec.structs.asdict(told)
        print_json(shown if unsealed is None else {**shown, "payer": unsealed.payer, "purpose": unsealed.purpose})
    else:
        print_line(console(), told, unsealed)


@statements.command()
@line_argument
@click.argument("line_class", type=click.Choice([one.value for one in BY_PERSON]), metavar="CLASS")
@click.option("--space", default="", help="Of a cover: the operation space.")
@click.option("--account", default="", help="Of a payment: the personal account's number.")
@click.option("--party", default="", help="Of a debt: the recipient's code.")
@register_option
@operation_option
@day_option
@click.option("--why", default="", help="Why; kept with the line.")
@by_option
@data_option
def classify(
    number: int,
    line_class: str,
    space: str,
    account: str,
    party: str,
    registers: tuple[str, ...],
    operation: str,
    day: datetime | None,
    why: str,
    by: str,
    data_dir: Path | None,
) -> None:
    """Say what a line is, or something else than before, while it is not booked."""
    said = Said(
        line_class=LineClass(line_class),
        why=why,
        space=space,
        account=account,
        party=party,
        hints=hints_said(registers, operation, day.date() if day else None),
    )
    try:
        act_on_ledger(data_dir, lambda connection: classify_by_person(connection, number, said, by, utc_now()))
    except NotClassified as error:
        raise NotDone(str(error)) from error
    click.echo(f"line {number} is {line_class}, said {by}; the running house books it")


@statements.command()
@line_argument
@register_option
@operation_option
@day_option
@by_option
@data_option
def explain(
    number: int, registers: tuple[str, ...], operation: str, day: datetime | None, by: str, data_dir: Path | None
) -> None:
    """Say what a booked cover covers that nothing explains yet; the running house matches it again."""
    hints = hints_said(registers, operation, day.date() if day else None)
    try:
        act_on_ledger(data_dir, lambda connection: explain_by_person(connection, number, hints, by))
    except NotClassified as error:
        raise NotDone(str(error)) from error
    click.echo(f"line {number}: matched again by the running house")


@statements.command()
@click.option("--on", "day", type=DATE, help="Age as of this day; today in Moscow by default.")
@data_option
@json_option
def promised(day: datetime | None, data_dir: Path | None, as_json: bool) -> None:
    """Show what is still promised: by operation space, day of the payers and register, with its age in working days."""
    today: date = day.date() if day else utc_now().astimezone(MOSCOW).date()
    found = read_ledger(data_dir, lambda connection: list_promised(connection, today))
    if as_json:
        print_json(found)
    else:
        print_promised(console(), found)


@statements.group()
def rules() -> None:
    """Rules by which lines are classified."""


@rules.command("load")
@file_argument
@by_option
@data_option
def load_rules_command(file: Path, by: str, data_dir: Path | None) -> None:
    """Take FILE (JSON Lines) as the rules that count from now on; every fault is told with its line."""
    content = file.read_bytes().splitlines()
    try:
        loaded = act_on_ledger(data_dir, lambda connection: load_rules(connection, content, by, utc_now()))
    except RulesRefused as error:
        raise NotDone(f"{file}:\n{error}") from error
    click.echo(f"set {loaded.rule_set}: {loaded.rules} rules; {loaded.believed} transit accounts believe another source")


@statements.command()
@click.argument("number", type=int, required=False, metavar="[LINE]")
@click.option("--before", type=DATE, help="Of every line before this day that is booked.")
@data_option
def erase(number: int | None, before: datetime | None, data_dir: Path | None) -> None:
    """Erase the payer's name and the purpose of a LINE, or of all booked lines before a day, for good (152-ФЗ)."""
    if (number is None) == (before is None):
        raise click.UsageError("name a line, or a day with --before")
    try:
        if number is not None:
            wanted = number
            act_on_ledger(data_dir, lambda connection: erase_line(connection, wanted))
            click.echo(f"line {number}: erased")
        elif before is not None:
            day = before.date()
            erased = act_on_ledger(data_dir, lambda connection: erase_before(connection, day))
            click.echo(f"{erased} lines erased")
    except NothingToErase as error:
        raise NotDone(str(error)) from error


def _unsealed(number: int, data_dir: Path | None) -> PersonalText:
    sealer = personal_sealer(ledger_config(data_dir))
    found = act_on_ledger(data_dir, lambda connection: find_sealed(connection, number))
    if found is None:
        raise NotDone(f"there is no line {number}")
    sealed, transit, bank_id = found
    try:
        return unseal_text(sealer, transit, bank_id, sealed)
    except NotUnsealed as error:
        raise NotDone(str(error)) from error
