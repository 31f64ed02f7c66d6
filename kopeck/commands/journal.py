"""``kopeck journal``: entries of the journal in order, or those of one personal account."""

from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from kopeck.commands.options import data_option
from kopeck.commands.reading import entry_for_people, read_ledger
from ledger.feed import Connection, list_account_entries, list_books, read_feed
from ledger.names import Names, fetch_names
from schemas.ids import Book, Sequence
from schemas.journal import RecordedEntry
from schemas.money import roubles_for_people

LIMIT_MAX = 10_000
_encoder = msgspec.json.Encoder()


@click.command()
@click.option("--book", type=click.IntRange(0, 1024), help="Only this book; book 0 holds entries without a payer.")
@click.option("--after", type=click.IntRange(0), default=0, show_default=True, help="Start after this sequence.")
@click.option("--limit", type=click.IntRange(1, LIMIT_MAX), default=20, show_default=True, help="At most so many of a book.")
@click.option("--account", help="Only this personal account's entries, newest first: namespace:number.")
@data_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON Lines, amounts in kopecks.")
def journal(book: int | None, after: int, limit: int, account: str | None, data_dir: Path | None, as_json: bool) -> None:
    """Print entries with their postings, debits first, and how to go on from the last."""

    async def read(connection: Connection) -> tuple[list[RecordedEntry], Names]:
        names = await fetch_names(connection)
        if account is not None:
            return await _of_account(connection, account, limit), names
        books = [Book(book)] if book is not None else await list_books(connection)
        return [one for each in books for one in await read_feed(connection, each, Sequence(after), limit)], names

    entries, names = read_ledger(data_dir, read)
    for one in entries:
        if as_json:
            click.echo(_encoder.encode(entry_for_people(one, names)))
        else:
            for line in _lines(one, names):
                click.echo(line)


async def _of_account(connection: Connection, account: str, limit: int) -> list[RecordedEntry]:
    namespace, colon, number = account.partition(":")
    if not colon:
        raise click.BadParameter("expected namespace:number", param_hint="--account")
    entries = await list_account_entries(connection, namespace, number, limit)
    if entries is None:
        raise click.ClickException(f"no personal account {number!r} in namespace {namespace!r}")
    return list(entries)


def _lines(recorded: RecordedEntry, names: Names) -> Iterator[str]:
    entry = recorded.entry
    space = names.spaces.get(entry.space, f"#{entry.space}")
    reason = f" ({entry.reason.name.lower().replace('_', ' ')})" if entry.reason else ""
    yield (
        f"{recorded.book}:{recorded.sequence} {recorded.recorded_at:%Y-%m-%d %H:%M:%S.%f} {entry.kind.name.lower()}{reason} "
        f"{roubles_for_people(entry.amount_kopecks)} {space}/{entry.external_id} bank day {recorded.bank_day}"
    )
    for account, amount, line in zip(entry.accounts, entry.amounts, entry.lines, strict=True):
        side = "debit " if amount > 0 else "credit"
        charged = f" line {line}" if line else ""
        yield f"    {side} {roubles_for_people(abs(amount)):>16} {names.name_of(account)}{charged}"
