"""Payment QR of ГОСТ Р 56042-2014 («ST00012…») as text: what a payer's bank reads off a bill (protocols.md §7b).

Encodings are detected from the bytes: what the digit of the service block declares decides only between equals.
"""

import re
from collections.abc import Callable, Iterable
from datetime import date
from enum import IntEnum
from itertools import pairwise

import msgspec

from connectors.qr_fields import CANONICAL, LENGTHS, MONTH_TEXTS, REQUIRED, SEPARATORS
from schemas.money import AMOUNT_KOPECKS_MAX

PREFIX, VERSION = "ST", "0001"
HEADER_CHARACTERS = 8
REQUIRED_BYTES_MAX = 300
PAYLOAD_BYTES_MAX = 4_000
"""A QR symbol holds 2 953 bytes; what comes from a file may have a mark and line ends around it."""
YEAR_MIN, YEAR_MAX = 1991, 2199
FREQUENT = frozenset("оеаинтсрвлк")
CP1251_LACKS = b"\x98"
"""The only byte that is no letter of cp1251; KOI8-R has all."""
DECLARED_WEIGHS = 3
"""A short text gives too few letters to go against what is declared."""

AccountKey = Callable[[str, str], bool]
"""Tells whether an account has the key of the bank with this БИК (ЦБ РФ № 515)."""

_ACCOUNT = re.compile(r"[1-9][0-9]{4}[0-9ABCEHKMPTX][0-9]{14}|0[0-9]{19}", re.ASCII)
_DIGITS = re.compile(r"[0-9]{1,18}", re.ASCII)
_BIC = re.compile(r"[0-9]{9}", re.ASCII)


class QrEncoding(IntEnum):
    """The digit of the service block."""

    CP1251 = 1
    UTF8 = 2
    KOI8_R = 3


CODECS = {QrEncoding.CP1251: "cp1251", QrEncoding.UTF8: "utf-8", QrEncoding.KOI8_R: "koi8-r"}


class PaymentQrError(ValueError):
    """The code cannot be made or read; the message names the field and holds none of its content."""


class PaymentQr(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to pay, for which personal account, how much. ``amount_kopecks`` None leaves the sum to the payer.

    ``correspondent`` is empty where the bank has none (a treasury account). ``period`` is the first day of the month paid for.
    ``others`` are further pairs in their order, keys spelt as in the standard where it knows them.
    """

    name: str
    account: str
    bank_name: str
    bic: str
    correspondent: str = ""
    payee_inn: str = ""
    kpp: str = ""
    personal_account: str = ""
    purpose: str = ""
    period: date | None = None
    amount_kopecks: int | None = None
    others: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        """Show no payer: names and addresses stand among the others."""
        return f"PaymentQr({self.account!r})"


def make_payment_qr(
    qr: PaymentQr, account_key: AccountKey, *, encoding: QrEncoding = QrEncoding.UTF8, separator: str = ""
) -> bytes:
    """Return the text of a code as bytes; raises PaymentQrError for a field that the standard does not allow.

    Without ``separator`` the first usual one is taken that stands in no value. What would be read otherwise than it was meant is
    refused: in a code page of one byte a rare text can look like another encoding.
    """
    pairs = _pairs(qr)
    _check(pairs, account_key)
    chosen = separator or next((one for one in SEPARATORS if not any(one in value for _, value in pairs)), "")
    if not is_separator(chosen) or any(chosen in key + value for key, value in pairs):
        raise PaymentQrError("no separator is free: every one stands in a value")
    try:
        payload = (f"{PREFIX}{VERSION}{encoding.value}" + "".join(f"{chosen}{k}={v}" for k, v in pairs)).encode(CODECS[encoding])
        required = chosen.join(f"{key}={value}" for key, value in pairs[: len(REQUIRED)]).encode(CODECS[encoding])
    except UnicodeEncodeError as error:
        raise PaymentQrError(f"U+{ord(error.object[error.start]):04X} cannot be written in {CODECS[encoding]}") from error
    if len(required) > REQUIRED_BYTES_MAX:
        raise PaymentQrError(f"the required fields take {len(required)} bytes of {REQUIRED_BYTES_MAX}")
    if read_payment_qr(payload, account_key) != qr:
        raise PaymentQrError("the code would be read otherwise: take encoding 2 (UTF-8), the standard's spelling, no line ends")
    return payload


def read_payment_qr(payload: bytes, account_key: AccountKey) -> PaymentQr:
    """Read a code's text; raises PaymentQrError. Keys may come in any letter case, unknown ones are kept."""
    text = decode_payment_qr(payload)
    pairs: dict[str, str] = {}
    for place, pair in enumerate(text[HEADER_CHARACTERS:].split(text[HEADER_CHARACTERS - 1]), start=1):
        if not pair:
            continue
        written, equals, value = pair.partition("=")
        key = CANONICAL.get(written.strip().lower(), written.strip())
        if not equals or not key:
            raise PaymentQrError(f"field {place} is no pair of key and value")
        if pairs.setdefault(key, value) != value:
            raise PaymentQrError(f"{_shown(key)} stands twice")
    missing = [key for key in REQUIRED if not pairs.get(key)]
    if missing:
        raise PaymentQrError(f"required and missing: {', '.join(missing)}")
    qr = _qr({key: value for key, value in pairs.items() if value})
    _check(_pairs(qr), account_key)
    return qr


def decode_payment_qr(payload: bytes) -> str:
    """Return the text of a code, its service block checked; raises PaymentQrError."""
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise PaymentQrError(f"more than {PAYLOAD_BYTES_MAX} bytes are no payment code")
    body = payload.removeprefix(b"\xef\xbb\xbf").strip(b"\r\n\t\0 ")
    header = body[:HEADER_CHARACTERS].decode("ascii", "replace")
    if len(header) < HEADER_CHARACTERS or not header.startswith(PREFIX) or header[2:6] != VERSION or header[6] not in "123":
        raise PaymentQrError("not a payment code: it does not begin with ST00011, ST00012 or ST00013")
    if not is_separator(header[7]):
        raise PaymentQrError("the eighth character separates no fields")
    return _decoded(body, QrEncoding(int(header[6])))


def is_separator(text: str) -> bool:
    """Whether a text may separate fields: one printable ASCII character that stands in no key and no number."""
    return len(text) == 1 and text.isascii() and text.isprintable() and not text.isalnum() and text not in "= "


def _decoded(body: bytes, declared: QrEncoding) -> str:
    """Take UTF-8 if it is that, else the declared code page unless the other gives clearly more of Russian."""
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        pass
    first = QrEncoding.KOI8_R if declared is QrEncoding.KOI8_R else QrEncoding.CP1251
    pages = [one for one in (QrEncoding.CP1251, QrEncoding.KOI8_R) if one is QrEncoding.KOI8_R or CP1251_LACKS not in body]
    texts = {one: body.decode(CODECS[one]) for one in pages}
    scores = {one: _plausible(text) + (DECLARED_WEIGHS if one is first else 0) for one, text in texts.items()}
    return texts[max(scores, key=scores.__getitem__)]


def _plausible(text: str) -> int:
    """Say how Russian a text looks. The two code pages swap small and capital letters and move the frequent ones."""
    frequent = sum(letter in FREQUENT for letter in text.lower())
    swapped = sum(before.islower() and after.isupper() for before, after in pairwise(text))
    drawn = sum("─" <= letter <= "▟" for letter in text)
    return frequent - 3 * swapped - 5 * drawn


def _pairs(qr: PaymentQr) -> list[tuple[str, str]]:
    """Return the pairs in the order in which they are written: the required ones first, the sum last."""
    known = (
        ("PayeeINN", qr.payee_inn),
        ("KPP", qr.kpp),
        ("PersAcc", qr.personal_account),
        ("Purpose", qr.purpose),
        ("PaymPeriod", f"{qr.period:%m%Y}" if qr.period else ""),
    )
    amount = () if qr.amount_kopecks is None else (("Sum", str(qr.amount_kopecks)),)
    values = (qr.name, qr.account, qr.bank_name, qr.bic, qr.correspondent or "0")
    required = list(zip(REQUIRED, values, strict=True))
    return [*required, *(pair for pair in known if pair[1]), *qr.others, *amount]


def _qr(pairs: dict[str, str]) -> PaymentQr:
    values = dict(pairs)
    month = values.get("PaymPeriod", "")
    period = _month(month)
    if period is not None:
        del values["PaymPeriod"]
    amount = values.pop("Sum", None)
    if amount is not None and (_DIGITS.fullmatch(amount) is None or int(amount) > AMOUNT_KOPECKS_MAX):
        raise PaymentQrError("Sum is not a number of kopecks")
    correspondent = values.pop("CorrespAcc")
    return PaymentQr(
        name=values.pop("Name"),
        account=values.pop("PersonalAcc"),
        bank_name=values.pop("BankName"),
        bic=values.pop("BIC"),
        correspondent=correspondent if correspondent.strip("0") else "",
        payee_inn=values.pop("PayeeINN", ""),
        kpp=values.pop("KPP", ""),
        personal_account=values.pop("PersAcc", ""),
        purpose=values.pop("Purpose", ""),
        period=period,
        amount_kopecks=None if amount is None else int(amount),
        others=tuple(values.items()),
    )


def _month(text: str) -> date | None:
    """Read MMYYYY, YYYYMM or MM.YYYY; None for what is no month: some bills write a quarter or words."""
    for pattern in MONTH_TEXTS:
        match = pattern.fullmatch(text)
        if match is not None and 1 <= int(match["month"]) <= 12 and YEAR_MIN <= int(match["year"]) <= YEAR_MAX:
            return date(int(match["year"]), int(match["month"]), 1)
    return None


def _check(pairs: Iterable[tuple[str, str]], account_key: AccountKey) -> None:
    """Raise PaymentQrError for the first field that does not keep the standard's form."""
    values = dict(pairs)
    for key, value in values.items():
        if len(value) > LENGTHS.get(key, PAYLOAD_BYTES_MAX):
            raise PaymentQrError(f"{_shown(key)} has {len(value)} characters of {LENGTHS[key]}")
    if _BIC.fullmatch(values["BIC"]) is None:
        raise PaymentQrError("BIC is not nine digits")
    if _ACCOUNT.fullmatch(values["PersonalAcc"]) is None or not account_key(values["PersonalAcc"], values["BIC"]):
        raise PaymentQrError("PersonalAcc is no account of this bank: its key does not fit the BIC")
    correspondent = values["CorrespAcc"]
    if correspondent != "0" and (_ACCOUNT.fullmatch(correspondent) is None or not account_key(correspondent, values["BIC"])):
        raise PaymentQrError("CorrespAcc is no correspondent account of this bank")
    if "AddAmount" in values and _DIGITS.fullmatch(values["AddAmount"]) is None:
        raise PaymentQrError("AddAmount is not a number of kopecks")


def _shown(key: str) -> str:
    """Return a key that the standard knows; any other may hold anything."""
    return key if key in LENGTHS else "a field"
