"""A bank's statement as the file kl_to_1c.txt (1CClientBankExchange; protocols.md §5): one account of however many are in it."""

from datetime import date, datetime

from connectors.statements.agreement import agreed, identified, kind_of, moscow_day
from connectors.statements.exchange_1c import PURPOSE, Exchange1CError, ExchangeFile, Section, read_exchange
from schemas.ids import ExternalId
from schemas.money import MoneyError, kopecks_from_roubles
from schemas.statement import BankStatement, StatementEntry, StatementParty, StatementUnbelieved

SOURCE = "1c"
DAY_FORMAT = "%d.%m.%Y"
PAYER, PAYEE = "Плательщик", "Получатель"
OPERATIONS = {
    "платежное поручение": "01",
    "платежное требование": "02",
    "инкассовое поручение": "06",
    "аккредитив": "08",
    "мемориальный ордер": "09",
    "платежный ордер": "16",
    "банковский ордер": "17",
}
"""Kind of document -> its code, for files without ВидОплаты (762-П, поле 18)."""


def read_1c(body: bytes, account: str, now: datetime) -> BankStatement:
    """Read the lines of ``account``; raises StatementUnbelieved when the file is none or its sums do not agree.

    A document without a date of execution is an order still under way and is passed over. A file that the bank filtered by kind
    of document (Документ in its header) is taken as it is. It is FINAL when its period was over before it was made and read.
    """
    try:
        file = read_exchange(body)
    except Exchange1CError as error:
        raise StatementUnbelieved(str(error)) from error
    sections = sorted((one for one in file.balances if one.get("РасчСчет") == account), key=_starts)
    if not sections and account not in file.accounts:
        raise StatementUnbelieved("the file is not of this account")
    opening, closing = _chain(sections)
    since, until = _period(file, sections)
    today = moscow_day(now)
    statement = BankStatement(
        account=account,
        source=SOURCE,
        kind=kind_of(until, today, _day(file.header.get("ДатаСоздания", ""), "ДатаСоздания")),
        since=since,
        until=until,
        entries=identified(account, _entries(file, account)),
        opening_kopecks=opening,
        closing_kopecks=closing,
        credited_kopecks=_total([_turnovers(one)[0] for one in sections]),
        debited_kopecks=_total([_turnovers(one)[1] for one in sections]),
        filtered=bool(file.kinds),
    )
    return agreed(statement, today)


def _chain(sections: list[Section]) -> tuple[int | None, int | None]:
    """Return the first opening and the last closing balance, each section agreeing within itself and with the one before it."""
    if not sections:
        return None, None
    before: int | None = None
    for place, section in enumerate(sections, start=1):
        opening, closing = _kopecks(section, "НачальныйОстаток"), _kopecks(section, "КонечныйОстаток")
        credited, debited = _turnovers(section)
        told = opening is not None and closing is not None and credited is not None and debited is not None
        if told and (opening or 0) + (credited or 0) - (debited or 0) != closing:
            raise StatementUnbelieved(f"balances of section {place} do not agree with its turnovers")
        if None not in (before, opening) and before != opening:
            raise StatementUnbelieved(f"section {place} does not open with what the one before it closed with")
        before = closing
    return _kopecks(sections[0], "НачальныйОстаток"), before


def _turnovers(section: Section) -> tuple[int | None, int | None]:
    """Return what came in and what went out; one that is not told follows from the balances."""
    credited, debited = _kopecks(section, "ВсегоПоступило"), _kopecks(section, "ВсегоСписано")
    opening, closing = _kopecks(section, "НачальныйОстаток"), _kopecks(section, "КонечныйОстаток")
    if opening is None or closing is None or (credited is None) == (debited is None):
        return credited, debited
    if credited is None:
        return closing - opening + (debited or 0), debited
    return credited, opening - closing + credited


def _total(values: list[int | None]) -> int | None:
    return None if not values or None in values else sum(value or 0 for value in values)


def _period(file: ExchangeFile, sections: list[Section]) -> tuple[date, date]:
    """Return the days that header and balances speak of; the header's may be wider, where days without movement are left out."""
    days = [_day(file.header.get(key, ""), key) for key in ("ДатаНачала", "ДатаКонца")]
    days += [_day(one.get(key), key) for one in sections for key in ("ДатаНачала", "ДатаКонца")]
    told = [day for day in days if day is not None]
    if not told:
        raise StatementUnbelieved("the file says nowhere of which days it is")
    return min(told), max(told)


def _starts(section: Section) -> date:
    day = _day(section.get("ДатаНачала"), "ДатаНачала")
    if day is None:
        raise StatementUnbelieved("a section of balances has no ДатаНачала")
    return day


def _entries(file: ExchangeFile, account: str) -> list[StatementEntry]:
    return [
        _entry(document, place, is_credit=_is_credit(document, account, place))
        for place, document in enumerate(file.documents, start=1)
        if account in _accounts(document, PAYER) + _accounts(document, PAYEE)
        and (document.get("ДатаСписано") or document.get("ДатаПоступило"))
    ]


def _is_credit(document: Section, account: str, place: int) -> bool:
    """Tell the direction by the account's side, cross-checked with the date that is filled."""
    is_credit = account in _accounts(document, PAYEE)
    if is_credit and account in _accounts(document, PAYER):
        raise StatementUnbelieved(f"document {place}: both sides are the account itself")
    if not document.get("ДатаПоступило" if is_credit else "ДатаСписано"):
        raise StatementUnbelieved(f"document {place}: the date filled is of the other side")
    return is_credit


def _entry(document: Section, place: int, *, is_credit: bool) -> StatementEntry:
    amount = _kopecks(document, "Сумма")
    if not amount or amount < 0:
        raise StatementUnbelieved(f"document {place}: no sum")
    key = "ДатаПоступило" if is_credit else "ДатаСписано"
    day = _day(document.get(key), key)
    if day is None:
        raise StatementUnbelieved(f"document {place}: no {key}")
    code = document.get("Код")
    return StatementEntry(
        bank_id=ExternalId(""),
        day=day,
        is_credit=is_credit,
        amount_kopecks=amount,
        number=document.get("Номер"),
        document_day=_day(document.get("Дата"), "Дата"),
        operation=document.get("ВидОплаты") or OPERATIONS.get(document.kind.lower().replace("ё", "е"), ""),
        code="" if code.strip("0") == "" else code,
        counterparty=_party(document, PAYER if is_credit else PAYEE),
        purpose=document.get(PURPOSE) or " ".join(filter(None, (document.get(f"{PURPOSE}{n}") for n in range(1, 7)))),
    )


def _party(document: Section, side: str) -> StatementParty:
    return StatementParty(
        name=document.get(f"{side}1") or document.get(side),
        inn=document.get(f"{side}ИНН"),
        kpp=document.get(f"{side}КПП"),
        account=next(iter(_accounts(document, side)), ""),
        bic=document.get(f"{side}БИК"),
    )


def _accounts(document: Section, side: str) -> list[str]:
    """Return a side's accounts as far as they are filled: its own, then the one at the bank that it pays through."""
    return [text for key in ("Счет", "РасчСчет") if (text := document.get(f"{side}{key}"))]


def _kopecks(section: Section, key: str) -> int | None:
    text = section.get(key)
    if not text:
        return None
    try:
        return -kopecks_from_roubles(text[1:]) if text.startswith("-") else kopecks_from_roubles(text)
    except MoneyError as error:
        raise StatementUnbelieved(f"{key}: {error}") from error


def _day(text: str, key: str) -> date | None:
    if not text.strip():
        return None
    try:
        return datetime.strptime(text.strip(), DAY_FORMAT).date()
    except ValueError as error:
        raise StatementUnbelieved(f"{key} is not a date dd.mm.yyyy") from error
