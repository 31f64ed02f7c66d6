"""Reading for a cut of what stands beside the chains of promises: moves, claims, deductions, returns (moves.sql). No locks."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from ledger.feed import Connection
from ledger.release import fetch_left
from ledger.statements import load_statements
from schemas.ids import Book, Transit
from schemas.ids import Sequence as Place
from schemas.journal import EntryKind
from services.settlement.backlots import (
    THIS_CUT,
    Backlog,
    CameBack,
    Deduction,
    EntryPlace,
    KnownClaim,
    Move,
    MoveLeg,
    Return,
)
from services.settlement.lots import Directory, LotKey

_SQL = load_statements("services/settlement/moves.sql")

Cuts = Callable[[int, Book, Place], bool]
"""Whether an entry lies in a range of a clearing account that the cut being made takes."""


class RefundNote(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Designation of a refund: who owes in the place of recipients that were paid, by number (a chargeback), 0 nobody."""

    guarantor: int = 0


def note_text(guarantor: int) -> str:
    """Return a refund's designation, empty when its recipients owe themselves."""
    return msgspec.json.encode(RefundNote(guarantor=guarantor)).decode() if guarantor else ""


async def read_backlog(connection: Connection, transit: Transit, takes: Cuts, directory: Directory) -> Backlog:
    """Read everything that a cut of a transit account decides on beside its chains."""
    claims = [
        KnownClaim(
            key=LotKey(row["account"], row["creditor"], row["capital"]),
            **{name: row[name] for name in KnownClaim.__struct_fields__ if name != "key"},
        )
        for row in await connection.fetch(_SQL["list_claims"], transit)
    ]
    came_back = [
        CameBack(
            transfer=row["transfer"],
            key=LotKey(row["account"], row["creditor"], row["capital"]),
            since_cut=row["since_cut"],
            last_cut=row["last_cut"],
            left=row["left"],
        )
        for row in await connection.fetch(_SQL["list_come_back"], transit)
    ]
    return Backlog(
        moves=await _moves(connection, transit, takes, directory),
        claims=claims,
        deposits={row["recipient"]: row["amount"] for row in await connection.fetch(_SQL["list_deposits"], transit)},
        deductions=[msgspec.convert(dict(row), Deduction) for row in await connection.fetch(_SQL["list_deductions"], transit)],
        returns=await _returns(connection, transit, takes),
        came_back=came_back,
    )


async def _moves(connection: Connection, transit: Transit, takes: Cuts, directory: Directory) -> Sequence[Move]:
    """Return the open moves whose root is funded, in order of their places."""
    rows = [row for row in await connection.fetch(_SQL["list_moves"], transit) if _root_cut(row, takes) is not None]
    legs: dict[EntryPlace, list[MoveLeg]] = {(row["book"], row["sequence"]): [] for row in rows}
    places = ([book for book, _ in legs], [sequence for _, sequence in legs])
    for row in await connection.fetch(_SQL["list_legs"], transit, *places) if legs else ():
        if row["amount"]:
            key = LotKey(row["account"], row["creditor"], row["capital"] or directory.is_capital(row["account"]))
            legs[row["book"], row["sequence"]].append(MoveLeg(row["place"], key, row["period"], row["amount"], row["kept"]))
    return [_move(row, legs[row["book"], row["sequence"]], takes) for row in rows]


def _root_cut(row: Mapping[str, Any], takes: Cuts) -> int | None:
    if row["root_cut"] is not None:
        return int(row["root_cut"])
    return THIS_CUT if row["space"] and takes(row["space"], row["root_book"], row["root"]) else None


def _move(row: Mapping[str, Any], legs: Sequence[MoveLeg], takes: Cuts) -> Move:
    kind = EntryKind(row["kind"])
    note = row["designation"] if kind is EntryKind.REFUND else ""
    return Move(
        book=row["book"],
        sequence=row["sequence"],
        kind=kind,
        origin=(row["origin_book"], row["origin"]),
        nth=row["nth"],
        origin_moves=row["origin_moves"],
        origin_done=row["origin_done"],
        origin_cut=row["origin_cut"] if row["origin_moves"] else _root_cut(row, takes),
        half_done=row["half_done"],
        takes=row["takes"],
        refunded=row["refunded"],
        guarantor=msgspec.json.decode(note, type=RefundNote).guarantor if note else 0,
        legs=tuple(legs),
    )


async def _returns(connection: Connection, transit: Transit, takes: Cuts) -> Sequence[Return]:
    """Return the asked-for returns whose money is still where they say, by the journal."""
    found = []
    for row in await connection.fetch(_SQL["list_returns"], transit):
        of_suspense = row["account"] >> 56 == _SUSPENSE
        # What is left is told less the returns asked for, this one included.
        if of_suspense and await fetch_left(connection, row["book"], row["sequence"]) < 0:
            continue
        in_cut = row["cut"] is not None or (bool(row["space"]) and takes(row["space"], row["book"], row["sequence"]))
        funded = row["done"] if row["moves"] else in_cut
        names = [name for name in Return.__struct_fields__ if name != "funded"]
        found.append(Return(**{name: row[name] for name in names}, funded=funded))
    return found


_SUSPENSE = 4
