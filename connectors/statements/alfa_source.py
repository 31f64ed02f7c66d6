"""Reads a day of a statement by Alfa API: pages by number, then the summary that they must agree with (protocols.md §4a)."""

from collections.abc import Callable
from datetime import date, datetime
from typing import TypeVar
from urllib.parse import urlencode

from connectors.http_told import retry_after_ms, shown
from connectors.statements.agreement import moscow_day
from connectors.statements.alfa import AskedDay, Operation, Page, Summary, read_day, read_page, read_summary
from connectors.statements.source import StatementUnread
from schemas.exchange import Exchange, ExchangeFailed, HttpRequest
from schemas.statement import BankStatement, StatementUnbelieved

PAGES_MAX = 500
READINGS_MAX = 3
"""A day that grows while it is read is read anew so many times before it is left for later."""
MOVED = "the day changed while its pages were read"

_Told = TypeVar("_Told", Page, Summary)


class AlfaStatements:
    """A BankStatementSource. ``request`` makes the GET of a path below /api, with the connection's authorization."""

    def __init__(self, request: Callable[[str], HttpRequest], exchange: Exchange, now: Callable[[], datetime]) -> None:
        self._request = request
        self._exchange = exchange
        self._now = now

    async def bank_statement(self, account: str, day: date) -> BankStatement | StatementUnread:
        """Read a day and compare it with its summary; what does not agree is read anew."""
        return await self._read(account, day, with_summary=True)

    async def operations(self, account: str, day: date) -> BankStatement | StatementUnread:
        """Read a day's operations alone: enough to find an order among them, not to close a day."""
        return await self._read(account, day, with_summary=False)

    async def _read(self, account: str, day: date, *, with_summary: bool) -> BankStatement | StatementUnread:
        reason = MOVED
        for _ in range(READINGS_MAX):
            operations = await self._operations(account, day)
            if isinstance(operations, StatementUnread):
                return operations
            if operations is None:
                reason = MOVED
                continue
            summary = await self._summary(account, day) if with_summary else None
            if isinstance(summary, StatementUnread):
                return summary
            try:
                return read_day(AskedDay(account=account, day=day, now=self._now()), operations, summary)
            except StatementUnbelieved as error:
                reason = str(error)
                if summary is None:
                    break
        # A day that is over does not change: reading it again later will not help either.
        again = reason == MOVED or (with_summary and day >= moscow_day(self._now()))
        return StatementUnread(reason=f"the statement cannot be believed: {reason}", again=again)

    async def _operations(self, account: str, day: date) -> dict[str, Operation] | StatementUnread | None:
        """Return the operations of all pages by uuid, None when the pages do not belong together.

        Lines that come while a day is read push others onto the next page, where they are shown again: the same uuid counts once.
        A uuid that tells something else by then, or a page that brings nothing new, means that pages are of different moments.
        """
        operations: dict[str, Operation] = {}
        for number in range(1, PAGES_MAX + 1):
            asked = {"accountNumber": account, "statementDate": day.isoformat(), "page": number, "curFormat": "curTransfer"}
            page = await self._get(f"/statement/transactions?{urlencode(asked)}", read_page, Page(transactions=()))
            if isinstance(page, StatementUnread):
                return page
            known = len(operations)
            if any(operations.setdefault(one.uuid, one) != one for one in page.transactions):
                return None
            if page.transactions and len(operations) == known:
                return None
            if not page.leads("next"):
                return operations
        return StatementUnread(reason=f"the day has more than {PAGES_MAX} pages", again=False)

    async def _summary(self, account: str, day: date) -> Summary | StatementUnread:
        asked = {"accountNumber": account, "statementDate": day.isoformat()}
        return await self._get(f"/statement/summary?{urlencode(asked)}", read_summary, None)

    async def _get(self, path: str, read: Callable[[bytes], _Told], empty: _Told | None) -> _Told | StatementUnread:
        """Ask for one thing; ``empty`` is what HTTP 204 means, if it means anything."""
        try:
            answer = await self._exchange(self._request(path))
        except ExchangeFailed as error:
            return StatementUnread(reason=f"the statement was not got: {error.reason}", again=True)
        if answer.status == 204 and empty is not None:
            return empty
        if answer.status != 200:
            reason = f"the statement was not got: HTTP {answer.status} {shown(answer.body)}"
            return StatementUnread(reason=reason, again=answer.status >= 429, after_ms=retry_after_ms(answer))
        try:
            return read(answer.body)
        except StatementUnbelieved as error:
            return StatementUnread(reason=f"the statement cannot be believed: {error}", again=False)
