"""The fake bank's door for signed distribution registers (docs/distribution-register.md)."""

import hashlib
from datetime import datetime
from urllib.parse import unquote, urlsplit

import msgspec
from cryptography import x509

from connectors.sandbox.bank_orders import BankBooks, BankOptions, BankOrder
from connectors.transfers.cms import CmsError, verify_detached
from connectors.transfers.distribution_register import register_id
from connectors.transfers.multipart import CONTENT_PART, SIGNATURE_PART, read_parts
from connectors.transfers.register_answer import FORMAT, PROBLEM_UNKNOWN_REGISTER, AnswerLine, LineState, Problem, RegisterAnswer
from connectors.transfers.register_file import RegisterError, read_register
from schemas.exchange import HttpAnswer, HttpRequest
from schemas.transfer import TransferBatch, TransferState

LINE_STATES = {
    TransferState.ACCEPTED: LineState.ACCEPTED,
    TransferState.EXECUTED: LineState.EXECUTED,
    TransferState.REJECTED: LineState.REFUSED,
    TransferState.HELD: LineState.HELD,
}


class _Taken(msgspec.Struct, frozen=True, kw_only=True):
    digest: str
    batch: TransferBatch
    signer: str
    signed_at: datetime
    places: tuple[int, ...]


class RegisterDoor:
    """Registers by number within their account; a known number is answered before anything else is looked at."""

    def __init__(self, options: BankOptions, books: BankBooks) -> None:
        self._books = books
        self._trusted = tuple(x509.load_pem_x509_certificate(pem.encode()) for pem in options.certificates)
        self._registers: dict[str, _Taken] = {}

    def handle(self, request: HttpRequest, now: datetime) -> HttpAnswer:
        """Take a register or tell of one."""
        if request.method == "POST":
            return self._take(request, now)
        taken = self._registers.get(unquote(urlsplit(request.url).path.removeprefix("/registers/")))
        return _problem(404, PROBLEM_UNKNOWN_REGISTER, "") if taken is None else self._tell(taken, 200)

    def _take(self, request: HttpRequest, now: datetime) -> HttpAnswer:
        headers = dict(request.headers)
        parts = read_parts(headers.get("content-type", ""), request.body)
        content, key = parts.get(CONTENT_PART), headers.get("idempotency-key", "")
        if content is None or not key:
            return _problem(400, "form", "a register with its signature and an Idempotency-Key are expected")
        digest = hashlib.sha256(content).hexdigest()
        known = self._registers.get(key)
        if known is not None:
            return self._tell(known, 200) if known.digest == digest else _problem(409, "conflict", "another content")
        try:
            signer, signed_at = verify_detached(parts.get(SIGNATURE_PART, b""), content, self._trusted)
            batch = read_register(content)
        except CmsError as error:
            return _problem(422, "signature", str(error))
        except RegisterError as error:
            return _problem(422, "form", str(error))
        if batch.transit_account not in self._books.balances or register_id(batch) != key:
            return _problem(422, "account", "no such transit account, or the key is not of this register")
        places = tuple(self._books.take(one.key, one, now) for one in batch.transfers)
        taken = _Taken(digest=digest, batch=batch, signer=signer, signed_at=signed_at, places=places)
        self._registers[key] = taken
        return self._tell(taken, 201)

    def _tell(self, taken: _Taken, status: int) -> HttpAnswer:
        batch = taken.batch
        answer = RegisterAnswer(
            format=FORMAT,
            register=batch.register,
            transit_account=batch.transit_account,
            count=batch.count,
            sum_kopecks=batch.total_kopecks,
            signer=taken.signer,
            signed_at=taken.signed_at,
            lines=tuple(_line(self._books.order(place)) for place in taken.places),
        )
        return HttpAnswer(status=status, body=msgspec.json.encode(answer))


def _line(order: BankOrder) -> AnswerLine:
    return AnswerLine(
        key=order.key,
        state=LINE_STATES[order.state],
        amount_kopecks=order.transfer.amount_kopecks,
        bank_number=order.bank_number,
        bank_day=order.bank_day,
        reason=order.reason,
    )


def _problem(status: int, code: str, reason: str) -> HttpAnswer:
    return HttpAnswer(status=status, body=msgspec.json.encode(Problem(code=code, reason=reason)))
