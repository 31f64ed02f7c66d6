"""``kopeck balance``: turnover and balance of ledger accounts, now or at a cut, and whether they prove themselves."""

from collections.abc import Mapping
from pathlib import Path

import click
from rich.table import Table

from kopeck.commands.options import data_option
from kopeck.commands.reading import console, json_option, place_of, print_json, read_ledger
from ledger.audit import totals_fault
from ledger.balances import Cut, Turnover, cut_now, find_cut, journal_balances, projected_balances
from ledger.balances import list_balances as list_read_model
from ledger.feed import Connection
from ledger.names import UnknownName, fetch_names
from schemas.ids import Book, LedgerAccount, Sequence
from schemas.money import roubles_for_people

CUT_HELP = "A stored cut's number, or places: book:sequence[,book:sequence …]; a book that is not named counts for nothing."


@click.command()
@click.argument("account", default="")
@click.option("--at", "cut_text", help=CUT_HELP)
@click.option("--from-journal", is_flag=True, help="Add up the journal itself: slower, exact at the heads.")
@data_option
@json_option
def balance(account: str, cut_text: str | None, from_journal: bool, data_dir: Path | None, as_json: bool) -> None:
    """Print the balance of each ledger account whose name starts with ACCOUNT, all by default; debits are positive.

    Without --at the balances are those of the read model, as far as its consumer has come.
    """

    async def read(connection: Connection) -> tuple[list[tuple[str, Turnover]], str]:
        found = await _balances(connection, cut_text, account, from_journal=from_journal)
        names = await fetch_names(connection)
        named = [(names.name_of(number), turnover) for number, turnover in found.items()]
        return sorted(one for one in named if one[0].startswith(account)), totals_fault(found) if not account else ""

    rows, fault = read_ledger(data_dir, read)
    if as_json:
        print_json([{"account": name, **_kopecks(turnover)} for name, turnover in rows])
    else:
        _print(rows, account)
    if fault:
        raise click.ClickException(f"{fault}: run kopeck verify")


async def _balances(
    connection: Connection, cut_text: str | None, account: str, *, from_journal: bool
) -> Mapping[LedgerAccount, Turnover]:
    """Choose where the balances come from: the read model, the postings' pages for one whole name, or the journal."""
    if cut_text is None and not from_journal:
        return await list_read_model(connection)
    cut = await cut_now(connection) if cut_text is None else await _cut(connection, cut_text)
    if from_journal:
        return await journal_balances(connection, cut)
    try:
        return await projected_balances(connection, cut, [(await fetch_names(connection)).account_of(account)])
    except UnknownName:
        return await journal_balances(connection, cut)


async def _cut(connection: Connection, text: str) -> Cut:
    if text.isascii() and text.isdecimal() and len(text) < 19:
        stored = await find_cut(connection, int(text))
        if stored is None:
            raise click.ClickException(f"there is no cut {text}: kopeck day show lists them")
        return stored.cut
    places = [place_of(part) for part in text.split(",")]
    if None in places:
        raise click.BadParameter(CUT_HELP, param_hint="--at")
    return Cut(places={Book(place[0]): Sequence(place[1]) for place in places if place is not None})


def _kopecks(turnover: Turnover) -> dict[str, int]:
    return {"debit_kopecks": turnover.debit, "credit_kopecks": turnover.credit, "balance_kopecks": turnover.balance}


def _print(rows: list[tuple[str, Turnover]], account: str) -> None:
    shown = Table(show_footer=True)
    total = Turnover()
    for _, turnover in rows:
        total = total.plus(turnover)
    shown.add_column("ledger account", footer="total" if account else "trial balance", overflow="fold")
    for title, amount in (("debit", total.debit), ("credit", total.credit), ("balance", total.balance)):
        shown.add_column(title, footer=roubles_for_people(amount), justify="right", no_wrap=True)
    for name, turnover in rows:
        shown.add_row(name, *map(roubles_for_people, (turnover.debit, turnover.credit, turnover.balance)))
    console().print(shown)
