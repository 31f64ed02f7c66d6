"""The fake bank's doors of Alfa API: payments by externalId and the day's statement in JSON (protocols.md §4a)."""

from datetime import date, datetime
from urllib.parse import parse_qs, urlsplit

import msgspec

from connectors.sandbox.bank_orders import BankBooks, BankOptions, Posting
from schemas.exchange import HttpAnswer, HttpRequest
from schemas.money import MoneyError, kopecks_from_roubles, roubles_from_kopecks
from schemas.transfer import BankParty, PurposeClass, Transfer, TransferState

PAYMENTS, STATEMENT, SUMMARY = "/api/jp/v2/payments", "/api/statement/transactions", "/api/statement/summary"
STATUSES = {
    TransferState.ACCEPTED: "DELIVERED",
    TransferState.HELD: "FRAUDREVIEW",
    TransferState.EXECUTED: "IMPLEMENTED",
    TransferState.REJECTED: "REFUSEDBYABS",
}


class _Payment(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    external_id: str
    number: str
    date: date
    amount: msgspec.Raw
    purpose: str
    payer_name: str
    payer_inn: str
    payer_account: str
    payer_bank_bic: str
    payee_name: str
    payee_account: str
    payee_bank_bic: str
    payee_inn: str = ""
    payer_kpp: str = ""
    payee_kpp: str = ""


_decoder: msgspec.json.Decoder[_Payment] = msgspec.json.Decoder(_Payment)


class AlfaDoor:
    """Payments that a person signs at once, and statements by pages."""

    def __init__(self, options: BankOptions, books: BankBooks) -> None:
        self._books = books
        self._page = options.statement_page
        self._places: dict[str, int] = {}

    def handle(self, request: HttpRequest, now: datetime) -> HttpAnswer:
        """Take a payment, tell its state or a page of the statement."""
        path = urlsplit(request.url).path
        if path in (STATEMENT, SUMMARY):
            return self._statement(request.url, whole=path == SUMMARY)
        if path == PAYMENTS and request.method == "POST":
            return self._take(request.body, now)
        place = self._places.get(path.removeprefix(f"{PAYMENTS}/").removesuffix("/state"))
        if place is None:
            return _error(404, "not_found")
        order = self._books.order(place)
        return _json(200, {"bankStatus": STATUSES[order.state], "bankComment": order.reason})

    def _take(self, body: bytes, now: datetime) -> HttpAnswer:
        try:
            payment = _decoder.decode(body)
            amount_kopecks = kopecks_from_roubles(bytes(payment.amount).decode())
        except (msgspec.MsgspecError, MoneyError):
            return _error(400, "invalid_request")
        if payment.external_id in self._places:
            return _error(409, "duplicate")
        if payment.payer_account not in self._books.balances or not amount_kopecks:
            return _error(400, "invalid_request")
        transfer = _transfer(payment, amount_kopecks)
        self._places[payment.external_id] = self._books.take(payment.external_id, transfer, now)
        return _json(201, {"externalId": payment.external_id, "digestSignatures": []})

    def _statement(self, url: str, *, whole: bool) -> HttpAnswer:
        """Tell a page of a day, or ``whole``: its balances and turnovers."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        account = asked.get("accountNumber", "")
        if account not in self._books.balances:
            return _error(404, "not_found")
        try:
            day, number = date.fromisoformat(asked.get("statementDate", "")), int(asked.get("page", "1"))
        except ValueError:
            return _error(400, "invalid_request")
        if whole:
            return _json(200, _summary([one for one in self._books.postings[account] if one.day <= day], day))
        postings = [one for one in self._books.postings[account] if one.day == day]
        shown = postings[(number - 1) * self._page : number * self._page]
        links = [{"rel": "next", "href": f"?page={number + 1}"}] if len(postings) > number * self._page else []
        return _json(200, {"_links": links, "transactions": [_operation(one) for one in shown]})


def _transfer(payment: _Payment, amount_kopecks: int) -> Transfer:
    payer = BankParty(
        name=payment.payer_name,
        inn=payment.payer_inn,
        kpp=payment.payer_kpp,
        account=payment.payer_account,
        bic=payment.payer_bank_bic,
    )
    payee = BankParty(
        name=payment.payee_name,
        inn=payment.payee_inn,
        kpp=payment.payee_kpp,
        account=payment.payee_account,
        bic=payment.payee_bank_bic,
    )
    return Transfer(
        key=payment.external_id,
        number=payment.number,
        day=payment.date,
        amount_kopecks=amount_kopecks,
        payer=payer,
        payee=payee,
        purpose=payment.purpose,
        purpose_class=PurposeClass.SERVICES,
    )


def _summary(postings: list[Posting], day: date) -> dict[str, object]:
    """Sum up a day from all postings up to it."""
    opening = sum(one.amount_kopecks if one.is_credit else -one.amount_kopecks for one in postings if one.day < day)
    credits = [one.amount_kopecks for one in postings if one.day == day and one.is_credit]
    debits = [one.amount_kopecks for one in postings if one.day == day and not one.is_credit]
    return {
        "composedDateTime": day.isoformat(),
        "openingBalance": _amount(opening),
        "closingBalance": _amount(opening + sum(credits) - sum(debits)),
        "creditTurnover": _amount(sum(credits)),
        "creditTransactionsNumber": len(credits),
        "debitTurnover": _amount(sum(debits)),
        "debitTransactionsNumber": len(debits),
    }


def _amount(kopecks: int) -> dict[str, object]:
    return {"amount": msgspec.Raw(roubles_from_kopecks(kopecks).encode()), "currencyName": "RUR"}


def _operation(posting: Posting) -> dict[str, object]:
    amount = _amount(posting.amount_kopecks)
    own, other = ("payee", "payer") if posting.is_credit else ("payer", "payee")
    sides = {
        f"{own}Account": posting.account,
        f"{other}Account": posting.other.account,
        f"{other}Inn": posting.other.inn,
        f"{other}Kpp": posting.other.kpp,
        f"{other}Name": posting.other.name,
        f"{other}BankBic": posting.other.bic,
    }
    return {
        "uuid": posting.id,
        "transactionId": posting.id,
        "number": posting.number,
        "documentDate": posting.document_day.isoformat(),
        "operationDate": posting.day.isoformat(),
        "direction": "CREDIT" if posting.is_credit else "DEBIT",
        "amount": amount,
        "amountRub": amount,
        "operationCode": "01",
        "paymentPurpose": posting.purpose,
        "rurTransfer": sides,
    }


def _json(status: int, content: object) -> HttpAnswer:
    return HttpAnswer(status=status, headers=(("content-type", "application/json"),), body=msgspec.json.encode(content))


def _error(status: int, code: str) -> HttpAnswer:
    return _json(status, {"error": code, "error_description": code})
