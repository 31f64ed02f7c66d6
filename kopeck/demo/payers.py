"""Payers of the demo who do not come through a terminal or a feed: web pages, cards, СБП, a bank's counter, a plain order.

What each has paid is noted with the id that the counterparty gave it, as that counterparty's books have it: the demo lets the
money come onto the transit account by these notes (kopeck/demo/covering.py) and not by what the house has heard.
"""

import secrets
from collections.abc import Callable
from datetime import datetime
from random import Random
from urllib.parse import parse_qs, urlsplit

import aiohttp
import asyncpg
import msgspec

from connectors.acquiring.rbs_client import RbsClient
from kopeck.acquirer_sections import rbs_settings
from kopeck.demo.bank import BankUnmoved, SandboxBank
from kopeck.demo.names import invent_person
from kopeck.demo.network import Endpoint, Errand, Unanswered
from schemas.channel import Channel
from schemas.exchange import Exchange
from schemas.transfer import BankParty
from services.acquiring.orders import AccountRefused, NotStarted, Wanted, draw_number, start_payment

RETURN_URL = "https://zhku.example/oplacheno"
WRONG_STATE = "7"
"""The RBS acquirer's code for an order that is paid already: the answer of the first try was lost."""
PERSON_ACCOUNT = "40817810000000000000"
NAMELESS_PERMILLE = 100
"""Of plain orders so many name no account at all."""


class Paid(msgspec.Struct, frozen=True, kw_only=True):
    """A payment as its counterparty keeps it; ``operation`` is the id that it gave."""

    operation: str
    account: str
    amount_kopecks: int
    at: datetime


Note = Callable[[str, Paid], None]
"""(operation space, what was paid in it)."""


class _Payer:
    """What these payers have in common: nobody asks before they pay."""

    def __init__(self, session: aiohttp.ClientSession, endpoint: Endpoint, note: Note) -> None:
        self.endpoint = endpoint
        self._session = session
        self._note = note

    async def check(self, errand: Errand) -> bool:
        return True

    def _paid(self, errand: Errand, operation: str) -> None:
        paid = Paid(operation=operation, account=errand.account_number, amount_kopecks=errand.amount_kopecks, at=errand.at)
        self._note(self.endpoint.space, paid)

    async def _post(self, url: str, body: bytes, content_type: str) -> dict[str, object] | None:
        async with self._session.post(url, data=body, headers={"Content-Type": content_type}) as response:
            content = await response.read()
            return msgspec.json.decode(content, type=dict[str, object]) if response.status == 200 else None


class WebPayer(_Payer):
    """Opens a payment page of the RBS acquirer by an order of ours, and pays there."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        endpoint: Endpoint,
        note: Note,
        house: tuple["asyncpg.Pool[asyncpg.Record]", Channel, Exchange],
    ) -> None:
        super().__init__(session, endpoint, note)
        self._pool, self._channel, exchange = house
        self._client = RbsClient(rbs_settings(self._channel.acquirer), exchange)
        self._pages: dict[str, str] = {}

    async def pay(self, errand: Errand) -> bool | None:
        """Start once, then pay on the page, again until it is known that the page has taken it."""
        if errand.key not in self._pages:
            number = draw_number(secrets.randbelow)
            wanted = Wanted(
                number=number, account=errand.account_number, amount_kopecks=errand.amount_kopecks, return_url=RETURN_URL
            )
            try:
                async with self._pool.acquire() as connection:
                    started = await start_payment(connection, self._client, self._channel, wanted, errand.at)
            except AccountRefused:
                return False
            if isinstance(started, NotStarted):
                return None
            self._pages[errand.key] = started.page
        page = urlsplit(self._pages[errand.key])
        (order_id,) = parse_qs(page.query)["mdOrder"]
        url = page._replace(path=page.path.removesuffix("/pay") + "/sandbox/pay", query="").geturl()
        answer = await self._post(url, f"orderId={order_id}".encode(), "application/x-www-form-urlencoded")
        if answer is None or answer["errorCode"] not in ("0", WRONG_STATE):
            return None
        del self._pages[errand.key]
        self._paid(errand, order_id)
        return True


class CardPayer(_Payer):
    """Pays by card at T-Bank; the order's number names the account."""

    def __init__(self, session: aiohttp.ClientSession, endpoint: Endpoint, note: Note, url: str) -> None:
        super().__init__(session, endpoint, note)
        self._url = f"{url}/sandbox/pay"

    async def pay(self, errand: Errand) -> bool | None:
        order = f"ls{errand.account_number}-{errand.key}"
        told = msgspec.json.encode({"OrderId": order, "Amount": errand.amount_kopecks})
        answer = await self._post(self._url, told, "application/json")
        if answer is None:
            raise Unanswered(f"{self.endpoint.name}: the terminal did not answer")
        self._paid(errand, str(answer["PaymentId"]))
        return True


class QrPayer(_Payer):
    """Pays by СБП at a bank like Tochka; the link's number names the account."""

    def __init__(self, session: aiohttp.ClientSession, endpoint: Endpoint, note: Note, url: str) -> None:
        super().__init__(session, endpoint, note)
        self._url = f"{url}/sandbox/pay"

    async def pay(self, errand: Errand) -> bool | None:
        fields = {"paymentLinkId": f"ls{errand.account_number}-{errand.key}", "purpose": "Оплата ЖКУ"}
        told = msgspec.json.encode({"amountKopecks": errand.amount_kopecks, "fields": fields})
        answer = await self._post(self._url, told, "application/json")
        if answer is None:
            raise Unanswered(f"{self.endpoint.name}: the bank did not answer")
        self._paid(errand, str(answer["operationId"]))
        return True


class CounterPayer(_Payer):
    """Pays at a bank's counter, of which the bank tells by its register only."""

    async def pay(self, errand: Errand) -> bool | None:
        self._paid(errand, errand.key)
        return True


class OrderPayer(_Payer):
    """Sends a plain payment order to the transit account: the purpose names the account, or nobody."""

    def __init__(self, session: aiohttp.ClientSession, endpoint: Endpoint, note: Note, bank: SandboxBank, chance: Random) -> None:
        super().__init__(session, endpoint, note)
        self._bank = bank
        self._chance = chance

    async def pay(self, errand: Errand) -> bool | None:
        person = invent_person(self._chance)
        party = BankParty(name=person.full, inn="", kpp="", account=PERSON_ACCOUNT, bic="")
        purpose = f"Оплата ЖКУ, л/с {errand.account_number}, {person.surname} {person.first[0]}."
        if self._chance.randrange(1_000) < NAMELESS_PERMILLE:
            purpose = "За квартиру"
        number = str(int(errand.key) % 1_000_000)
        try:
            await self._bank.credit(self._session, f"order-{errand.key}", errand.amount_kopecks, purpose, (party, number))
        except BankUnmoved:
            return None
        return True
