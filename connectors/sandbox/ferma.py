"""A fake OFD.ru Ferma: tokens that end, a slow queue, refused duplicates, failures of tills (protocols.md §9).

Codes of errors other than 1019 are this fake's own: Ferma's list is not public.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import msgspec
from msgspec import Meta, Raw

from connectors.sandbox.receipt_sums import SumFault, check_total, item_kopecks, kopecks_in
from connectors.sandbox.till import Failed, Registered, Till, TillFull, TillOptions, receipt_link
from schemas.exchange import HttpAnswer, HttpRequest
from schemas.money import roubles_from_kopecks

DUPLICATE = 1019
_WRONG_LOGIN, _WRONG_TOKEN, _INVALID, _WRONG_INN, _UNKNOWN_RECEIPT, _SERVER = 1000, 1001, 1003, 1004, 1005, 1050
_TYPES = frozenset(
    [
        "Income",
        "IncomeReturn",
        "IncomePrepayment",
        "IncomeReturnPrepayment",
        "IncomePrepaymentOffset",
        "IncomeReturnPrepaymentOffset",
        "IncomeCorrection",
        "IncomeReturnCorrection",
    ]
)
_TAX_SYSTEMS = frozenset(["Common", "SimpleIn", "SimpleInOut", "Unified", "UnifiedAgricultural", "Patent"])
_VATS = frozenset(
    [
        "VatNo",
        "Vat0",
        "Vat5",
        "Vat7",
        "Vat10",
        "Vat20",
        "Vat22",
        "CalculatedVat5105",
        "CalculatedVat7107",
        "CalculatedVat10110",
        "CalculatedVat20120",
        "CalculatedVat22122",
    ]
)
_MEASURES = frozenset(["PIECE", "SQUARE_METER", "CUBIC_METER", "KILOWATT_HOUR", "GIGACALORIE", "OTHER"])
_MOMENT = "%Y-%m-%dT%H:%M:%S"


class FermaSandboxOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may log in, whose tills there are, and how they behave; links start with ``public_url`` or the address asked."""

    login: str = "sandbox"
    password: str = "sandbox"
    inn: str = "7700000000"
    token_life_s: int = 86_400
    public_url: str = ""
    till: TillOptions = TillOptions()

    def __repr__(self) -> str:
        """Name the account's owner without the password."""
        return f"FermaSandboxOptions(inn={self.inn!r})"


class _Pascal(msgspec.Struct, frozen=True, kw_only=True, rename="pascal", forbid_unknown_fields=True):
    pass


class _Login(_Pascal, frozen=True, kw_only=True):
    login: str
    password: str


class _Agent(_Pascal, frozen=True, kw_only=True):
    agent_type: str
    payment_agent_operation: str = ""
    payment_agent_phone: str = ""
    receiver_phone: str = ""
    supplier_inn: Annotated[str, Meta(pattern="^([0-9]{10}|[0-9]{12})$")]
    supplier_name: str
    supplier_phone: str = ""


class _Item(_Pascal, frozen=True, kw_only=True):
    label: Annotated[str, Meta(min_length=1, max_length=128)]
    price: Raw
    quantity: Raw
    amount: Raw
    vat: str
    measure: str
    payment_method: Annotated[int, Meta(ge=1, le=7)]
    payment_type: Annotated[int, Meta(ge=1, le=33)]
    payment_agent_info: _Agent | None = None


class _PaymentItem(_Pascal, frozen=True, kw_only=True):
    payment_type: Annotated[int, Meta(ge=0, le=4)]
    sum: Raw


class _CorrectionInfo(_Pascal, frozen=True, kw_only=True):
    type: Annotated[str, Meta(pattern="^(SELF|INSTRUCTION)$")]
    description: str
    receipt_date: Annotated[str, Meta(pattern="^[0-9]{2}\\.[0-9]{2}\\.([0-9]{2}|[0-9]{4})$")]
    receipt_id: str


class _CustomerReceipt(_Pascal, frozen=True, kw_only=True):
    taxation_system: str
    email: str = ""
    phone: str = ""
    bill_address: Annotated[str, Meta(min_length=1, max_length=256)]
    is_internet: bool
    items: Annotated[tuple[_Item, ...], Meta(min_length=1, max_length=100)]
    payment_items: Annotated[tuple[_PaymentItem, ...], Meta(min_length=1, max_length=10)]
    correction_info: _CorrectionInfo | None = None
    additional_receipt_prop: Annotated[str, Meta(max_length=16)] = ""


class _Receipt(_Pascal, frozen=True, kw_only=True):
    inn: Annotated[str, Meta(max_length=12)]
    type: str
    invoice_id: Annotated[str, Meta(min_length=1, max_length=128)]
    callback_url: str = ""
    local_date: Annotated[str, Meta(pattern="^20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]$")]
    customer_receipt: _CustomerReceipt


class _ReceiptBody(_Pascal, frozen=True, kw_only=True):
    request: _Receipt


class _Asked(_Pascal, frozen=True, kw_only=True):
    receipt_id: str


class _StatusBody(_Pascal, frozen=True, kw_only=True):
    request: _Asked


_Form = TypeVar("_Form", _Login, _ReceiptBody, _StatusBody)


class _Refusal(Exception):
    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class FermaSandbox:
    """A fake of one account (connectors/sandbox/faults.py, Fake)."""

    def __init__(self, options: FermaSandboxOptions) -> None:
        self._options = options
        self._tokens: dict[str, datetime] = {}
        self._logins = 0
        self.till = Till(options.till, f"ferma/{options.inn}")

    @property
    def registered(self) -> tuple[Registered, ...]:
        """Every receipt that was registered."""
        return self.till.registered

    @property
    def logins(self) -> int:
        """How many tokens were given."""
        return self._logins

    def handle(self, request: HttpRequest, now: datetime) -> HttpAnswer:
        """Answer a request as Ferma would."""
        self.till.advance(now)
        url = urlsplit(request.url)
        try:
            match (request.method, url.path):
                case ("POST", "/api/Authorization/CreateAuthToken"):
                    return self._give_token(request.body, now)
                case ("POST", "/api/kkt/cloud/receipt"):
                    self._check_token(url.query, now)
                    return self._take(request.body, now)
                case ("POST", "/api/kkt/cloud/status"):
                    self._check_token(url.query, now)
                    return self._status(request.body, f"{url.scheme}://{url.netloc}", now)
                case _:
                    return HttpAnswer(status=404)
        except _Refusal as refusal:
            error = {"Code": refusal.code, "Message": refusal.message}
            return _json(refusal.status, {"Status": "Failed", "Error": error})

    def expire_tokens(self) -> None:
        """Make every token that was given end now."""
        self._tokens.clear()

    def callback(self, reference: str, root: str, now: datetime) -> bytes:
        """Write what Ferma would post to the client's address: the status of a receipt."""
        return msgspec.json.encode({"Data": self._part(reference, root, now) | {"ReceiptId": reference}})

    def _give_token(self, body: bytes, now: datetime) -> HttpAnswer:
        login = _decode(body, _Login)
        if (login.login, login.password) != (self._options.login, self._options.password):
            raise _Refusal(401, _WRONG_LOGIN, "Неверный логин или пароль")
        self._logins += 1
        token = hashlib.sha256(f"{self._options.till.seed}/token/{self._logins}".encode()).hexdigest()
        ends = now.astimezone(UTC) + timedelta(seconds=self._options.token_life_s)
        self._tokens = {kept: until for kept, until in self._tokens.items() if until > now}
        self._tokens[token] = ends
        return _success({"AuthToken": token, "ExpirationDateUtc": ends.strftime(_MOMENT)})

    def _check_token(self, query: str, now: datetime) -> None:
        token = parse_qs(query).get("AuthToken", [""])[0]
        if self._tokens.get(token, now) <= now:
            raise _Refusal(401, _WRONG_TOKEN, "Токен недействителен")

    def _take(self, body: bytes, now: datetime) -> HttpAnswer:
        receipt = _decode(body, _ReceiptBody).request
        if receipt.inn != self._options.inn:
            raise _Refusal(400, _WRONG_INN, "ИНН не принадлежит клиенту")
        try:
            total_kopecks = _total_of(receipt)
        except SumFault as fault:
            raise _Refusal(400, _INVALID, str(fault)) from fault
        if (known := self.till.find(receipt.invoice_id)) is not None:
            raise _Refusal(400, DUPLICATE, f"Чек с InvoiceId {receipt.invoice_id} уже создан: --{known}--")
        try:
            reference = self.till.take(receipt.invoice_id, receipt.type, total_kopecks, now)
        except TillFull as full:
            raise _Refusal(500, _SERVER, "Внутренняя ошибка") from full
        return _success({"ReceiptId": reference})

    def _status(self, body: bytes, root: str, now: datetime) -> HttpAnswer:
        reference = _decode(body, _StatusBody).request.receipt_id
        if self.till.state(reference) is None:
            raise _Refusal(400, _UNKNOWN_RECEIPT, "Чек не найден")
        return _success(self._part(reference, root, now))

    def _part(self, reference: str, root: str, now: datetime) -> dict[str, Any]:
        state = self.till.state(reference)
        part: dict[str, Any] = {"StatusCode": 0, "StatusName": "NEW", "StatusMessage": None, "Device": None}
        if isinstance(state, Failed):
            message = "Истекло время ожидания в очереди" if state.timeout else "Ошибка ККТ"
            return part | {"StatusCode": 3, "StatusName": "KKT_ERROR", "StatusMessage": message}
        if isinstance(state, Registered):
            moment = state.registered_at.astimezone(UTC).strftime(_MOMENT)
            confirmed = {"StatusCode": 2, "StatusName": "CONFIRMED", "ModifiedDateUtc": moment, "ReceiptDateUtc": moment}
            return part | confirmed | {"Device": self._device(state, root)}
        if state is not None and now > state.accepted_at:
            return part | {"StatusCode": 1, "StatusName": "PROCESSED"}
        return part

    def _device(self, registered: Registered, root: str) -> dict[str, Any]:
        total = roubles_from_kopecks(registered.receipt.total_kopecks)
        return {
            "DeviceId": "sandbox",
            "RNM": self.till.register_number,
            "ZN": "00106700000001",
            "FN": registered.fn,
            "FDN": str(registered.fd),
            "FPD": str(registered.fpd),
            "ShiftNumber": registered.shift,
            "ReceiptNumInShift": registered.number_in_shift,
            "OfdReceiptUrl": receipt_link(self._options.public_url or root, registered, total),
        }


def _total_of(receipt: _Receipt) -> int:
    """Check a receipt's words and sums and return its total; raises SumFault."""
    customer = receipt.customer_receipt
    if receipt.type not in _TYPES or customer.taxation_system not in _TAX_SYSTEMS:
        raise SumFault("Type or TaxationSystem: unknown")
    if not (customer.email or customer.phone.startswith("+")):
        raise SumFault("Email or Phone: is required")
    if receipt.type.endswith("Correction") != (customer.correction_info is not None):
        raise SumFault("CorrectionInfo: stands in corrections only")
    if any(item.vat not in _VATS or item.measure not in _MEASURES for item in customer.items):
        raise SumFault("Items: Vat or Measure is unknown")
    items_kopecks = [
        item_kopecks(item.price, item.quantity, item.amount, f"Items[{place}]") for place, item in enumerate(customer.items)
    ]
    payments_kopecks = [kopecks_in(payment.sum, "PaymentItems.Sum") for payment in customer.payment_items]
    check_total(items_kopecks, payments_kopecks, sum(items_kopecks))
    return sum(items_kopecks)


def _decode(body: bytes, form: type[_Form]) -> _Form:
    try:
        return msgspec.json.decode(body, type=form)
    except msgspec.DecodeError as error:
        raise _Refusal(400, _INVALID, str(error)) from error


def _success(part: dict[str, Any]) -> HttpAnswer:
    return _json(200, {"Status": "Success", "Data": part})


def _json(status: int, content: dict[str, Any]) -> HttpAnswer:
    headers = (("content-type", "application/json; charset=utf-8"),)
    return HttpAnswer(status=status, headers=headers, body=msgspec.json.encode(content))
