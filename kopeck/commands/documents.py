"""``kopeck documents``: payment documents of a published run, printed for delivery or shown (docs/billing-documents.md)."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import click

from kopeck.clock import utc_now
from kopeck.commands.acting import NotDone, act_on_ledger, by_option
from kopeck.commands.options import data_option
from kopeck.commands.reading import console, json_option, ledger_config, print_json, read_ledger
from kopeck.config import Config, ConfigError
from kopeck.documents_shown import print_document
from kopeck.embedded.servers import connect_or_start
from kopeck.personal_key import personal_sealer
from ledger.feed import Connection
from schemas.payment_document import PaymentDocument
from services.billing.papers.assembling import assemble_document
from services.billing.papers.companies import load_banks, load_contacts
from services.billing.papers.reading import list_paper_houses, read_papers
from services.billing.papers.rows import Assembled, PaperTerms, Unprintable
from services.billing.runs.keeping import Person, RunRefused
from services.paper.payment_document import DOCUMENTS_MAX, PaymentDocumentError
from services.paper.press import print_batches

EXIT_NOT_CLEAN = 1
LOADERS = {"banks": load_banks, "contacts": load_contacts}
_UNSAFE = re.compile(r"[^\w.-]+")

run_argument = click.argument("run", type=click.IntRange(min=1))
account_option = click.option("--account", default="", metavar="NS:NUMBER", help="Only this account's document.")
names_option = click.option("--full-names", is_flag=True, help="Unseal owners' full names for paper (152-ФЗ); needs the key.")


@click.group()
def documents() -> None:
    """Payment documents (п. 69 ПП 354) of published runs: print, show; banks and contacts that they name."""


@documents.command(name="print")
@run_argument
@click.option("--house", default="", help="Only this house.")
@account_option
@click.option("--out", type=click.Path(path_type=Path), default=Path("documents.pdf"), show_default=True, help="File, or folder.")
@click.option("--one-file-a-house", "by_house", is_flag=True, help="A file a house in the folder --out.")
@click.option("--two-sided", is_flag=True, help="Each document begins a sheet.")
@names_option
@click.option("--processes", type=click.IntRange(1, 64), default=os.cpu_count() or 1, show_default=True)
@data_option
def print_command(run: int, out: Path, data_dir: Path | None, **given: object) -> None:
    """Print the documents of RUN in the order of delivery: houses, then flats. Exit code 1: some could not be printed.

    One file holds at most 2 000 documents; --one-file-a-house makes the folder --out with a file a house.
    """
    config = ledger_config(data_dir)
    terms = _terms(config, run, str(given["house"]), str(given["account"]), is_named=bool(given["full_names"]))
    if given["by_house"]:
        out.mkdir(parents=True, exist_ok=True)
    refused: list[Unprintable] = []
    with _refusals(), connect_or_start(config.data_dir, config) as connections:
        houses = _printable_houses(connections.reader_dsn, terms, refused)
        batches = houses if given["by_house"] else _together(houses)
        names: list[str] = []
        printed = 0

        def contents() -> Iterator[list[PaymentDocument]]:
            nonlocal printed
            for house, made in batches:
                names.append(house)
                printed += len(made)
                yield made

        for place, pdf in enumerate(print_batches(contents(), int(str(given["processes"])), two_sided=bool(given["two_sided"]))):
            path = out / _file_name(run, names[place]) if given["by_house"] else out
            path.write_bytes(pdf)
            click.echo(str(path))
    _end(refused, printed)


@documents.command()
@run_argument
@account_option
@click.option("--house", default="", help="Only this house.")
@names_option
@data_option
@json_option
def show(run: int, account: str, house: str, full_names: bool, data_dir: Path | None, as_json: bool) -> None:
    """Show what documents of RUN say, or, without --account, how many each house has."""
    terms = _terms(ledger_config(data_dir), run, house, account, is_named=full_names)

    async def read(connection: Connection) -> list[PaymentDocument | Unprintable]:
        return [one async for assembled in read_papers(connection, terms) for one in _documents_of(assembled)]

    with _refusals():
        if not account:
            houses = read_ledger(data_dir, lambda connection: list_paper_houses(connection, terms))
            if as_json:
                print_json(houses)
            else:
                click.echo("\n".join(f"{one.house}: документов {one.documents}" for one in houses))
            return
        found = read_ledger(data_dir, read)
    refused = [one for one in found if isinstance(one, Unprintable)]
    made = [one for one in found if isinstance(one, PaymentDocument)]
    if as_json:
        print_json(made)
    else:
        for one in made:
            print_document(console(), one)
    if refused:
        _end(refused, len(made))


@documents.command()
@click.argument("what", type=click.Choice(tuple(LOADERS)))
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@by_option
@data_option
def load(what: str, file: Path, by: str, data_dir: Path | None) -> None:
    """Load BANKS (bic, name, correspondent_account) or CONTACTS of recipients from a CSV FILE, whole or not at all."""
    who = Person(name=by, at=utc_now())
    with _refusals():
        rows = act_on_ledger(data_dir, lambda connection: LOADERS[what](connection, file, who))
    click.echo(f"загружено строк: {rows}")


def _terms(config: Config, run: int, house: str, account: str, *, is_named: bool) -> PaperTerms:
    if house and account:
        raise click.UsageError("--house and --account exclude one another")
    try:
        sealer = personal_sealer(config) if is_named else None
    except ConfigError as error:
        raise NotDone(str(error)) from error
    return PaperTerms(run=run, house=house, account=account, sealer=sealer)


def _printable_houses(dsn: str, terms: PaperTerms, refused: list[Unprintable]) -> Iterator[tuple[str, list[PaymentDocument]]]:
    """Read house after house while others are printed; what cannot be printed is added to ``refused``."""
    with asyncio.Runner() as runner:
        connection = runner.run(_connect(dsn))
        papers = read_papers(connection, terms)
        try:
            while True:
                try:
                    assembled = runner.run(_next(papers))
                except StopAsyncIteration:
                    return
                made = _documents_of(assembled)
                refused += [one for one in made if isinstance(one, Unprintable)]
                if printable := [one for one in made if isinstance(one, PaymentDocument)]:
                    yield assembled.house, printable
        finally:
            runner.run(connection.close())


async def _connect(dsn: str) -> Connection:
    return await asyncpg.connect(dsn)


async def _next(papers: AsyncIterator[Assembled]) -> Assembled:
    return await anext(papers)


def _documents_of(assembled: Assembled) -> list[PaymentDocument | Unprintable]:
    return [*assembled.unprintable, *map(assemble_document, assembled.rows)]


def _together(houses: Iterator[tuple[str, list[PaymentDocument]]]) -> Iterator[tuple[str, list[PaymentDocument]]]:
    """All houses as one batch; more than one file holds is refused before anything is written."""
    made: list[PaymentDocument] = []
    for _, one in houses:
        made += one
        if len(made) > DOCUMENTS_MAX:
            raise NotDone(f"документов больше {DOCUMENTS_MAX}: печатайте по домам (--one-file-a-house)")
    if made:
        yield "", made


def _file_name(run: int, house: str) -> str:
    return f"{run}-{_UNSAFE.sub('_', house)}.pdf"


@contextmanager
def _refusals() -> Iterator[None]:
    """What cannot be done is one line and exit code 2."""
    try:
        yield
    except (RunRefused, PaymentDocumentError) as error:
        raise NotDone(str(error)) from error


def _end(refused: list[Unprintable], printed: int) -> None:
    for one in refused:
        click.echo(f"{one.account}: {one.reason}", err=True)
    click.echo(f"документов {printed}, не напечатано {len(refused)}", err=bool(refused))
    if refused:
        sys.exit(EXIT_NOT_CLEAN)
