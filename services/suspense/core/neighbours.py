"""Account numbers that differ from a written one by a single slip of the pen. Pure.

They are generated and looked up by key, some 250 for ten digits, so that a million accounts cost no more than ten. A number is
never guessed (design §4): whoever is found here is a suggestion that a person takes or leaves.
"""

import re
from enum import StrEnum

CHARACTERS_MIN, CHARACTERS_MAX = 3, 24
"""Shorter numbers are neighbours of everything; longer ones are no account numbers."""
ZEROS_MAX = 8
DIGITS = "0123456789"
_OTHER = re.compile(r"[^0-9A-Za-zА-Яа-яЁё]+")


class Slip(StrEnum):
    """What went wrong, from the least to the most; of several the least counts."""

    MARKS = "marks"  # the same digits and letters, with other signs between or around them
    ZEROS = "zeros"  # leading zeros too many or too few
    SWAPPED = "swapped"  # two neighbouring characters changed places
    WRONG = "wrong"  # one wrong digit
    EXTRA = "extra"  # one character too many
    MISSING = "missing"  # one digit too few


def bare_number(written: str) -> str:
    """Return the digits and letters of a written number, in capitals."""
    return _OTHER.sub("", written).upper()


def neighbours_of(written: str) -> dict[str, Slip]:
    """Return numbers one slip away from a written one, the written one itself left out; empty for too short or too long ones."""
    bare = bare_number(written)
    if not CHARACTERS_MIN <= len(bare) <= CHARACTERS_MAX or not any(sign in DIGITS for sign in bare):
        return {}
    found: dict[str, Slip] = {}
    for slip, numbers in (
        (Slip.MARKS, [bare]),
        (Slip.ZEROS, _zeros(bare)),
        (Slip.SWAPPED, _swapped(bare)),
        (Slip.WRONG, _wrong(bare)),
        (Slip.EXTRA, [bare[:place] + bare[place + 1 :] for place in range(len(bare))]),
        (Slip.MISSING, [bare[:place] + digit + bare[place:] for place in range(len(bare) + 1) for digit in DIGITS]),
    ):
        for number in numbers:
            if number and number != written:
                found.setdefault(number, slip)
    return found


def _zeros(bare: str) -> list[str]:
    core = bare.lstrip("0")
    return ["0" * count + core for count in range(ZEROS_MAX + 1) if core and "0" * count + core != bare]


def _swapped(bare: str) -> list[str]:
    return [
        bare[:place] + bare[place + 1] + bare[place] + bare[place + 2 :]
        for place in range(len(bare) - 1)
        if bare[place] != bare[place + 1]
    ]


def _wrong(bare: str) -> list[str]:
    return [
        bare[:place] + digit + bare[place + 1 :]
        for place, sign in enumerate(bare)
        if sign in DIGITS
        for digit in DIGITS
        if digit != sign
    ]
