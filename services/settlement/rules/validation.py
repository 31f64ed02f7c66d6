"""Payment order form 0401060 (762-П): everything a bank refuses an order for is found before it is sent.

Faults are (field, message): the field by its name in schemas/transfer.py, the message in Russian for the accountant, with the
number of the form's field and without anybody's data. Nothing here raises for what a text holds.
"""

import re
from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

import msgspec

from schemas.delivery import ORDER_KEY_CHARACTERS_MAX
from schemas.money import AMOUNT_KOPECKS_MAX
from schemas.transfer import PURPOSE_CHARACTERS_MAX, BankParty, BudgetFields, PurposeClass, Transfer, TransferBatch
from services.requisites import (
    account_key_is_valid,
    bic_is_valid,
    inn_is_valid,
    kbk_is_valid,
    kpp_is_valid,
    oktmo_is_valid,
    uin_is_valid,
)
from services.settlement.rules.bank_text import fits_bank
from services.settlement.rules.numbering import number_is_valid
from services.settlement.rules.order_fields import NOTHING

NAME_CHARACTERS_MAX = 160
CODE_CHARACTERS_MAX = 25
ORDER_LIVES_DAYS = 10
"""An order may be given to the bank within ten calendar days, not counting the day it is dated with (762-П)."""
INN_OF_ORGANISATION = 10
CORRESPONDENT = "30101"
TREASURY, SINGLE_TREASURY_ACCOUNT, BUDGET_INCOME = "03", "40102", "03100"
"""First digits of treasury accounts (казначейский счёт), of the ЕКС, and of accounts of budget income, which need the block."""
ROUBLES, TREASURY_ROUBLES = "810", "643"
"""Currency code inside an account (positions 6–8): of banks, and of treasury accounts."""

_DRAWER = re.compile(r"[0-9]{2}", re.ASCII)
_CODE = re.compile(r"[0-9A-Za-zА-ЯЁа-яё]{1,25}")
_NUMBERS = {"payer": (8, 60, 102, 9, 11, 12), "payee": (16, 61, 103, 17, 14, 15)}
"""Numbers of the form's fields: name, ИНН, КПП, account, БИК, correspondent account."""
_BUDGET_LENGTHS = {
    "reason": (106, 2),
    "period": (107, 10),
    "document_number": (108, 15),
    "document_date": (109, 10),
    "kind": (110, 2),
}


class OrderFault(NamedTuple):
    """One reason why a bank would refuse an order."""

    field: str
    message: str


class FormRules(msgspec.Struct, frozen=True, kw_only=True):
    """What depends on the day and the bank. ``today`` None: the order's date is not asked.

    ``correspondent_required``: the bank does not find the correspondent account by the БИК itself.
    """

    today: date | None = None
    correspondent_required: bool = False


ANY_DAY = FormRules()


def order_faults(transfer: Transfer, rules: FormRules = ANY_DAY) -> list[OrderFault]:
    """Return what a bank would refuse the order for, in the order of the form; empty for a sound one."""
    return [
        *_heading_faults(transfer, rules),
        *_party_faults("payer", transfer.payer, rules),
        *_party_faults("payee", transfer.payee, rules, inn_required=transfer.purpose_class is not PurposeClass.REFUND),
        *_purpose_faults(transfer),
        *_code_faults(transfer),
        *_budget_faults(transfer.budget, transfer.payee.account),
    ]


def batch_faults(batch: TransferBatch, rules: FormRules = ANY_DAY) -> list[OrderFault]:
    """Return the faults of a batch's control totals and of every order in it, fields as ``transfers[0].number``."""
    faults = []
    if not batch.register:
        faults.append(OrderFault("register", "номер реестра не указан"))
    if batch.count != len(batch.transfers) or not batch.transfers:
        faults.append(OrderFault("count", "число поручений реестра не равно контрольному или равно нулю"))
    if batch.total_kopecks != sum(transfer.amount_kopecks for transfer in batch.transfers):
        faults.append(OrderFault("total_kopecks", "сумма поручений реестра не равна контрольной"))
    keys: set[str] = set()
    numbers: set[str] = set()
    for place, transfer in enumerate(batch.transfers):
        own = order_faults(transfer, rules)
        if transfer.key in keys:
            own.append(OrderFault("key", "ключ поручения повторяется в реестре"))
        if transfer.number in numbers:
            own.append(OrderFault("number", "поле 3: номер повторяется за день"))
        if transfer.payer.account != batch.transit_account:
            own.append(OrderFault("payer.account", "поле 9: счёт плательщика не совпадает со счётом реестра"))
        if transfer.day != batch.day:
            own.append(OrderFault("day", "поле 4: дата не совпадает с датой реестра"))
        keys.add(transfer.key)
        numbers.add(transfer.number)
        faults += [OrderFault(f"transfers[{place}].{field}", message) for field, message in own]
    return faults


def _heading_faults(transfer: Transfer, rules: FormRules) -> Iterator[OrderFault]:
    if not 0 < len(transfer.key) <= ORDER_KEY_CHARACTERS_MAX or not transfer.key.isprintable():
        yield OrderFault("key", f"ключ поручения: от 1 до {ORDER_KEY_CHARACTERS_MAX} печатных знаков")
    if not number_is_valid(transfer.number):
        yield OrderFault("number", "поле 3: номер – от 1 до 6 цифр, последние три не 000")
    if rules.today is not None and not 0 <= (rules.today - transfer.day).days <= ORDER_LIVES_DAYS:
        yield OrderFault(
            "day", f"поле 4: поручение действует {ORDER_LIVES_DAYS} дней со дня составления и не может быть из будущего"
        )
    if not 0 < transfer.amount_kopecks <= AMOUNT_KOPECKS_MAX:
        yield OrderFault("amount_kopecks", f"поле 7: сумма должна быть больше нуля и не больше {AMOUNT_KOPECKS_MAX} коп.")
    if transfer.payer.account == transfer.payee.account and transfer.payer.bic == transfer.payee.bic:
        yield OrderFault("payee.account", "поле 17: счёт получателя совпадает со счётом плательщика")
    if transfer.priority not in range(1, 6):
        yield OrderFault("priority", "поле 21: очерёдность – от 1 до 5")


def _party_faults(side: str, party: BankParty, rules: FormRules, inn_required: bool = True) -> Iterator[OrderFault]:
    name, inn, kpp, account, bic, correspondent = _NUMBERS[side]
    if not party.name.strip() or len(party.name) > NAME_CHARACTERS_MAX:
        yield OrderFault(f"{side}.name", f"поле {name}: наименование – от 1 до {NAME_CHARACTERS_MAX} знаков")
    elif not fits_bank(party.name):
        yield OrderFault(f"{side}.name", f"поле {name}: знаки вне кодировки cp1251 или лишние пробелы")
    has_inn = party.inn not in ("", NOTHING)
    if (has_inn and not inn_is_valid(party.inn)) or (inn_required and not has_inn):
        yield OrderFault(f"{side}.inn", f"поле {inn}: ИНН не указан или его контрольные цифры не сходятся")
    if len(party.inn) == INN_OF_ORGANISATION:
        if not kpp_is_valid(party.kpp):
            yield OrderFault(f"{side}.kpp", f"поле {kpp}: у организации КПП – 9 знаков, первые два не 00")
    elif party.kpp not in ("", NOTHING):
        yield OrderFault(f"{side}.kpp", f"поле {kpp}: без ИНН организации КПП не указывают")
    if not bic_is_valid(party.bic):
        yield OrderFault(f"{side}.bic", f"поле {bic}: БИК – 9 цифр, первые две от 00 до 04")
    yield from _account_faults(f"{side}.account", account, party)
    yield from _correspondent_faults(f"{side}.correspondent", correspondent, party, rules)


def _account_faults(field: str, number: int, party: BankParty) -> Iterator[OrderFault]:
    roubles = TREASURY_ROUBLES if party.account.startswith(TREASURY) else ROUBLES
    if not account_key_is_valid(party.account, party.bic):
        yield OrderFault(field, f"поле {number}: счёт – 20 знаков, контрольный ключ не сходится с БИК")
    elif party.account[5:8] != roubles:
        yield OrderFault(field, f"поле {number}: счёт не в рублях (знаки 6–8 должны быть {roubles})")
    if len(party.bank_name) > NAME_CHARACTERS_MAX or not fits_bank(party.bank_name):
        yield OrderFault(field.replace("account", "bank_name"), "наименование банка: до 160 знаков кодировки cp1251")


def _correspondent_faults(field: str, number: int, party: BankParty, rules: FormRules) -> Iterator[OrderFault]:
    """Banks have 30101 with the last digits of their БИК, treasury bodies the ЕКС; offices of the Bank of Russia have none."""
    correspondent = party.correspondent
    if not correspondent:
        if rules.correspondent_required and not party.account.startswith(TREASURY):
            yield OrderFault(field, f"поле {number}: корреспондентский счёт банка не указан")
    elif not account_key_is_valid(correspondent, party.bic):
        yield OrderFault(field, f"поле {number}: контрольный ключ корреспондентского счёта не сходится с БИК")
    elif party.account.startswith(TREASURY):
        if not correspondent.startswith(SINGLE_TREASURY_ACCOUNT):
            yield OrderFault(field, f"поле {number}: для казначейского счёта указывают ЕКС ({SINGLE_TREASURY_ACCOUNT}…)")
    elif not correspondent.startswith(CORRESPONDENT) or correspondent[-3:] != party.bic[-3:]:
        yield OrderFault(field, f"поле {number}: корреспондентский счёт – {CORRESPONDENT}…, последние три цифры как у БИК")


def _purpose_faults(transfer: Transfer) -> Iterator[OrderFault]:
    purpose = transfer.purpose
    if not purpose.strip() or len(purpose) > PURPOSE_CHARACTERS_MAX:
        yield OrderFault("purpose", f"поле 24: назначение платежа – от 1 до {PURPOSE_CHARACTERS_MAX} знаков")
    elif not fits_bank(purpose):
        yield OrderFault("purpose", "поле 24: знаки вне кодировки cp1251, переводы строки или лишние пробелы")


def _code_faults(transfer: Transfer) -> Iterator[OrderFault]:
    """УИН has a check digit; of an УИП only length, characters and that it is not all zeros are known (protocols.md §10h)."""
    code = transfer.code
    if code == NOTHING:
        return
    if _CODE.fullmatch(code) is None or not code.strip("0"):
        yield OrderFault("code", f"поле 22: 0 или до {CODE_CHARACTERS_MAX} цифр и букв, не одни нули")
    elif transfer.budget is not None and code.isdecimal() and not uin_is_valid(code):
        yield OrderFault("code", "поле 22: УИН – 20 или 25 знаков, контрольная цифра не сходится")


def _budget_faults(budget: BudgetFields | None, account: str) -> Iterator[OrderFault]:
    """All or nothing: an account of budget income needs the block, and in a block every field is filled, «0» for nothing."""
    if budget is None:
        if account.startswith(BUDGET_INCOME):
            yield OrderFault("budget", "поля 101–110: для счёта доходов бюджета обязательны")
        return
    if not account.startswith((TREASURY, SINGLE_TREASURY_ACCOUNT)):
        yield OrderFault("budget", "поля 101–110: заполняют только для казначейского счёта")
    if _DRAWER.fullmatch(budget.drawer_status) is None:
        yield OrderFault("budget.drawer_status", "поле 101: статус составителя – 2 цифры")
    if budget.kbk != NOTHING and not kbk_is_valid(budget.kbk):
        yield OrderFault("budget.kbk", "поле 104: КБК – 20 цифр, не одни нули, или 0")
    if budget.oktmo != NOTHING and not oktmo_is_valid(budget.oktmo):
        yield OrderFault("budget.oktmo", "поле 105: ОКТМО – 8 или 11 цифр, или 0")
    for name, (number, characters_max) in _BUDGET_LENGTHS.items():
        value = getattr(budget, name)
        if not 0 < len(value) <= characters_max or not fits_bank(value):
            yield OrderFault(f"budget.{name}", f"поле {number}: от 1 до {characters_max} знаков, 0 – если сказать нечего")
