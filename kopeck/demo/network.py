"""Clients of the demo's counterparties: they speak the channels' real protocols over HTTP, as strangers would."""

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

import aiohttp
import msgspec

from connectors.banks.standard_webhooks import HEADER_ID, HEADER_SIGNATURE, HEADER_TIMESTAMP, parse_secret, sign
from connectors.terminals.osmp import RESULTS_RETRIED
from schemas.money import roubles_from_kopecks

MOSCOW = ZoneInfo("Europe/Moscow")
SBER_DUPLICATE = 8
_RESULT = re.compile(r"<result>([0-9]+)</result>")
_CODE = re.compile(r"<CODE>([0-9]+)</CODE>")


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A channel as its counterparty knows it; ``url`` is full, ``statement_url`` a bank feed's only."""

    name: str
    kind: str
    url: str
    manner: str
    namespace: str
    space: str
    transit_account: str
    basic_user: str = ""
    basic_password: str = ""
    secret: str = ""
    statement_url: str = ""

    def __repr__(self) -> str:
        """Name the channel without its secrets."""
        return f"Endpoint({self.name!r})"


class Errand(msgspec.Struct, frozen=True, kw_only=True):
    """One payment to be made; ``key`` is the counterparty's own, digits; ``at`` is an instant in UTC."""

    key: str
    account_number: str
    amount_kopecks: int
    at: datetime


class Unanswered(RuntimeError):
    """The channel gave no answer that this protocol knows."""


class Counterparty(Protocol):
    """Pays through one channel."""

    endpoint: Endpoint

    async def check(self, errand: Errand) -> bool:
        """Ask whether the account may be paid; True where the protocol does not ask."""
        ...

    async def pay(self, errand: Errand) -> bool | None:
        """Pay once: True taken, False refused for good, None try again."""
        ...


class TerminalNetwork:
    """A payment terminals' network by the OSMP protocol."""

    def __init__(self, session: aiohttp.ClientSession, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._session = session

    async def check(self, errand: Errand) -> bool:
        return await self._result("check", errand) == 0

    async def pay(self, errand: Errand) -> bool | None:
        result = await self._result("pay", errand)
        return None if result in RESULTS_RETRIED else result == 0

    async def _result(self, command: str, errand: Errand) -> int:
        query = {
            "command": command,
            "txn_id": errand.key,
            "account": errand.account_number,
            "sum": roubles_from_kopecks(errand.amount_kopecks),
        }
        if command == "pay":
            query["txn_date"] = errand.at.astimezone(MOSCOW).strftime("%Y%m%d%H%M%S")
        return await _ask(self._session, self.endpoint, query, _RESULT)


class SberOnline:
    """Sberbank's payment page and application."""

    def __init__(self, session: aiohttp.ClientSession, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._session = session

    async def check(self, errand: Errand) -> bool:
        query = {"ACTION": "check", "ACCOUNT": errand.account_number}
        return await _ask(self._session, self.endpoint, query, _CODE) == 0

    async def pay(self, errand: Errand) -> bool | None:
        query = {
            "ACTION": "payment",
            "ACCOUNT": errand.account_number,
            "AMOUNT": roubles_from_kopecks(errand.amount_kopecks),
            "PAY_ID": errand.key,
            "PAY_DATE": errand.at.astimezone(MOSCOW).strftime("%d.%m.%Y_%H:%M:%S"),
        }
        code = await _ask(self._session, self.endpoint, query, _CODE)
        return None if code == 1 else code in (0, SBER_DUPLICATE)


class BankFeed:
    """A bank that tells what arrived on the transit account, and later what the statement says of it."""

    def __init__(self, session: aiohttp.ClientSession, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._session = session
        self._secret = parse_secret(endpoint.secret)

    async def check(self, errand: Errand) -> bool:
        return True

    async def pay(self, errand: Errand) -> bool | None:
        body = {
            "account": errand.account_number,
            "amount": errand.amount_kopecks,
            "occurred_at": errand.at.astimezone(UTC).isoformat(),
        }
        return await self._post(self.endpoint.url, errand.key, body, errand.at)

    async def cover(self, key: str, space: str, amount_kopecks: int, at: datetime) -> bool | None:
        """Report a statement line that covers what an operation space promised."""
        body = {
            "transit_account": self.endpoint.transit_account,
            "space": space,
            "amount": amount_kopecks,
            "occurred_at": at.astimezone(UTC).isoformat(),
        }
        return await self._post(self.endpoint.statement_url, key, body, at)

    async def _post(self, url: str, key: str, body: Mapping[str, object], at: datetime) -> bool | None:
        content = msgspec.json.encode(body)
        stamp = int(at.timestamp())
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": key,
            HEADER_ID: key,
            HEADER_TIMESTAMP: str(stamp),
            HEADER_SIGNATURE: sign(self._secret, message_id=key, timestamp=stamp, body=content),
        }
        async with self._session.post(url, data=content, headers=headers) as response:
            await response.read()
            return None if response.status in (429, 503) else response.status in (200, 201)


def counterparty(session: aiohttp.ClientSession, endpoint: Endpoint) -> Counterparty:
    """The client that speaks the channel's protocol."""
    made: dict[str, Callable[[aiohttp.ClientSession, Endpoint], Counterparty]] = {
        "osmp": TerminalNetwork,
        "sber_online": SberOnline,
        "bank_feed": BankFeed,
    }
    return made[endpoint.kind](session, endpoint)


async def _ask(session: aiohttp.ClientSession, endpoint: Endpoint, query: Mapping[str, str], pattern: "re.Pattern[str]") -> int:
    credentials = b64encode(f"{endpoint.basic_user}:{endpoint.basic_password}".encode()).decode()
    headers = {"Authorization": f"Basic {credentials}"} if endpoint.basic_user else {}
    async with session.get(endpoint.url, params=query, headers=headers) as response:
        text = await response.text()
        found = pattern.search(text)
        if found is None:
            raise Unanswered(f"{endpoint.name}: HTTP {response.status} without a result")
        return int(found[1])
