"""Banks that can be asked for a day of an account's statement: what clearing polls (design §4 «One class per statement line»)."""

from datetime import date
from typing import Protocol, runtime_checkable

import msgspec

from schemas.statement import BankStatement


class StatementUnread(msgspec.Struct, frozen=True, kw_only=True):
    """The statement was not got or cannot be believed. ``again``: asking later may help; otherwise a person must look.

    ``after_ms``: how long the bank asked to be left alone (Retry-After), 0 when it did not say.
    """

    reason: str
    again: bool
    after_ms: int = 0


@runtime_checkable
class BankStatementSource(Protocol):
    """A connector that can be asked for a day of a statement; it never raises for what the bank does."""

    async def bank_statement(self, account: str, day: date) -> BankStatement | StatementUnread:
        """Read one calendar day of the bank's zone; an empty day is a statement without entries."""
        ...
