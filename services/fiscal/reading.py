"""What receipts need beside the entries themselves, read with one statement a table."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from ledger.feed import Connection, Passage
from ledger.statements import load_statements
from schemas.allocation import PayerKind
from schemas.journal import EntryKind
from schemas.receipt import Operation, Receipt
from services.fiscal.core.corrections import Issued
from services.fiscal.core.decision import CONCERNED, Entry, Origin, Payer, corrected_place
from services.fiscal.core.templates import LineFacts

SQL = load_statements("services/fiscal/consumer.sql")

_KINDS = {kind.value: kind for kind in EntryKind}
_PAYER_KINDS = {kind.value: kind for kind in PayerKind}
_decoder = msgspec.json.Decoder(Receipt)

Place = tuple[int, int]
"""(book, sequence)."""


async def list_entries(connection: Connection, passage: Passage) -> list[Entry]:
    """Return the passage's entries that concern receipts, in order."""
    kinds = [kind.value for kind in CONCERNED]
    rows = await connection.fetch(SQL["list_entries"], passage.book, passage.after, passage.upto, kinds)
    return [entry_of(row) for row in rows]


async def list_entries_at(connection: Connection, places: Sequence[Place]) -> dict[Place, Entry]:
    """Return the entries at these places."""
    rows = await connection.fetch(SQL["list_entries_at"], *_columns(places))
    return {(row["book"], row["sequence"]): entry_of(row) for row in rows}


def entry_of(row: Mapping[str, Any]) -> Entry:
    """Turn a row into its value."""
    return Entry(
        book=row["book"],
        sequence=row["sequence"],
        kind=_KINDS[row["kind"]],
        space=row["space"],
        external_id=row["external_id"],
        personal_account=row["personal_account"],
        channel=row["channel"],
        event_at=row["event_at"],
        recorded_at=row["recorded_at"],
        value_date=row["value_date"],
        accounts=row["accounts"],
        amounts=row["amounts"],
        lines=row["lines"],
    )


async def list_payers(connection: Connection, accounts: Iterable[int | None]) -> dict[int, Payer]:
    """Return the payers of these accounts."""
    wanted = sorted({account for account in accounts if account is not None})
    return {
        account: Payer(kind=_PAYER_KINDS[kind], provider=provider, contact=contact)
        for account, kind, provider, contact in await connection.fetch(SQL["list_payers"], array_text(wanted))
    }


async def list_charges(connection: Connection, entries: Iterable[Entry]) -> dict[tuple[int, int], LineFacts]:
    """Return what the entries' lines are, by (account, line)."""
    wanted = {(entry.personal_account, line) for entry in entries if entry.personal_account for line in entry.lines if line}
    columns = array_text([account for account, _ in wanted]), array_text([line for _, line in wanted])
    rows = await connection.fetch(SQL["list_charges"], *columns)
    return {(account, line): (creditor, payee, period, kind) for account, line, creditor, payee, period, kind in rows}


async def list_origins(connection: Connection, entries: Iterable[Entry]) -> dict[Place, Origin]:
    """Return what correcting entries correct, by their own place; their receipts stay locked until the transaction ends.

    A correction of a correction goes by the corrected entry's own key.
    """
    corrected = {(entry.book, entry.sequence): place for entry in entries if (place := corrected_place(entry)) is not None}
    if not corrected:
        return {}
    columns = _columns(sorted({(book, sequence) for book, sequence, _ in corrected.values()}))
    await connection.fetch(SQL["lock_issued"], *columns)
    issued: dict[Place, list[Issued]] = {}
    for row in await connection.fetch(SQL["list_issued"], *columns):
        issued.setdefault((row["book"], row["sequence"]), []).append(issued_of(row))
    keys = {(row["book"], row["sequence"]): row for row in await connection.fetch(SQL["list_keys"], *columns)}
    return {
        own: Origin(
            space=keys[book, sequence]["space"],
            external_id=keys[book, sequence]["external_id"],
            channel=keys[book, sequence]["channel"],
            nth=nth,
            issued=tuple(issued.get((book, sequence), ())),
        )
        for own, (book, sequence, nth) in corrected.items()
        if (book, sequence) in keys
    }


def issued_of(row: Mapping[str, Any]) -> Issued:
    """Turn a row of fiscal.receipt into what a refund mirrors."""
    content = row["content"]
    return Issued(
        number=row["number"],
        issuer=row["issuer"],
        operation=Operation(row["operation"]),
        part=row["part"],
        lines=tuple(row["lines"]),
        receipt=None if content is None else _decoder.decode(content),
        registered=row["registered"],
    )


def array_text(numbers: Iterable[object]) -> str:
    """Return whole numbers as the text of a PostgreSQL array; None is NULL."""
    return "{" + ",".join(["NULL" if number is None else str(number) for number in numbers]) + "}"


def _columns(places: Sequence[Place]) -> tuple[list[int], list[int]]:
    return [book for book, _ in places], [sequence for _, sequence in places]
