"""A fake RBS acquirer (connectors/sandbox/faults.Fake): orders, status, refunds, links of СБП, callbacks (protocols.md §2).

Beside the bank's own methods, under any path: ``POST …/sandbox/pay`` with ``orderId`` (and ``declined=1``) is the payer at the
payment page, ``GET …/sandbox/register?day=YYYY-MM-DD`` the evening register. Error texts beside the codes are this fake's own.
"""

import base64
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from io import BytesIO
from typing import Annotated, Any, Literal
from urllib.parse import quote_from_bytes, urlsplit

import msgspec
import segno
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from connectors.acquiring.rbs_checksum import CHECKSUM, SIGN_ALIAS, SignHash, signed_text, symmetric_checksum
from connectors.sandbox.callbacks import CallbackFaults, CallbackQueue, DueCallback, Planned
from connectors.sandbox.rbs_orders import Operation, Order, OrderBook, OrderFault, RegisterRow
from connectors.sandbox.rbs_shown import OrderForm, compact_moment, java_moment, kopecks, order_shown
from connectors.terminals.parameters import read_parameters
from schemas.exchange import HttpAnswer, HttpRequest

RETRIES_S = (30, 30)
"""Three attempts thirty seconds apart."""
EXTRAS = (
    "amount",
    "depositedAmount",
    "refundedAmount",
    "operationRefundedAmount",
    "externalRefundId",
    "refNum",
    "callbackCreationDate",
)


class SigningKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What callbacks are signed with: a shared secret, or an RSA key in PEM under an alias."""

    secret: str = ""
    pem: str = ""
    alias: str = ""
    hash: SignHash = SignHash.SHA_512

    def __repr__(self) -> str:
        """Name the key by its alias."""
        return f"SigningKey({self.alias!r})"


class RbsSandboxOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One merchant of the fake. ``callback_url``: where callbacks go, by ``callback_method``, unless an order names its own;
    ``extras``: the optional parameters that they have; ``old_key``: the key before ``key``, which the faults use."""

    user_name: str = "sandbox"
    password: str = "sandbox"
    public_url: str = "http://127.0.0.1"
    callback_url: str = ""
    callback_method: Literal["GET", "POST"] = "POST"
    key: SigningKey = SigningKey(secret="sandbox-callback-secret")
    old_key: SigningKey | None = None
    extras: tuple[str, ...] = EXTRAS
    repeats_s: tuple[int, ...] = RETRIES_S
    session_s: Annotated[int, msgspec.Meta(ge=60)] = 1_200
    fee_permille: Annotated[int, msgspec.Meta(ge=0, le=100)] = 18
    lists_refunds: bool = True
    seed: str = "rbs"
    faults: CallbackFaults = CallbackFaults()

    def __repr__(self) -> str:
        """Name the merchant without secrets."""
        return f"RbsSandboxOptions({self.user_name!r})"


class RbsSandbox:
    """Answers requests as the bank would and has callbacks to send; ``book`` is what tests look into."""

    def __init__(self, options: RbsSandboxOptions) -> None:
        self._options = options
        self.callbacks: CallbackQueue[Operation] = CallbackQueue(options.faults, repeats=options.repeats_s, seed=options.seed)
        self.book = OrderBook(options.seed, options.fee_permille, self._tell)
        self._methods: dict[str, Callable[[Mapping[str, str], datetime], dict[str, Any]]] = {
            "register.do": self._register,
            "registerPreAuth.do": self._register_held,
            "getOrderStatusExtended.do": self._status,
            "getLastOrdersForMerchants.do": self._last_orders,
            "refund.do": self._refund,
            "reverse.do": self._reverse,
            "deposit.do": self._deposit,
            "decline.do": self._decline,
            "sbp/c2b/qr/dynamic/get.do": self._link,
            "sbp/c2b/qr/dynamic/create.do": self._link,
            "sbp/c2b/qr/status.do": self._link_status,
            "sandbox/pay": self._pay,
        }

    def handle(self, request: HttpRequest, now: datetime) -> HttpAnswer:
        """Answer as the bank would, HTTP 200 with an errorCode whatever it is."""
        self.book.expire(now)
        url = urlsplit(request.url)
        if url.path.endswith("/sandbox/register"):
            return self._register_file(read_parameters(url.query.encode()).values)
        name = next((name for name in self._methods if url.path.endswith(f"/{name}")), None)
        if name is None or request.method != "POST":
            return HttpAnswer(status=404)
        form = read_parameters(request.body).values
        own = name.startswith("sandbox/")
        if not own and (form.get("userName"), form.get("password")) != (self._options.user_name, self._options.password):
            return _answer({"errorCode": "5", "errorMessage": "Доступ запрещён"})
        try:
            return _answer({"errorCode": "0", "errorMessage": "Успешно"} | self._methods[name](form, now))
        except OrderFault as fault:
            return _answer({"errorCode": str(fault.code), "errorMessage": fault.message})

    def pay(self, order_id: str, now: datetime, *, is_declined: bool = False) -> None:
        """Be the payer at the payment page."""
        self.book.expire(now)
        self.book.pay(order_id, now, is_declined=is_declined)

    def callbacks_due(self, now: datetime) -> tuple[DueCallback, ...]:
        """Return what the bank sends by ``now``; each is to be told of by ``callback_answered`` before it can be repeated."""
        self.book.expire(now)
        return self.callbacks.due(now, self._request)

    def callback_answered(self, number: int, answer: HttpAnswer | None, now: datetime) -> None:
        """Learn the merchant's answer, None when there was none; only HTTP 200 ends the repeats."""
        self.callbacks.answered(number, now, is_taken=answer is not None and answer.status == 200)

    def evening_register(self, day: date) -> tuple[RegisterRow, ...]:
        """Return the deposits of a day of Moscow time."""
        return self.book.register_of(day)

    def _tell(self, operation: Operation, now: datetime) -> None:
        self.callbacks.plan(operation, now)

    def _register(self, form: Mapping[str, str], now: datetime, *, holds: bool = False) -> dict[str, Any]:
        read = OrderForm.read(form)
        order = self.book.register(
            Order(
                order_id="",
                number=read.number,
                amount_kopecks=read.amount_kopecks,
                is_held=holds,
                made_at=now,
                expires_at=read.expires_at or now + timedelta(seconds=self._options.session_s),
                description=read.description,
                callback_url=read.callback_url,
                extras=read.extras,
                changed_at=now,
            )
        )
        return {"orderId": order.order_id, "formUrl": f"{self._options.public_url}/pay?mdOrder={order.order_id}"}

    def _register_held(self, form: Mapping[str, str], now: datetime) -> dict[str, Any]:
        return self._register(form, now, holds=True)

    def _status(self, form: Mapping[str, str], now: datetime) -> dict[str, Any]:
        return order_shown(self.book.find(form.get("orderId", ""), form.get("orderNumber", "")), self._options.lists_refunds)

    def _last_orders(self, form: Mapping[str, str], now: datetime) -> dict[str, Any]:
        since, until = compact_moment(form.get("from", "")), compact_moment(form.get("to", ""))
        page, size = kopecks(form.get("page", "0")), kopecks(form.get("size", "100"))
        if since is None or until is None or not 1 <= size <= 200:
            raise OrderFault(5, "from, to или size")
        changed = self.book.changed_between(since, until)
        shown = [order_shown(order, self._options.lists_refunds) for order in changed[page * size : (page + 1) * size]]
        return {"orderStatuses": shown, "totalCount": len(changed), "page": page, "pageSize": size}

    def _refund(self, form: Mapping[str, str], now: datetime) -> dict[str, Any]:
        amount = kopecks(form.get("amount", ""))
        self.book.refund(form.get("orderId", ""), amount, form.get("externalRefundId", ""), now)
        return {}

    def _reverse(self, form: Mapping[str, str], now: datetime) -> dict[str, Any]:
        self.book.reverse(form.get("orderId", ""), now)
        return {}

    def _deposit(self, form: Mapping[str, str], now: datetime) -> dict[str, Any]:
        self.book.deposit(form.get("orderId", ""), kopecks(form.get("amount", "0")), now)
        return {}

    def _decline(self, form: Mapping[str, str], now: datetime) -> dict[str, Any]:
        self.book.decline(form.get("orderId", ""), now)
        return {}

    def _link(self, form: Mapping[str, str], now: datetime) -> dict[str, Any]:
        order = self.book.link(form.get("mdOrder", ""))
        payload = f"https://qr.nspk.ru/{order.qr_id}?type=02&bank=100000000000&sum={order.amount_kopecks}&cur=RUB&crc=0000"
        picture = {}
        if form.get("qrFormat") == "image":
            written = BytesIO()
            segno.make(payload, micro=False).save(written, kind="png")
            picture = {"renderedQr": base64.b64encode(written.getvalue()).decode()}
        return {"payload": payload, "qrId": order.qr_id, "qrStatus": "STARTED"} | picture

    def _link_status(self, form: Mapping[str, str], now: datetime) -> dict[str, Any]:
        order = self.book.find(form.get("mdOrder", ""))
        if not order.qr_id or form.get("qrId") != order.qr_id:
            raise OrderFault(6, "QR не найден")
        return {"qrStatus": "ACCEPTED" if order.deposited_at else "STARTED", "qrType": "DYNAMIC_QR_CODE"}

    def _pay(self, form: Mapping[str, str], now: datetime) -> dict[str, Any]:
        self.book.pay(form.get("orderId", ""), now, is_declined=form.get("declined") == "1")
        return {}

    def _register_file(self, query: Mapping[str, str]) -> HttpAnswer:
        try:
            day = date.fromisoformat(query.get("day", ""))
        except ValueError:
            return HttpAnswer(status=400)
        return _answer(self.evening_register(day))

    def _request(self, planned: Planned[Operation]) -> HttpRequest:
        told = planned.told
        order = told.order
        given = {
            "mdOrder": order.order_id,
            "orderNumber": order.number,
            "operation": told.name,
            "status": "1" if told.succeeded else "0",
        } | {name: value for name, value in _optional(planned).items() if name in self._options.extras}
        given |= order.extras
        key = self._options.old_key if planned.is_old_key and self._options.old_key else self._options.key
        given |= {CHECKSUM: _checksum(key, signed_text(given))} | ({SIGN_ALIAS: key.alias} if key.alias else {})
        encoding = "cp1251" if planned.is_wrong_encoding else "utf-8"
        form = "&".join(f"{_quoted(name, encoding)}={_quoted(value, encoding)}" for name, value in given.items())
        url = order.callback_url or self._options.callback_url
        if self._options.callback_method == "GET":
            return HttpRequest(method="GET", url=f"{url}?{form}")
        headers = (("content-type", "application/x-www-form-urlencoded"),)
        return HttpRequest(method="POST", url=url, headers=headers, body=form.encode())


@lru_cache(maxsize=8)
def _private_key(pem: str) -> RSAPrivateKey:
    key = load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("callbacks are signed by an RSA key")
    return key


def _checksum(key: SigningKey, text: bytes) -> str:
    if not key.pem:
        return symmetric_checksum(key.secret, text)
    algorithm = hashes.SHA256() if key.hash is SignHash.SHA_256 else hashes.SHA512()
    return _private_key(key.pem).sign(text, PKCS1v15(), algorithm).hex().upper()


def _optional(planned: Planned[Operation]) -> dict[str, str]:
    told, order = planned.told, planned.told.order
    refund = {"operationRefundedAmount": str(told.amount_kopecks), "externalRefundId": told.external_refund_id}
    return {
        "amount": str(order.amount_kopecks),
        "approvedAmount": str(order.approved_kopecks),
        "depositedAmount": str(order.deposited_kopecks - order.refunded_kopecks),
        "refundedAmount": str(order.refunded_kopecks),
        "refNum": told.rrn,
        "orderDescription": order.description,
        "callbackCreationDate": java_moment(planned.made_at),
    } | (refund if told.name == "refunded" else {})


def _quoted(text: str, encoding: str) -> str:
    return quote_from_bytes(text.encode(encoding, "replace"), safe="")


def _answer(content: object) -> HttpAnswer:
    return HttpAnswer(status=200, headers=(("content-type", "application/json"),), body=msgspec.json.encode(content))
