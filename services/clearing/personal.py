"""Payer's name and purpose of a line: sealed beside it, unsealed where a rule or a person needs them, erasable (152-ФЗ)."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.statement import StatementEntry
from services.clearing.core.verdict import Line
from services.sealing import Sealer

_SQL = load_statements("services/clearing/personal.sql")


class PersonalText(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What of a line may be personal data."""

    payer: str
    purpose: str

    def __repr__(self) -> str:
        """Show nothing."""
        return "PersonalText(…)"


ERASED = PersonalText(payer="", purpose="")


class NothingToErase(LookupError):
    """There is no such line, or its text was erased before."""


def seal_text(sealer: Sealer, transit: int, entry: StatementEntry) -> bytes:
    """Return the entry's text sealed, bound to its line."""
    text = PersonalText(payer=entry.counterparty.name, purpose=entry.purpose)
    return sealer.seal(msgspec.json.encode(text), _bound_to(transit, entry.bank_id))


def unseal_text(sealer: Sealer, transit: int, bank_id: str, sealed: bytes | None) -> PersonalText:
    """Return a line's text, ERASED when it was; raises services.sealing.NotUnsealed."""
    if sealed is None:
        return ERASED
    return msgspec.json.decode(sealer.unseal(sealed, _bound_to(transit, bank_id)), type=PersonalText)


def line_of(row: Mapping[str, Any], sealer: Sealer) -> Line:
    """Turn a row of bank.line into what the rules see."""
    text = unseal_text(sealer, row["transit"], row["bank_id"], row["sealed"])
    return Line(
        line=row["line"],
        transit=row["transit"],
        bank_id=row["bank_id"],
        day=row["day"],
        is_credit=row["is_credit"],
        amount=row["amount"],
        number=row["number"],
        document_day=row["document_day"],
        operation=row["operation"],
        code=row["code"],
        account=row["counterparty_account"],
        bic=row["counterparty_bic"],
        inn=row["counterparty_inn"],
        references=tuple(row["references"]),
        is_reversal=row["is_reversal"],
        purpose=text.purpose,
        payer=text.payer,
    )


async def erase_line(connection: Connection, line: int) -> None:
    """Erase a line's text for good; what it was taken for and its entry stay. Raises NothingToErase."""
    if await connection.fetchval(_SQL["erase_line"], line) is None:
        raise NothingToErase(f"line {line} is not there, or its text is erased already")


async def erase_before(connection: Connection, day: date) -> int:
    """Erase the text of every line before a day that is booked or an order's; return how many had one."""
    return int(await connection.fetchval(_SQL["erase_before"], day))


def _bound_to(transit: int, bank_id: str) -> bytes:
    return f"kopeck bank line {transit}:{bank_id}".encode()
