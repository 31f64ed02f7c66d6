"""A bank's statement as the file kl_to_1c.txt (1CClientBankExchange; protocols.md §5), read as orders need it."""

import hashlib
from collections import Counter
from datetime import date, datetime

import msgspec

from connectors.transfers.exchange_1c import PURPOSE, Exchange1CError, ExchangeFile, Section, read_exchange
from connectors.transfers.orders_1c import DAY_FORMAT
from connectors.transfers.statement import Statement
from schemas.money import MoneyError, kopecks_from_roubles
from schemas.transfer import StatementMovement

DIGEST_CHARACTERS = 32


def read_statement(body: bytes, account: str) -> Statement:
    """Read the lines of ``account``; raises Exchange1CError when the file is none or its sums do not agree.

    A document without a date of execution is an order still under way and is passed over. A file that the bank filtered by kind
    of document (Документ in its header) is taken as it is: turnovers are then not compared.
    """
    file = read_exchange(body)
    if account not in file.accounts and not any(one.get("РасчСчет") == account for one in file.balances):
        raise Exchange1CError("the file is not of this account")
    movements = tuple(_movements(file, account))
    opening, closing, received, written_off = _balances(file, account)
    statement = Statement(
        account=account, movements=movements, opening_kopecks=opening, closing_kopecks=closing, filtered=bool(file.kinds)
    )
    if not statement.filtered and received is not None:
        _check_turnover("ВсегоПоступило", received, [one for one in movements if one.is_credit])
    if not statement.filtered and written_off is not None:
        _check_turnover("ВсегоСписано", written_off, [one for one in movements if not one.is_credit])
    return statement


def _check_turnover(name: str, expected: int, movements: list[StatementMovement]) -> None:
    found = sum(one.amount_kopecks for one in movements)
    if found != expected:
        raise Exchange1CError(f"{name} is {expected} kopecks, its documents make {found}")


def _balances(file: ExchangeFile, account: str) -> tuple[int | None, int | None, int | None, int | None]:
    """Return opening, closing and both turnovers over all sections of the account, None for what the file does not say."""
    sections = sorted((one for one in file.balances if one.get("РасчСчет") == account), key=_starts)
    if not sections:
        return None, None, None, None
    openings = [_kopecks(one, "НачальныйОстаток") for one in sections]
    closings = [_kopecks(one, "КонечныйОстаток") for one in sections]
    received = [_kopecks(one, "ВсегоПоступило") for one in sections]
    written_off = [_kopecks(one, "ВсегоСписано") for one in sections]
    for place, opening in enumerate(openings):
        closing = closings[place]
        turnover = (received[place] or 0) - (written_off[place] or 0)
        if opening is not None and closing is not None and opening + turnover != closing:
            raise Exchange1CError(f"balances of section {place + 1} do not agree: {opening} + {turnover} is not {closing}")
        if place and opening is not None and closings[place - 1] not in (None, opening):
            raise Exchange1CError(f"section {place + 1} does not open with what the one before it closed with")
    return openings[0], closings[-1], _total(received), _total(written_off)


def _total(values: list[int | None]) -> int | None:
    return None if None in values else sum(value or 0 for value in values)


def _starts(section: Section) -> date:
    return _day(section, "ДатаНачала")


def _movements(file: ExchangeFile, account: str) -> list[StatementMovement]:
    seen: Counter[str] = Counter()
    found = []
    for document in file.documents:
        sides = (_account(document, "Плательщик"), _account(document, "Получатель"))
        if account not in sides or not (document.get("ДатаСписано") or document.get("ДатаПоступило")):
            continue
        movement = _movement(document, account, is_credit=_is_credit(document, account, sides))
        seen[movement.bank_id] += 1
        # Banks number documents anew every day and give some of them one number: equal lines are told apart by their count.
        bank_id = f"{movement.bank_id}-{seen[movement.bank_id]}"
        found.append(msgspec.structs.replace(movement, bank_id=bank_id))
    return found


def _is_credit(document: Section, account: str, sides: tuple[str, str]) -> bool:
    """Tell the direction by the account's side, cross-checked with the date that is filled."""
    if sides[0] == sides[1]:
        raise Exchange1CError(f"document {document.get('Номер')}: both sides are the account itself")
    is_credit = sides[1] == account
    if not document.get("ДатаПоступило" if is_credit else "ДатаСписано"):
        raise Exchange1CError(f"document {document.get('Номер')}: the date filled is of the other side")
    return is_credit


def _movement(document: Section, account: str, *, is_credit: bool) -> StatementMovement:
    other = "Плательщик" if is_credit else "Получатель"
    amount = _kopecks(document, "Сумма")
    if not amount or amount < 0:
        raise Exchange1CError(f"document {document.get('Номер')}: no sum")
    day = _day(document, "ДатаПоступило" if is_credit else "ДатаСписано")
    purpose = document.get(PURPOSE) or " ".join(filter(None, (document.get(f"{PURPOSE}{n}") for n in range(1, 7))))
    counterparty = _account(document, other)
    identity = (account, str(is_credit), day.isoformat(), document.get("Номер"), str(amount), counterparty, purpose)
    return StatementMovement(
        transit_account=account,
        bank_id=hashlib.sha256("\n".join(identity).encode()).hexdigest()[:DIGEST_CHARACTERS],
        day=day,
        is_credit=is_credit,
        amount_kopecks=amount,
        number=document.get("Номер"),
        counterparty_account=counterparty,
        counterparty_inn=document.get(f"{other}ИНН"),
        purpose=purpose,
        document_day=_day(document, "Дата") if document.get("Дата") else None,
    )


def _account(document: Section, side: str) -> str:
    return document.get(f"{side}Счет") or document.get(f"{side}РасчСчет")


def _kopecks(section: Section, key: str) -> int | None:
    text = section.get(key)
    if not text:
        return None
    try:
        return -kopecks_from_roubles(text[1:]) if text.startswith("-") else kopecks_from_roubles(text)
    except MoneyError as error:
        raise Exchange1CError(f"{key}: {error}") from error


def _day(section: Section, key: str) -> date:
    try:
        return datetime.strptime(section.get(key), DAY_FORMAT).date()
    except ValueError as error:
        raise Exchange1CError(f"{key} is not a date dd.mm.yyyy") from error
