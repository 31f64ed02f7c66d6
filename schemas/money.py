"""Money is whole kopecks; this is the only file that knows the decimal point (design W1)."""

import re
from collections.abc import Callable
from typing import NewType

Kopecks = NewType("Kopecks", int)

KOPECKS_PER_ROUBLE = 100
AMOUNT_KOPECKS_MAX = 10**15
"""Ten trillion roubles: above any payment, far below what a signed 64-bit sum can overflow on."""
ROUBLES_EXACT_MAX = 10**9
"""Up to here a binary number tells kopecks from one another by far more than the tolerance."""
NUMBER_TOLERANCE_KOPECKS = 1e-4

_ROUBLES = re.compile(r"(0|[1-9][0-9]{0,12})(?:\.([0-9]{1,2}))?", re.ASCII)
_KOPECKS = re.compile(r"-?(0|[1-9][0-9]{0,15})", re.ASCII)


class MoneyError(ValueError):
    """The text is not an amount of money in the promised form."""


def kopecks_from_roubles(text: str) -> Kopecks:
    """Read roubles with a decimal dot and at most two decimals, as OSMP and Sber send them (protocols.md §1).

    ``10``, ``10.4`` and ``10.45`` are amounts; ``1e3``, ``10.455``, ``-1``, ``+1``, ``1 000``, ``10,45`` and an
    empty text raise MoneyError. Zero is read as zero: whether it may be paid is the caller's decision.
    """
    match = _ROUBLES.fullmatch(text)
    if match is None:
        raise MoneyError("expected roubles with a decimal dot and at most two decimals")
    roubles, fraction = match.groups()
    return Kopecks(int(roubles) * KOPECKS_PER_ROUBLE + int((fraction or "").ljust(2, "0")))


def kopecks_from_text(text: str) -> Kopecks:
    """Read whole kopecks, possibly negative, as our own files carry them; anything else raises MoneyError."""
    if _KOPECKS.fullmatch(text) is None:
        raise MoneyError("expected whole kopecks")
    amount = int(text)
    if abs(amount) > AMOUNT_KOPECKS_MAX:
        raise MoneyError(f"expected at most {AMOUNT_KOPECKS_MAX} kopecks")
    return Kopecks(amount)


def written_roubles(*, decimal: str, thousands: str) -> Callable[[str], Kopecks]:
    """Return a reader of roubles as people's and banks' files write them: ``-1 234,5`` with decimal ``,`` and thousands `` ``.

    Each character of ``decimal`` may stand before one or two decimals, each of ``thousands`` between groups of three digits;
    leading zeros are taken. The reader raises MoneyError.
    """
    whole = r"[0-9]{1,13}"
    if thousands:
        whole = rf"{whole}|[0-9]{{1,3}}(?:[{re.escape(thousands)}][0-9]{{3}})+"
    form = re.compile(rf"(-?)({whole})(?:[{re.escape(decimal)}]([0-9]{{1,2}}))?", re.ASCII)
    nothing = dict.fromkeys(map(ord, thousands))

    def read(text: str) -> Kopecks:
        match = form.fullmatch(text)
        if match is None:
            raise MoneyError("expected roubles with at most two decimals")
        sign, roubles, fraction = match.groups()
        amount = int(roubles.translate(nothing) if nothing else roubles) * KOPECKS_PER_ROUBLE
        if fraction:
            amount += int(fraction) if len(fraction) == 2 else int(fraction) * 10
        if amount > AMOUNT_KOPECKS_MAX:
            raise MoneyError(f"expected at most {AMOUNT_KOPECKS_MAX} kopecks")
        return Kopecks(-amount if sign else amount)

    return read


def kopecks_from_number(roubles: float) -> Kopecks:
    """Read roubles that a spreadsheet keeps as a binary number: whole kopecks within a millionth of a rouble, else MoneyError."""
    if not abs(roubles) <= ROUBLES_EXACT_MAX:
        raise MoneyError(f"expected at most {ROUBLES_EXACT_MAX} roubles in a number")
    kopecks = round(roubles * KOPECKS_PER_ROUBLE)
    if abs(roubles * KOPECKS_PER_ROUBLE - kopecks) > NUMBER_TOLERANCE_KOPECKS:
        raise MoneyError("expected roubles with at most two decimals")
    return Kopecks(kopecks)


def roubles_from_kopecks(amount_kopecks: int) -> str:
    """Write kopecks as roubles with a dot and two decimals: 123456 -> ``1234.56``, -5 -> ``-0.05``."""
    sign = "-" if amount_kopecks < 0 else ""
    roubles, rest = divmod(abs(amount_kopecks), KOPECKS_PER_ROUBLE)
    return f"{sign}{roubles}.{rest:02d}"


def roubles_for_people(amount_kopecks: int) -> str:
    """Write kopecks the way Russian papers print them: 123456789 -> ``1 234 567,89`` (narrow spaces between thousands)."""
    sign = "−" if amount_kopecks < 0 else ""
    roubles, rest = divmod(abs(amount_kopecks), KOPECKS_PER_ROUBLE)
    return f"{sign}{roubles:,}".replace(",", "\u202f") + f",{rest:02d}"
