"""Check digits of Russian requisites, as plain functions of text. None of them looks anything up.

Rules: ЦБ РФ № 515 (account key), 762-П (fields of a payment order), the registers' own orders for the rest.
Every function returns True only for text in the canonical form: bare ASCII digits (and letters where the form has them).
"""

import re

from stdnum.exceptions import ValidationError
from stdnum.ru import inn as _inn

_DIGITS = re.compile(r"[0-9]+", re.ASCII)
_KPP = re.compile(r"(?!00)[0-9]{4}[0-9A-Z]{2}[0-9]{3}", re.ASCII)
_BIC = re.compile(r"0[01234][0-9]{7}", re.ASCII)
_ACCOUNT = re.compile(r"[0-9]{5}[0-9ABCEHKMPTX][0-9]{14}", re.ASCII)
_KBK = re.compile(r"[0-9]{20}", re.ASCII)
_OKTMO = re.compile(r"[0-9]{8}(?:[0-9]{3})?", re.ASCII)
_SNILS = re.compile(r"[0-9]{3}-[0-9]{3}-[0-9]{3} [0-9]{2}|[0-9]{11}", re.ASCII)

ACCOUNT_LETTERS = "ABCEHKMPTX"
"""Clearing currencies in position 6 of an account stand for the digits 0 … 9."""
SNILS_UNCHECKED_MAX = 1_001_998
"""Numbers up to 001-001-998 were given without check digits."""
CENTRAL_BANK_UNITS = ("000", "001", "002")


def inn_is_valid(text: str) -> bool:
    """ИНН of an organisation (10 digits) or a person (12 digits); all zeros is no ИНН."""
    if not _digits(text, 10, 12) or not text.strip("0"):
        return False
    try:
        _inn.validate(text)
    except ValidationError:
        return False
    return True


def kpp_is_valid(text: str) -> bool:
    """КПП: four digits not starting with 00, two digits or Latin capitals, three digits; it has no check digit."""
    return _KPP.fullmatch(text) is not None


def bic_is_valid(text: str) -> bool:
    """БИК: nine digits, 00 Bank of Russia, 01 treasury, 02–04 banks. Whether it exists only the «Справочник БИК» knows."""
    return _BIC.fullmatch(text) is not None


def account_key_is_valid(account: str, bic: str) -> bool:
    """Twenty characters with the key of the bank (ЦБ РФ № 515).

    Treasury accounts 03xxx at Bank of Russia offices and treasury bodies have no reliable key rule: their form alone counts.
    """
    if not bic_is_valid(bic) or _ACCOUNT.fullmatch(account) is None:
        return False
    if account.startswith("03"):
        return bic[:2] in ("00", "01")
    digits = account[:5] + (str(ACCOUNT_LETTERS.index(account[5])) if account[5] in ACCOUNT_LETTERS else account[5]) + account[6:]
    weighed = zip(_key_prefix(bic, account) + digits, "71371371371371371371371", strict=True)
    return sum(int(digit) * int(weight) % 10 for digit, weight in weighed) % 10 == 0


def _key_prefix(bic: str, account: str) -> str:
    central = bic.startswith("0") and (bic[:2] in ("00", "01") or bic[6:] in CENTRAL_BANK_UNITS)
    return "0" + bic[4:6] if central or account.startswith(("301", "40102")) else bic[6:]


def kbk_is_valid(text: str) -> bool:
    """КБК: twenty digits, not all zeros."""
    return _KBK.fullmatch(text) is not None and bool(text.strip("0"))


def oktmo_is_valid(text: str) -> bool:
    """ОКТМО: eight or eleven digits, not all zeros."""
    return _OKTMO.fullmatch(text) is not None and bool(text.strip("0"))


def ogrn_is_valid(text: str) -> bool:
    """ОГРН (13 digits) or ОГРНИП (15 digits): the rest of the division by 11 or 13, its last digit."""
    if not _digits(text, 13, 15) or not text.strip("0"):
        return False
    return int(text[:-1]) % (len(text) - 2) % 10 == int(text[-1])


def snils_is_valid(text: str) -> bool:
    """СНИЛС, written ``112-233-445 95`` or as eleven digits."""
    if _SNILS.fullmatch(text) is None:
        return False
    digits = text.replace("-", "").replace(" ", "")
    if int(digits[:9]) <= SNILS_UNCHECKED_MAX:
        return int(digits[:9]) > 0
    total = sum(int(digit) * weight for digit, weight in zip(digits[:9], range(9, 0, -1), strict=True))
    return total % 101 % 100 == int(digits[9:])


def uin_is_valid(text: str) -> bool:
    """УИН, twenty or twenty-five digits: weights from 1, a rest of 10 again with weights from 3, 10 again is 0."""
    if not _digits(text, 20, 25) or not text.strip("0"):
        return False
    return _uin_key(text[:-1]) == int(text[-1])


def _uin_key(body: str) -> int:
    for shift in (0, 2):
        rest = sum(int(digit) * ((place + shift) % 10 + 1) for place, digit in enumerate(body)) % 11
        if rest < 10:
            return rest
    return 0


def _digits(text: str, *lengths: int) -> bool:
    return len(text) in lengths and _DIGITS.fullmatch(text) is not None
