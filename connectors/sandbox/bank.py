"""A bank in memory (connectors/sandbox/faults.Fake): takes orders by every transfer connector, executes them, writes statements.

Doors: ``/registers`` signed distribution registers · ``/api/jp/v2/payments`` and ``/api/statement/transactions`` Alfa API ·
``/folder`` and ``/statement`` a bank client's files · ``/API/v1/ISO20022/Payments`` Alfa-Link · ``/sandbox/credits`` money that
comes in, which no real bank has.
"""

from collections.abc import Callable
from datetime import datetime
from urllib.parse import urlsplit

import msgspec

from connectors.sandbox.bank_alfa import AlfaDoor
from connectors.sandbox.bank_folder import FolderDoor
from connectors.sandbox.bank_link import LinkDoor
from connectors.sandbox.bank_orders import BankBooks, BankOptions, Credit
from connectors.sandbox.bank_registers import RegisterDoor
from schemas.exchange import HttpAnswer, HttpRequest

CREDITS = "/sandbox/credits"

_credit_decoder = msgspec.json.Decoder(Credit)


class FakeBank:
    """Answers requests as the real counterparty would; ``books`` is what tests look into."""

    def __init__(self, options: BankOptions) -> None:
        self._options = options
        self.books = BankBooks(options)
        link, alfa = LinkDoor(options, self.books), AlfaDoor(options, self.books)
        folder, registers = FolderDoor(options, self.books), RegisterDoor(options, self.books)
        self._doors: tuple[tuple[str, Callable[[HttpRequest, datetime], HttpAnswer]], ...] = (
            ("/registers", registers.handle),
            ("/api/", alfa.handle),
            ("/folder/", folder.handle),
            ("/statement", folder.handle),
            ("/API/v1/ISO20022/Payments", link.handle),
            (CREDITS, self._credit),
        )
        self._folder = folder

    def handle(self, request: HttpRequest, now: datetime) -> HttpAnswer:
        """Answer at ``now``, after everything that was due before."""
        self._folder.pick_up(now)
        self.books.advance(now)
        header = next((value for name, value in request.headers if name == "authorization"), "")
        if self._options.token and header.removeprefix("Bearer ") != self._options.token:
            return HttpAnswer(status=401)
        path = urlsplit(request.url).path
        door = next((answer for start, answer in self._doors if path.startswith(start)), None)
        return HttpAnswer(status=404) if door is None else door(request, now)

    def credit(self, credit: Credit, now: datetime) -> None:
        """Let money in, once by its id."""
        self.books.credit(credit, now)

    def _credit(self, request: HttpRequest, now: datetime) -> HttpAnswer:
        try:
            credit = _credit_decoder.decode(request.body)
        except msgspec.MsgspecError:
            return HttpAnswer(status=400)
        if credit.account not in self.books.balances or credit.amount_kopecks <= 0:
            return HttpAnswer(status=422)
        self.books.credit(credit, now)
        return HttpAnswer(status=204)
