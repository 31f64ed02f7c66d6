"""OFD.ru Ferma as a counterparty of delivery (design W9; protocols.md §9)."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Literal
from urllib.parse import quote

import msgspec

from connectors.fiscal.callback_hint import CALLBACK_BYTES_MAX, CallbackHint, hint_of
from connectors.fiscal.ferma_answers import (
    FermaAnswer,
    FermaPart,
    answer_to_receipt,
    answer_to_status,
    read_answer,
    read_ferma_utc,
    refuses_token,
    words,
)
from connectors.fiscal.ferma_receipt import FermaForm, encode_receipt
from connectors.fiscal.receipt_limits import AgentDetails, ContentFault, asked_by_repeat, read_receipt, refused_content
from connectors.fiscal.settings import Login, Milliseconds, Polling, check_callback_url, check_inn, check_url, zone_of
from connectors.fiscal.token_session import Lock, Token, TokenSession, Turned, exchanged
from schemas.delivery import Answer, Closed, NotTaken, Outgoing, Unknown
from schemas.exchange import Exchange, HttpAnswer, HttpRequest
from schemas.receipt import AgentKind, FiscalFormat

JSON = "application/json; charset=utf-8"
TOKEN_CHARACTERS_MAX = 1000
TOKEN_MARGIN_S = 300
"""A token is given up this long before its end, so that none ends on its way."""
_CORRECTION_DATE = {"dd.mm.yy": "%d.%m.%y", "dd.mm.yyyy": "%d.%m.%Y"}
_REFUSALS = range(400, 500)
_UNDECIDED = frozenset({408, 429})


class FermaConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account at Ferma and the tills behind it. ``zone`` is where the tills stand.

    ``token_codes``: errors that mean a refused token beside HTTP 401 [1001 from memory]. ``correction_date``: public clients
    differ. ``prepayment_types``, ``agent_types``: see FermaForm.
    """

    base_url: str = "https://ferma.ofd.ru"
    login: Login
    password: Login
    inn: str
    format: FiscalFormat = FiscalFormat.V12
    zone: str = "Europe/Moscow"
    callback_url: str = ""
    timeout_ms: Milliseconds = 5_000
    polling: Polling = Polling()
    agent: AgentDetails = AgentDetails()
    agent_types: dict[AgentKind, Annotated[str, msgspec.Meta(min_length=1, max_length=64)]] = {}
    token_codes: tuple[int, ...] = (1001,)
    prepayment_types: bool = False
    correction_date: Literal["dd.mm.yy", "dd.mm.yyyy"] = "dd.mm.yy"

    def __post_init__(self) -> None:
        """Refuse a configuration that no receipt could leave by: ValueError naming the key."""
        check_url(self.base_url, "base_url")
        check_callback_url(self.callback_url)
        check_inn(self.inn)
        zone_of(self.zone)

    def __repr__(self) -> str:
        """Name the account's owner without the login and the password."""
        return f"FermaConfig({self.base_url!r}, inn={self.inn!r})"


class _Total(msgspec.Struct, frozen=True, kw_only=True):
    total_kopecks: int


class Ferma:
    """Hands receipts to one account. Ferma knows a receipt by its ReceiptId, which ``reference`` holds, or by a repeat."""

    def __init__(self, config: FermaConfig, exchange: Exchange, *, now: Callable[[], datetime], lock: Lock) -> None:
        self._config = config
        self._exchange = exchange
        self._now = now
        self._form = FermaForm(
            format=config.format,
            inn=config.inn,
            zone=zone_of(config.zone),
            agent=config.agent,
            agent_types=config.agent_types,
            callback_url=config.callback_url,
            prepayment_types=config.prepayment_types,
            correction_date=_CORRECTION_DATE[config.correction_date],
        )
        self._session = TokenSession(exchange, self._ask_token, self._refuses_token, now=now, lock=lock)

    def __repr__(self) -> str:
        """Name the account."""
        return f"Ferma({self._config!r})"

    @property
    def deduplicates(self) -> bool:
        """A repeated InvoiceId is answered 1019 with the first receipt's id: an unknown outcome may be sent again."""
        return True

    @property
    def can_be_asked(self) -> bool:
        """By ReceiptId; ``ask`` finds a receipt without one by handing the same over again."""
        return True

    async def send(self, order: Outgoing) -> Answer:
        """Hand a receipt over; a repeat of the same order sends the same bytes."""
        try:
            body = encode_receipt(read_receipt(order), order.key, self._form)
        except ContentFault as fault:
            return refused_content(fault)
        http = await self._session.request(lambda token: self._request("receipt", token, body))
        if not isinstance(http, HttpAnswer):
            return http
        if self._refuses_token(http):
            return NotTaken(reason="a fresh token is refused")
        return answer_to_receipt(http, self._config.polling.after_ms(order.attempt))

    async def ask(self, order: Outgoing) -> Answer:
        """Ask for the status; without a ReceiptId hand the same over again: 1019 recovers it, and what was lost is taken now."""
        if not order.reference:
            return asked_by_repeat(await self.send(order))
        try:
            total_kopecks = msgspec.json.decode(order.content, type=_Total).total_kopecks
        except msgspec.DecodeError as error:
            return Unknown(reason=f"the order's content is not a receipt: {error}")
        body = msgspec.json.encode({"Request": {"ReceiptId": order.reference}})
        http = await self._session.request(lambda token: self._request("status", token, body))
        if isinstance(http, NotTaken):
            return Unknown(reason=f"the status was not asked for: {http.reason}")
        if not isinstance(http, HttpAnswer):
            return http
        return answer_to_status(http, order, self._form.zone, total_kopecks, self._config.polling.after_ms(order.attempt))

    def _refuses_token(self, http: HttpAnswer) -> bool:
        return refuses_token(http, self._config.token_codes)

    def _request(self, method: str, token: str, body: bytes) -> HttpRequest:
        return self._post(f"/api/kkt/cloud/{method}?AuthToken={quote(token, safe='')}", body)

    def _post(self, path: str, body: bytes) -> HttpRequest:
        url = f"{self._config.base_url}{path}"
        timeout_ms = self._config.timeout_ms
        return HttpRequest(method="POST", url=url, headers=(("content-type", JSON),), body=body, timeout_ms=timeout_ms)

    async def _ask_token(self) -> Token | Turned:
        body = msgspec.json.encode({"Login": self._config.login, "Password": self._config.password})
        http = await exchanged(self._exchange, self._post("/api/Authorization/CreateAuthToken", body))
        if not isinstance(http, HttpAnswer):
            return NotTaken(reason=f"no token: {http.reason}", after_ms=http.after_ms if isinstance(http, NotTaken) else 0)
        answer = read_answer(http.body)
        if answer is not None and answer.status == "Success" and answer.data is not None:
            return _token(answer.data)
        reason = f"no token: HTTP {http.status}"
        if answer is None or answer.error is None:
            return NotTaken(reason=reason)
        if http.status in _REFUSALS and http.status not in _UNDECIDED:
            return Closed(reason=f"{reason}: {words(answer.error)}")
        return NotTaken(reason=f"{reason}: {words(answer.error)}")


def _token(part: FermaPart) -> Token | NotTaken:
    token, ends = part.auth_token, part.expiration_date_utc
    if not token or len(token) > TOKEN_CHARACTERS_MAX or not ends:
        return NotTaken(reason="no token in the answer")
    try:
        good_until = read_ferma_utc(ends) - timedelta(seconds=TOKEN_MARGIN_S)
    except (ValueError, OverflowError):
        return NotTaken(reason="no readable ExpirationDateUtc in the answer")
    return Token(value=token, good_until=good_until)


def decode_callback(body: bytes) -> CallbackHint | None:
    """Read which order a callback is about, with or without an envelope; None when it names none. Nothing else is believed."""
    if len(body) > CALLBACK_BYTES_MAX:
        return None
    try:
        part = msgspec.json.decode(body, type=FermaAnswer).data or msgspec.json.decode(body, type=FermaPart)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return hint_of(part.invoice_id or "", part.receipt_id or "")
