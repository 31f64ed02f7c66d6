"""A fake ATOL Online: tokens that end, a slow queue, refused duplicates, final failures (protocols.md §8)."""

import hashlib
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import msgspec

from connectors.sandbox.atol_receipt import AtolReceipt, total_of
from connectors.sandbox.receipt_sums import SumFault
from connectors.sandbox.till import Failed, Registered, Till, TillFull, TillOptions, receipt_link
from schemas.exchange import HttpAnswer, HttpRequest
from schemas.money import roubles_from_kopecks

_OPERATIONS = {
    "v4": frozenset({"sell", "sell_refund", "sell_correction"}),
    "v5": frozenset({"sell", "sell_refund", "sell_correction", "sell_refund_correction"}),
}
_MOMENT = "%d.%m.%Y %H:%M:%S"


class AtolSandboxOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may log in, which group of tills there is, and how it behaves.

    For ``unseen_ms`` after it was taken a receipt's state is not found (34). Links of receipts start with ``public_url``,
    or with the address that was asked.
    """

    login: str = "sandbox"
    password: str = "sandbox"
    group_code: str = "sandbox"
    inn: str = "7700000000"
    protocol: Literal["v4", "v5"] = "v5"
    token_life_s: int = 86_400
    unseen_ms: int = 300
    blocked: bool = False
    public_url: str = ""
    till: TillOptions = TillOptions()

    def __repr__(self) -> str:
        """Name the group without the password."""
        return f"AtolSandboxOptions(group_code={self.group_code!r}, {self.protocol})"


class _Login(msgspec.Struct, frozen=True, kw_only=True):
    login: str
    password: str = msgspec.field(name="pass")


class _Refusal(Exception):
    def __init__(self, status: int, code: int, text: str, *, uuid: str = "") -> None:
        super().__init__(text)
        self.status, self.code, self.text, self.uuid = status, code, text, uuid


class AtolSandbox:
    """A fake of one group of tills (connectors/sandbox/faults.py, Fake)."""

    def __init__(self, options: AtolSandboxOptions) -> None:
        self._options = options
        self._tokens: dict[str, datetime] = {}
        self._logins = 0
        self.till = Till(options.till, f"atol/{options.inn}/{options.group_code}")

    @property
    def registered(self) -> tuple[Registered, ...]:
        """Every receipt that was registered."""
        return self.till.registered

    @property
    def logins(self) -> int:
        """How many tokens were given."""
        return self._logins

    def handle(self, request: HttpRequest, now: datetime) -> HttpAnswer:
        """Answer a request as ATOL Online would."""
        self.till.advance(now)
        parts = [unquote(part) for part in urlsplit(request.url).path.split("/") if part]
        version = next((place for place, part in enumerate(parts) if part in _OPERATIONS), None)
        if version is None:
            return HttpAnswer(status=404)
        try:
            return self._route(request, parts[version], parts[version + 1 :], now)
        except _Refusal as refusal:
            return _refused(refusal, now)

    def expire_tokens(self) -> None:
        """Make every token that was given end now."""
        self._tokens.clear()

    def callback(self, reference: str, root: str) -> bytes:
        """Write what ATOL would post to the client's address: the report of a receipt."""
        return msgspec.json.encode(self._report(reference, root))

    def _route(self, request: HttpRequest, version: str, rest: list[str], now: datetime) -> HttpAnswer:
        if request.method == "POST" and not _says_json(request):
            raise _Refusal(415, 41, "Некорректный Content-Type")
        if rest == ["getToken"] and request.method == "POST":
            return self._give_token(request.body, now)
        self._check_token(request, now)
        if len(rest) < 2 or rest[0] != self._options.group_code:
            raise _Refusal(401, 20, "Код группы не соответствует токену")
        if version != self._options.protocol:
            raise _Refusal(401, 21, "Версия протокола не поддерживается группой")
        if rest[1] == "report" and request.method == "GET":
            if len(rest) != 3:
                raise _Refusal(400, 30, "Не передан UUID")
            return self._answer_report(rest[2], request, now)
        if request.method != "POST" or len(rest) != 2 or rest[1] not in _OPERATIONS[version]:
            raise _Refusal(400, 31, "Операция не поддерживается")
        return self._take(request.body, rest[1], now)

    def _give_token(self, body: bytes, now: datetime) -> HttpAnswer:
        try:
            login = msgspec.json.decode(body, type=_Login)
        except msgspec.DecodeError as error:
            raise _Refusal(400, 40, "Некорректный запрос") from error
        if (login.login, login.password) != (self._options.login, self._options.password):
            raise _Refusal(401, 12, "Неверный логин или пароль")
        self._check_blocked()
        self._logins += 1
        token = hashlib.sha256(f"{self._options.till.seed}/token/{self._logins}".encode()).hexdigest()
        self._tokens = {kept: ends for kept, ends in self._tokens.items() if ends > now}
        self._tokens[token] = now + timedelta(seconds=self._options.token_life_s)
        return _json(200, {"error": None, "token": token, "timestamp": now.strftime(_MOMENT)})

    def _check_token(self, request: HttpRequest, now: datetime) -> None:
        token = next((value for name, value in request.headers if name == "token"), "")
        if not token:
            raise _Refusal(401, 10, "Не передан токен")
        if self._tokens.get(token, now) <= now:
            raise _Refusal(401, 11, "Срок действия токена истёк")
        self._check_blocked()

    def _check_blocked(self) -> None:
        if self._options.blocked:
            raise _Refusal(403, 14, "Пользователь заблокирован")

    def _take(self, body: bytes, operation: str, now: datetime) -> HttpAnswer:
        try:
            receipt = msgspec.json.decode(body, type=AtolReceipt)
            total_kopecks = total_of(receipt, operation, self._options.protocol, self._options.inn)
        except (msgspec.ValidationError, SumFault) as fault:
            raise _Refusal(400, 32, f"Ошибка валидации: {fault}") from fault
        except msgspec.DecodeError as error:
            raise _Refusal(400, 40, "Некорректный запрос") from error
        if (known := self.till.find(receipt.external_id)) is not None:
            raise _Refusal(400, 33, "Документ с таким external_id уже существует", uuid=known)
        try:
            reference = self.till.take(receipt.external_id, operation, total_kopecks, now)
        except TillFull as full:
            raise _Refusal(500, 50, "Внутренняя ошибка сервера") from full
        answer = {"uuid": reference, "status": "wait", "error": None, "timestamp": now.strftime(_MOMENT), "warnings": None}
        return _json(200, answer)

    def _answer_report(self, reference: str, request: HttpRequest, now: datetime) -> HttpAnswer:
        state = self.till.state(reference)
        receipt = state.receipt if isinstance(state, Registered | Failed) else state
        if receipt is None or now < receipt.accepted_at + timedelta(milliseconds=self._options.unseen_ms):
            raise _Refusal(200, 34, "Состояние чека не найдено, повторите позднее", uuid=reference)
        url = urlsplit(request.url)
        return _json(200, self._report(reference, f"{url.scheme}://{url.netloc}"))

    def _report(self, reference: str, root: str) -> dict[str, Any]:
        state = self.till.state(reference)
        if state is None:
            raise KeyError(reference)
        receipt = state.receipt if isinstance(state, Registered | Failed) else state
        report: dict[str, Any] = {
            "uuid": reference,
            "error": None,
            "status": "wait",
            "payload": None,
            "external_id": receipt.key,
            "group_code": self._options.group_code,
            "daemon_code": "sandbox",
            "device_code": "sandbox",
            "callback_url": "",
        }
        if isinstance(state, Registered):
            return report | {"status": "done", "payload": self._payload(state, root)}
        if isinstance(state, Failed):
            return report | {"status": "fail", "error": _failure(state)}
        return report

    def _payload(self, registered: Registered, root: str) -> dict[str, Any]:
        total = roubles_from_kopecks(registered.receipt.total_kopecks)
        return {
            "total": msgspec.Raw(total.encode()),
            "fns_site": "www.nalog.gov.ru",
            "fn_number": registered.fn,
            "shift_number": registered.shift,
            "receipt_datetime": registered.local.strftime(_MOMENT),
            "fiscal_receipt_number": registered.number_in_shift,
            "fiscal_document_number": registered.fd,
            "ecr_registration_number": self.till.register_number,
            "fiscal_document_attribute": registered.fpd,
            "ofd_inn": "7700000001",
            "ofd_receipt_url": receipt_link(self._options.public_url or root, registered, total),
        }


def _says_json(request: HttpRequest) -> bool:
    return any(name == "content-type" and value.startswith("application/json") for name, value in request.headers)


def _failure(failed: Failed) -> dict[str, Any]:
    if failed.timeout:
        return {"error_id": failed.receipt.reference, "code": 1, "text": "Чек не успел пробиться в очереди", "type": "timeout"}
    return {"error_id": failed.receipt.reference, "code": -3897, "text": "Ошибка драйвера ККТ", "type": "driver"}


def _refused(refusal: _Refusal, now: datetime) -> HttpAnswer:
    waits = refusal.code in (33, 34)
    error = {"error_id": "sandbox", "code": refusal.code, "text": refusal.text, "type": "system"}
    answer = {"uuid": refusal.uuid, "status": "wait" if waits else "fail", "error": error, "timestamp": now.strftime(_MOMENT)}
    return _json(refusal.status, answer)


def _json(status: int, content: dict[str, Any]) -> HttpAnswer:
    headers = (("content-type", "application/json; charset=utf-8"),)
    return HttpAnswer(status=status, headers=headers, body=msgspec.json.encode(content))
