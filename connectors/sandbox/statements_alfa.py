"""The fake of Alfa API's statement alone: days by pages and their summaries, out of plans (protocols.md §4a)."""

from collections.abc import Mapping
from datetime import date, datetime
from urllib.parse import parse_qs, urlsplit

import msgspec

from connectors.sandbox.statements import NONE, WRONG_KOPECKS, Faults, StatementFault, StatementPlan, cut_short
from schemas.exchange import HttpAnswer, HttpRequest
from schemas.money import roubles_from_kopecks
from schemas.statement import StatementEntry

TRANSACTIONS, SUMMARY = "/statement/transactions", "/statement/summary"
PAGE_LINES = 1_000


class AlfaStatementDoor:
    """Answers by account and day. ``plans`` are of one day each; a day without one is a day without lines."""

    def __init__(
        self, plans: Mapping[tuple[str, date], StatementPlan], faults: Faults = NONE, *, page_lines: int = PAGE_LINES
    ) -> None:
        self._plans = plans
        self._faults = faults
        self._page_lines = page_lines

    def handle(self, request: HttpRequest, now: datetime) -> HttpAnswer:
        """Tell a page or the summary of a day, as far as ``now`` has come."""
        parts = urlsplit(request.url)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        try:
            account, day = asked["accountNumber"], date.fromisoformat(asked["statementDate"])
            number = int(asked.get("page", "1"))
        except (KeyError, ValueError):
            return HttpAnswer(status=400, body=b'{"error":"invalid_request"}')
        plan = self._plans.get((account, day)) or StatementPlan(account=account, since=day, until=day, entries=())
        if parts.path.endswith(SUMMARY):
            return HttpAnswer(status=200, body=write_alfa_summary(plan, self._faults))
        pages = write_alfa_pages(plan, self._faults, page_lines=self._page_lines)
        if not parts.path.endswith(TRANSACTIONS) or not 1 <= number <= len(pages):
            return HttpAnswer(status=404, body=b'{"error":"not_found"}')
        return HttpAnswer(status=200, body=pages[number - 1])


def write_alfa_pages(plan: StatementPlan, faults: Faults = NONE, *, page_lines: int = PAGE_LINES) -> tuple[bytes, ...]:
    """Write a day's pages as JSON with decimal roubles; a repeated page stands in place of the one after it."""
    lines = plan.told(faults - {StatementFault.REPEATED_PAGE})
    places = list(range(0, max(len(lines), 1), page_lines))
    shown = [lines[place : place + page_lines] for place in places]
    if StatementFault.REPEATED_PAGE in faults:
        shown = [shown[0], *shown[:-1]] if len(shown) > 1 else [shown[0], shown[0]]
    pages = []
    for number, part in enumerate(shown, start=1):
        links = [{"rel": "prev", "href": f"?page={number - 1}"}] if number > 1 else []
        links += [{"rel": "next", "href": f"?page={number + 1}"}] if number < len(shown) else []
        page = msgspec.json.encode({"_links": links, "transactions": [_operation(plan.account, one) for one in part]})
        pages.append(cut_short(page) if StatementFault.TRUNCATED in faults else page)
    return tuple(pages)


def write_alfa_summary(plan: StatementPlan, faults: Faults = NONE) -> bytes:
    """Write the summary of a day."""
    wrong = WRONG_KOPECKS if StatementFault.WRONG_TURNOVER in faults else 0
    return msgspec.json.encode(
        {
            "composedDateTime": plan.written_on.isoformat(),
            "openingBalance": _amount(plan.opening_kopecks),
            "closingBalance": _amount(plan.closing_kopecks),
            "creditTurnover": _amount(plan.credited_kopecks + wrong),
            "creditTransactionsNumber": sum(one.is_credit for one in plan.entries),
            "debitTurnover": _amount(plan.debited_kopecks),
            "debitTransactionsNumber": sum(not one.is_credit for one in plan.entries),
        }
    )


def _amount(kopecks: int) -> dict[str, object]:
    return {"amount": msgspec.Raw(roubles_from_kopecks(kopecks).encode()), "currencyName": "RUR"}


def _operation(account: str, entry: StatementEntry) -> dict[str, object]:
    own, other = ("payee", "payer") if entry.is_credit else ("payer", "payee")
    operation: dict[str, object] = {
        "uuid": entry.bank_id,
        "transactionId": entry.references[0] if entry.references else entry.bank_id,
        "number": entry.number,
        "operationDate": f"{entry.day.isoformat()}T00:00:00Z",
        "direction": "CREDIT" if entry.is_credit else "DEBIT",
        "amount": _amount(entry.amount_kopecks),
        "amountRub": _amount(entry.amount_kopecks),
        "operationCode": entry.operation,
        "paymentPurpose": entry.purpose,
        "rurTransfer": {
            f"{own}Account": account,
            f"{other}Account": entry.counterparty.account,
            f"{other}Inn": entry.counterparty.inn,
            f"{other}Kpp": entry.counterparty.kpp,
            f"{other}Name": entry.counterparty.name,
            f"{other}BankBic": entry.counterparty.bic,
            "departmentalInfo": {"uip": entry.code or "0"},
        },
    }
    if entry.document_day is not None:
        operation["documentDate"] = entry.document_day.isoformat()
    return operation
