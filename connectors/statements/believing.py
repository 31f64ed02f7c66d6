"""A statement's file, whatever its format: told by its first bytes, read by its reader, believed (protocols.md §5, §7a)."""

from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from datetime import datetime

from connectors.statements.agreement import agreed
from connectors.statements.alfa import read_alfa_file
from connectors.statements.camt import read_camt
from connectors.statements.client_bank_1c import read_1c
from connectors.statements.exchange_1c import FIRST_LINE
from schemas.statement import BankStatement, StatementUnbelieved

__all__ = ["agreed", "read_any"]

_UTF16 = {BOM_UTF16_LE: "utf-16-le", BOM_UTF16_BE: "utf-16-be"}


def read_any(body: bytes, account: str, now: datetime) -> BankStatement:
    """Read the lines of ``account`` out of a file of a known format; raises StatementUnbelieved.

    The format is told by the beginning of the content, never by a file's name.
    """
    code = next((name for mark, name in _UTF16.items() if body.startswith(mark)), "ascii")
    begins = body[:1_024].removeprefix(BOM_UTF8).decode(code, "ignore").lstrip("\ufeff \t\r\n")
    if begins.startswith(FIRST_LINE):
        return read_1c(body, account, now)
    if begins.startswith("<"):
        return read_camt(body, account, now)
    if begins.startswith("{"):
        return read_alfa_file(body, account, now)
    raise StatementUnbelieved("the file is neither 1CClientBankExchange nor camt.052, .053, .054 nor Alfa API's JSON")
