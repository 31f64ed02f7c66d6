"""Numbers of payment orders (field 3) and of registers. Counters are kept by the caller; here is only how they are written."""

import re
from datetime import date

from schemas.ids import Transit

NUMBERS_OF_A_DAY_MAX = 999_000
"""Six digits hold a million numbers, every thousandth of which ends in 000."""

_NUMBER = re.compile(r"[0-9]{1,6}", re.ASCII)
_REGISTER = re.compile(r"([1-9][0-9]*)-([0-9]{6})-([1-9][0-9]*)", re.ASCII)


class NumbersExhausted(ValueError):
    """A transit account cannot have more orders on one day: the rest must wait for the next."""


def order_number(counter: int) -> str:
    """Return the number of the ``counter``-th order, from 1, of a transit account and a day: none ends in 000 (762-П).

    Numbers rise with the counter and never repeat. Raises NumbersExhausted above NUMBERS_OF_A_DAY_MAX, ValueError below 1.
    """
    if counter < 1:
        raise ValueError(f"the {counter}-th order of a day")
    if counter > NUMBERS_OF_A_DAY_MAX:
        raise NumbersExhausted(f"{counter} orders of one day, at most {NUMBERS_OF_A_DAY_MAX} have a number")
    return str(counter + (counter - 1) // 999)


def order_counter(number: str) -> int:
    """Return the counter that ``order_number`` made a number from; raises ValueError for one it never makes."""
    if not number_is_valid(number) or number.startswith("0"):
        raise ValueError(f"{number!r} is no number of an order of ours")
    return int(number) - int(number) // 1000


def number_is_valid(number: str) -> bool:
    """Whether a bank takes the number: one to six digits, the last three not all zeros."""
    return _NUMBER.fullmatch(number) is not None and number.zfill(3)[-3:] != "000"


def register_number(transit: Transit, day: date, ordinal: int) -> str:
    """Return the number of a register: transit account, its bank day, and the register's place in it from 1: ``1-261124-3``."""
    if ordinal < 1:
        raise ValueError(f"the {ordinal}-th register of a day")
    return f"{transit}-{day:%y%m%d}-{ordinal}"


def register_place(number: str) -> tuple[Transit, date, int]:
    """Read a register's number back; raises ValueError for one that ``register_number`` never makes."""
    match = _REGISTER.fullmatch(number)
    if match is None:
        raise ValueError(f"{number!r} is no number of a register of ours")
    transit, day, ordinal = match.groups()
    return Transit(int(transit)), date(2000 + int(day[:2]), int(day[2:4]), int(day[4:])), int(ordinal)
