"""ATOL Online, protocol v4 (ФФД 1.05) and v5 (ФФД 1.2), as a counterparty of delivery (design W9; protocols.md §8)."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import quote

import msgspec

from connectors.fiscal.atol_answers import CLOSING_CODES, Code, answer_to_receipt, answer_to_report, read_answer, refuses_token
from connectors.fiscal.atol_receipt import AtolForm, AtolProtocol, encode_receipt
from connectors.fiscal.callback_hint import CALLBACK_BYTES_MAX, CallbackHint, hint_of
from connectors.fiscal.receipt_limits import AgentDetails, ContentFault, asked_by_repeat, read_receipt, refused_content
from connectors.fiscal.settings import Login, Milliseconds, Polling, check_callback_url, check_inn, check_url, zone_of
from connectors.fiscal.token_session import Lock, Token, TokenSession, Turned, exchanged
from schemas.delivery import Answer, Closed, NotTaken, Outgoing, Unknown
from schemas.exchange import Exchange, HttpAnswer, HttpRequest

JSON = "application/json; charset=utf-8"
TOKEN_CHARACTERS_MAX = 1000
TOKEN_MARGIN_S = 300
"""A token is given up this long before its end, so that none ends on its way."""


_HEADER_VALUE = re.compile(r"[!-~]+", re.ASCII)


class AtolConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A group of tills. ``zone`` is where the tills stand; ``inn`` is their owner's, and receipts of others are refused.

    ``base_url`` is without the protocol's version. A token lives 24 h unless ``token_life_s`` says otherwise.
    """

    base_url: str = "https://online.atol.ru/possystem"
    protocol: AtolProtocol = AtolProtocol.V5
    login: Login
    password: Login
    group_code: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    inn: str
    zone: str = "Europe/Moscow"
    callback_url: str = ""
    timeout_ms: Milliseconds = 5_000
    token_life_s: Annotated[int, msgspec.Meta(gt=TOKEN_MARGIN_S, le=86_400)] = 86_400
    polling: Polling = Polling()
    agent: AgentDetails = AgentDetails()

    def __post_init__(self) -> None:
        """Refuse a configuration that no receipt could leave by: ValueError naming the key."""
        check_url(self.base_url, "base_url")
        check_callback_url(self.callback_url)
        check_inn(self.inn)
        zone_of(self.zone)

    def __repr__(self) -> str:
        """Name the group without the login and the password."""
        return f"AtolConfig({self.base_url!r}, {self.protocol!s}, group_code={self.group_code!r})"


class Atol:
    """Hands receipts to one group of tills. ATOL knows a receipt by its uuid, which ``reference`` holds, or by a repeat."""

    def __init__(self, config: AtolConfig, exchange: Exchange, *, now: Callable[[], datetime], lock: Lock) -> None:
        self._config = config
        self._exchange = exchange
        self._now = now
        self._root = f"{config.base_url}/{config.protocol}"
        self._form = AtolForm(
            protocol=config.protocol,
            inn=config.inn,
            zone=zone_of(config.zone),
            agent=config.agent,
            callback_url=config.callback_url,
        )
        self._session = TokenSession(exchange, self._ask_token, refuses_token, now=now, lock=lock)

    def __repr__(self) -> str:
        """Name the group."""
        return f"Atol({self._config!r})"

    @property
    def deduplicates(self) -> bool:
        """A repeated external_id is answered 33 with the first receipt's uuid: an unknown outcome may be sent again."""
        return True

    @property
    def can_be_asked(self) -> bool:
        """By uuid; ``ask`` finds a receipt without one by handing the same over again: external_id cannot be asked about."""
        return True

    async def send(self, order: Outgoing) -> Answer:
        """Hand a receipt over; a repeat of the same order sends the same bytes."""
        try:
            receipt = read_receipt(order)
            body = encode_receipt(receipt, order.key, self._form)
        except ContentFault as fault:
            return refused_content(fault)
        http = await self._session.request(lambda token: self._request("POST", receipt.operation, token, body))
        if not isinstance(http, HttpAnswer):
            return http
        return answer_to_receipt(http, self._config.polling.after_ms(order.attempt))

    async def ask(self, order: Outgoing) -> Answer:
        """Ask for the report; without a uuid hand the same over again: 33 recovers the uuid, and what was lost is taken now."""
        if not order.reference:
            return asked_by_repeat(await self.send(order))
        path = f"report/{quote(order.reference, safe='')}"
        http = await self._session.request(lambda token: self._request("GET", path, token))
        if isinstance(http, NotTaken):
            return Unknown(reason=f"the report was not asked for: {http.reason}")
        if not isinstance(http, HttpAnswer):
            return http
        return answer_to_report(http, order, self._config.polling.after_ms(order.attempt))

    def _request(self, method: str, path: str, token: str, body: bytes = b"") -> HttpRequest:
        headers = (("token", token), ("content-type", JSON)) if body else (("token", token),)
        url = f"{self._root}/{quote(self._config.group_code, safe='')}/{path}"
        return HttpRequest(method=method, url=url, headers=headers, body=body, timeout_ms=self._config.timeout_ms)

    async def _ask_token(self) -> Token | Turned:
        asked_at = self._now()
        config = self._config
        body = msgspec.json.encode({"login": config.login, "pass": config.password})
        url = f"{self._root}/getToken"
        request = HttpRequest(method="POST", url=url, headers=(("content-type", JSON),), body=body, timeout_ms=config.timeout_ms)
        http = await exchanged(self._exchange, request)
        if not isinstance(http, HttpAnswer):
            return NotTaken(reason=f"no token: {http.reason}", after_ms=http.after_ms if isinstance(http, NotTaken) else 0)
        answer = read_answer(http.body)
        if answer is None:
            return NotTaken(reason=f"no token: HTTP {http.status}")
        if answer.error is not None and answer.error.code in CLOSING_CODES | {Code.INVALID}:
            return Closed(reason=f"no token: code {answer.error.code}: {answer.error.text or ''}")
        if answer.error is not None:
            return NotTaken(reason=f"no token: code {answer.error.code}")
        if not answer.token or len(answer.token) > TOKEN_CHARACTERS_MAX or not _HEADER_VALUE.fullmatch(answer.token):
            return NotTaken(reason="no token in the answer")
        return Token(value=answer.token, good_until=asked_at + timedelta(seconds=config.token_life_s - TOKEN_MARGIN_S))


def decode_callback(body: bytes) -> CallbackHint | None:
    """Read which order a callback is about; None when it names none. Nothing else in it is believed: it is not signed."""
    answer = read_answer(body) if len(body) <= CALLBACK_BYTES_MAX else None
    return None if answer is None else hint_of(answer.external_id or "", answer.uuid or "")
