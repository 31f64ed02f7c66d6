"""Payment orders by Alfa API, one a request, from an account that the operator owns (protocols.md §4a).

Without ``digestSignatures`` an order is a draft: a person signs it in the bank's own client. ``externalId`` is a UUID derived
from our key and the bank refuses a second order under it (409), which is how a repeat finds the first. Executed means on the
statement: a status alone is not believed, and it has neither number nor day.
"""

import uuid
from collections.abc import Callable
from datetime import date, datetime, timedelta

import msgspec

from connectors.http_told import shown
from connectors.statements.alfa_source import AlfaStatements
from connectors.statements.source import StatementUnread
from connectors.transfers.batch import encode_report, is_complete, read_batch, rejected, sent_batch
from connectors.transfers.http_answers import common_answer, failed_read, failed_send
from connectors.transfers.orders_1c import MOSCOW
from connectors.transfers.statement import Statement, executed_by, orders_view
from schemas.delivery import Accepted, Answer, Done, NotTaken, Outgoing, Refused, Unknown
from schemas.exchange import Exchange, ExchangeFailed, HttpRequest
from schemas.money import roubles_from_kopecks
from schemas.statement import BankStatement
from schemas.transfer import BankParty, Transfer, TransferBatch, TransferResult, TransferState

ORDER_LIFE_DAYS = 10
KEY_SPACE = uuid.UUID("4f3c1c0e-52a4-5b0e-9d0e-0c40911000a1")
"""Namespace of our keys among UUIDs; it may never change."""

STATUSES = {
    "IMPLEMENTED": TransferState.EXECUTED,
    **dict.fromkeys(("REFUSEDBYBANK", "REFUSEDBYABS", "REQUISITEERROR", "INVALIDEDS", "FRAUDDENY"), TransferState.REJECTED),
    **dict.fromkeys(("DELETED", "RECALL"), TransferState.CANCELLED),
}
"""bankStatus -> what it means; others leave the order accepted. IMPLEMENTED is in the bank's sandbox, the rest are the names of
the same interface at Sber [from memory]: a connection's table may replace them."""


class AlfaSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Table of one connection. ``url`` ends with /api; ``authorization`` is the header's value: «Bearer …» or «ApiKey …».

    The client certificate is the exchange's business. ``statuses`` adds to STATUSES or replaces them.
    """

    url: str
    authorization: str
    statuses: dict[str, str] = {}
    poll_ms: int = 120_000
    timeout_ms: int = 30_000

    def __repr__(self) -> str:
        """Name the address without the token."""
        return f"AlfaSettings({self.url!r})"


class PaymentState(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Where a payment stands at the bank."""

    bank_status: str
    bank_comment: str | None = None


_state_decoder = msgspec.json.Decoder(PaymentState)


class AlfaPayments:
    """A Counterparty and a source of statements: content is a TransferBatch of one transfer, what comes back a TransferReport."""

    def __init__(self, settings: AlfaSettings, exchange: Exchange, now: Callable[[], datetime]) -> None:
        self._settings = settings
        self._exchange = exchange
        self._now = now
        self._statements = AlfaStatements(lambda path: self._request("GET", path), exchange, now)
        self._statuses = STATUSES | {name: TransferState[state.upper()] for name, state in settings.statuses.items()}

    @property
    def deduplicates(self) -> bool:
        """By externalId."""
        return True

    @property
    def can_be_asked(self) -> bool:
        """By externalId."""
        return True

    async def send(self, order: Outgoing) -> Answer:
        """Make the draft; a repeat is answered 409 and counts as accepted."""
        batch = read_batch(order.content)
        if not isinstance(batch, TransferBatch):
            return batch
        if batch.count != 1:
            reason = "one order a request"
            return Refused(code="content", reason=reason, content=rejected(batch, reason))
        body = write_payment(batch.transfers[0], external_id(order.key))
        try:
            answer = await self._exchange(self._request("POST", "/jp/v2/payments", body))
        except ExchangeFailed as error:
            return failed_send(error)
        common = common_answer(answer, taken=True)
        if common is not None:
            return common
        if answer.status < 300 or answer.status == 409:
            waiting = TransferResult(key=batch.transfers[0].key, state=TransferState.ACCEPTED)
            return self._accepted(order, encode_report(batch, (waiting,)))
        reason = f"HTTP {answer.status}: {shown(answer.body)}"
        if answer.status not in (400, 422):
            return Unknown(reason=reason)
        return Refused(code=str(answer.status), reason=reason, content=rejected(batch, reason))

    async def ask(self, order: Outgoing) -> Answer:
        """Ask the payment's state; an executed one is looked for on the statement."""
        batch = sent_batch(order.content)
        if not isinstance(batch, TransferBatch):
            return batch
        try:
            answer = await self._exchange(self._request("GET", f"/jp/v2/payments/{external_id(order.key)}/state"))
        except ExchangeFailed as error:
            return failed_read(error)
        if answer.status == 404:
            absent = "the bank has no such payment"
            return Unknown(reason=f"{absent} though it accepted it") if order.reference else NotTaken(reason=absent)
        common = common_answer(answer, taken=False)
        if common is not None:
            return common
        try:
            state = _state_decoder.decode(answer.body)
        except msgspec.MsgspecError as error:
            return Unknown(reason=f"the payment's state cannot be read: {error}")
        return await self._by_state(order, batch, state)

    async def bank_statement(self, account: str, day: date) -> BankStatement | StatementUnread:
        """Read a day of a statement, compared with its summary."""
        return await self._statements.bank_statement(account, day)

    async def statement(self, account: str, day: date) -> Statement | StatementUnread:
        """Read a day's operations as orders need them; a line that is shown on two pages counts once."""
        read = await self._statements.operations(account, day)
        return read if isinstance(read, StatementUnread) else orders_view(read)

    async def _by_state(self, order: Outgoing, batch: TransferBatch, state: PaymentState) -> Answer:
        transfer = batch.transfers[0]
        meaning = self._statuses.get(state.bank_status, TransferState.ACCEPTED)
        reason = f"{state.bank_status} {state.bank_comment or ''}".strip()
        result = TransferResult(key=transfer.key, state=meaning, reason=reason)
        if meaning is TransferState.EXECUTED:
            found = await self._executed(transfer)
            if isinstance(found, StatementUnread):
                return Unknown(reason=found.reason)
            result = found or TransferResult(key=transfer.key, state=TransferState.ACCEPTED, reason=reason)
        content = encode_report(batch, (result,))
        return (
            Done(reference=external_id(order.key), content=content) if is_complete((result,)) else self._accepted(order, content)
        )

    async def _executed(self, transfer: Transfer) -> TransferResult | StatementUnread | None:
        """Find the order on the statement of its own day or of one of the days after it."""
        today = self._now().astimezone(MOSCOW).date()
        for later in range(ORDER_LIFE_DAYS + 1):
            day = transfer.day + timedelta(days=later)
            if day > today:
                return None
            read = await self.statement(transfer.payer.account, day)
            if isinstance(read, StatementUnread):
                return read
            found = executed_by(transfer, list(read.movements))
            if found is not None:
                executed = TransferState.EXECUTED
                return TransferResult(key=transfer.key, state=executed, bank_number=found.number, bank_day=found.day)
        return None

    def _accepted(self, order: Outgoing, content: bytes) -> Accepted:
        return Accepted(reference=external_id(order.key), ask_after_ms=self._settings.poll_ms, content=content)

    def _request(self, method: str, path: str, body: bytes = b"") -> HttpRequest:
        headers = (
            ("authorization", self._settings.authorization),
            ("accept", "application/json"),
            *((("content-type", "application/json"),) if body else ()),
        )
        url = self._settings.url.rstrip("/") + path
        return HttpRequest(method=method, url=url, headers=headers, body=body, timeout_ms=self._settings.timeout_ms)


def external_id(key: str) -> str:
    """The order's id at the bank: a UUID (version 5) of our key."""
    return str(uuid.uuid5(KEY_SPACE, key))


def write_payment(transfer: Transfer, external: str) -> bytes:
    """Write the body of a payment; the sum is a JSON number with two decimals, written exactly."""
    body: dict[str, object] = {
        "externalId": external,
        "number": transfer.number,
        "date": transfer.day.isoformat(),
        "amount": msgspec.Raw(roubles_from_kopecks(transfer.amount_kopecks).encode()),
        "operationCode": "01",
        "deliveryKind": "электронно",
        "urgencyCode": "NORMAL",
        "priority": str(transfer.priority),
        "purpose": transfer.purpose,
        **_side("payer", transfer.payer),
        **_side("payee", transfer.payee),
    }
    departmental = _departmental(transfer)
    if departmental:
        body["departmentalInfo"] = departmental
    return msgspec.json.encode(body)


def _side(side: str, party: BankParty) -> dict[str, str]:
    fields = {
        "Name": party.name,
        "Inn": party.inn,
        "Kpp": party.kpp,
        "Account": party.account,
        "BankBic": party.bic,
        "BankName": party.bank_name,
        "BankCorrAccount": party.correspondent,
    }
    return {f"{side}{name}": value for name, value in fields.items() if value}


def _departmental(transfer: Transfer) -> dict[str, str]:
    """Fields 22 and 101–110; КБК is «0» in an order that has an УИП and is not to the budget."""
    if transfer.budget is None:
        return {"uip": transfer.code, "kbk": "0"} if transfer.code != "0" else {}
    fields = transfer.budget
    return {
        "uip": transfer.code,
        "drawerStatus101": fields.drawer_status,
        "kbk": fields.kbk,
        "oktmo": fields.oktmo,
        "reasonCode106": fields.reason,
        "taxPeriod107": fields.period,
        "docNumber108": fields.document_number,
        "docDate109": fields.document_date,
        "paymentKind110": fields.kind,
    }
