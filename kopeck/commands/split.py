"""``kopeck split``: what a payment would become, from files alone; nothing is booked."""

import gc
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import click
import msgspec
from rich.console import Console
from rich.table import Table

from ledger.core.named_table import NamedTableError, Pair, Payees, read_case, read_designation, read_table, write_result
from ledger.core.split import Reason, split_amount
from ledger.core.trace import LineTrace, Portion, Step, trace_split
from schemas.allocation import PERIOD_NONE, AllocationTable
from schemas.ids import PayeeNumber
from schemas.money import AMOUNT_KOPECKS_MAX, roubles_for_people
from schemas.split import Designation

CHUNK_BYTES = 1 << 20
"""How much of a batch is read at a time; what it became is written at once."""
LINE_BYTES_MAX = 1 << 20
"""One account's table of thousands of lines fits; a longer line is an error, not memory."""
NEWLINE = b"\n"
EXIT_SOME_INVALID = 1
WIDTH_CHARACTERS = 240
"""Width of the printed table where there is no terminal to ask."""


@click.command()
@click.option("--table", "table_file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="JSON of one table.")
@click.option("--amount", type=click.IntRange(1, AMOUNT_KOPECKS_MAX), help="The payment, in kopecks.")
@click.option("--designation", default="null", help='JSON of what the payer named, e.g. \'{"period": "2026-10"}\'.')
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, amounts in kopecks.")
@click.option("--batch", type=click.File("rb"), help='JSON Lines of {"table": …, "payment": …}; \'-\' reads standard input.')
def split(table_file: Path | None, amount: int | None, designation: str, as_json: bool, batch: BinaryIO | None) -> None:
    """Divide a payment by an allocation table, or a file of payments, a result a line.

    Exit codes: 2 when the input is not in the promised form; 1 when some lines of a batch were not, each of which is
    answered by {"error": {"line", "field", "reason"}} in its place.
    """
    if batch is not None:
        if table_file is not None or amount is not None:
            raise click.UsageError("--batch goes without --table and --amount.")
        _split_batch(batch)
        return
    if table_file is None or amount is None:
        raise click.UsageError("Give --table and --amount, or --batch.")
    table, payees, named = _read(table_file, designation)
    if as_json:
        click.echo(write_result(split_amount(table, amount, named)).decode())
    else:
        _print_split(table, payees, amount, named)


def _read(table_file: Path, designation: str) -> tuple[AllocationTable, Payees, Designation | None]:
    """Read the two JSON texts; an error ends the program, naming the file, the field and, for broken JSON, the line."""
    text = table_file.read_bytes()
    try:
        table, payees = read_table(text)
    except NamedTableError as error:
        line = "" if error.byte is None else f":{1 + text.count(NEWLINE, 0, error.byte)}"
        raise InvalidInput(f"{table_file}{line}: {error}") from error
    try:
        return table, payees, read_designation(designation.encode("utf-8", "surrogateescape"), payees)
    except NamedTableError as error:
        raise InvalidInput(f"--designation: {error}") from error


class InvalidInput(click.ClickException):
    """The input is not in the promised form."""

    exit_code = 2


def _split_batch(source: BinaryIO) -> None:
    out = sys.stdout.buffer
    # A split makes no cycles; without the collector a batch is read about a tenth faster, in the same memory.
    gc.disable()
    try:
        read, invalid = 0, 0
        for lines in _chunks(source):
            results, wrong = _results(lines, read)
            out.write(b"\n".join(results) + b"\n")
            read += len(lines)
            invalid += wrong
        out.flush()
    finally:
        gc.enable()
    if invalid:
        click.echo(f'{invalid} of {read} lines were not split: see their "error".', err=True)
        raise SystemExit(EXIT_SOME_INVALID)


def _chunks(source: BinaryIO) -> Iterator[list[bytes]]:
    """Yield whole lines, some at a time; of a line above LINE_BYTES_MAX only so much that it is seen to be above."""
    tail = b""
    while block := source.read(CHUNK_BYTES):
        *lines, tail = (tail + block).split(b"\n")
        tail = tail[: LINE_BYTES_MAX + 1]
        if lines:
            yield lines
    if tail:
        yield [tail]


def _results(lines: list[bytes], read: int) -> tuple[list[bytes], int]:
    """Return an answer for each line, and how many are errors; ``read`` lines came before."""
    results = []
    invalid = 0
    for number, line in enumerate(lines, read + 1):
        try:
            if len(line) > LINE_BYTES_MAX:
                raise NamedTableError("", f"the line is longer than {LINE_BYTES_MAX} bytes")
            table, amount, designation = read_case(line)
        except NamedTableError as error:
            invalid += 1
            results.append(msgspec.json.encode({"error": {"line": number, "field": error.field, "reason": error.reason}}))
        else:
            results.append(write_result(split_amount(table, amount, designation)))
    return results, invalid


def _print_split(table: AllocationTable, payees: Payees, amount: int, designation: Designation | None) -> None:
    """Print each step of the split with its reasons, amounts in roubles."""
    names = {number: pair for pair, number in payees.items()}
    shown = Table(title=f"Personal account {table.personal_account}, table version {table.version}: {roubles_for_people(amount)}")
    for title in ("tier", "period", "pool", "line", "recipient", "service"):
        shown.add_column(title, overflow="fold")
    for title in ("charge", "paid", "share"):
        shown.add_column(title, justify="right", no_wrap=True)
    shown.add_column("reason", overflow="fold")
    for step in trace_split(table, amount, designation):
        for row in _rows(table, step, names):
            shown.add_row(*row)
        shown.add_section()
    console = Console(soft_wrap=False, markup=False, highlight=False)
    if not console.is_terminal:
        console.width = WIDTH_CHARACTERS
    console.print(shown)
    for index in split_amount(table, amount, designation).ignored:
        console.print(f"Basket item {index} was ignored: unknown, or a service of one document that may not be chosen.")


def _rows(table: AllocationTable, step: Step, names: dict[PayeeNumber, Pair]) -> Iterator[tuple[str, ...]]:
    if step.reason is Reason.UNALLOCATED:
        yield ("", "", "", "", "", "", "", "", roubles_for_people(step.credited), "unallocated: no advance may be taken")
        return
    for place, line in enumerate(step.lines):
        if step.reason is Reason.BASKET_NAMED and not line.portion.kopecks:
            continue
        yield (*_place(table, step), str(place), *names[line.payee], *_amounts(step, line), _why(step, line.portion))


def _place(table: AllocationTable, step: Step) -> tuple[str, str, str]:
    if step.tier is None:
        return ("", "", "")
    tier = table.tiers[step.tier]
    year, month = divmod(tier.period, 100)
    period = "" if tier.period == PERIOD_NONE else f"{year:04d}-{month:02d}"
    return (str(step.tier), period, f"{tier.pool.name} {tier.kind.name}".lower())


def _amounts(step: Step, line: LineTrace) -> tuple[str, str, str]:
    share = roubles_for_people(line.portion.kopecks)
    if step.tier is None:
        return ("", "", share)
    return (roubles_for_people(line.weight), roubles_for_people(line.paid), share)


def _why(step: Step, portion: Portion) -> str:
    """Say why a line got its kopecks: the tier's reason, then the exact share and what rounding added."""
    words = [step.reason.value]
    if portion.at_cap:
        words.append("closed")
    elif portion.exact != str(portion.kopecks):
        words.append(f"exactly {portion.exact} kop.")
    if portion.kopeck:
        words.append("+1 kop. for the remainder")
    if portion.tie_position is not None:
        words.append(f"place {portion.tie_position + 1} in the tie ring")
    return ", ".join(words)
