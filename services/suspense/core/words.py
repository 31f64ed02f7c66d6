"""What a purpose and a payer's name say of an account: numbers, people, addresses, as they can be compared with masks. Pure.

The house keeps names and addresses of accounts masked only (services/reference/masking.py), so what a payer wrote is masked in
the same way and compared. Nothing of what was written leaves these functions but masks.
"""

import re

from services.reference.masking import mask_address, mask_name

NUMBERS_MAX = 20
PEOPLE_MAX = 60
ADDRESSES_MAX = 250
DIGITS_MIN = 4
"""Shorter numbers in a purpose are flats, houses, months."""
_WORDS_OF_ADDRESS = frozenset(
    {"г", "город", "ул", "улица", "пр", "кт", "проспект", "просп", "пер", "переулок", "бульвар", "ш", "шоссе", "д", "дом", "корп"}
    | {"корпус", "кв", "квартира", "ком", "комната"}
)
_NUMBER = re.compile(r"(?<![0-9A-Za-zА-Яа-я])[0-9][0-9A-Za-z./-]*[0-9](?![0-9A-Za-zА-Яа-я])")
_NO_ACCOUNT = re.compile(
    r"(?:[0-3]?[0-9][./-])?[01]?[0-9][./-](?:20)?[0-9]{2}|20[0-9]{2}[./-][01]?[0-9](?:[./-][0-3]?[0-9])?|[0-9]+\.[0-9]{2}"
)
"""Months, dates and sums of roubles."""
_WORD = re.compile(r"[А-ЯЁа-яё]+(?:-[А-ЯЁа-яё]+)*\.?")
_SIGNS = str.maketrans({"ё": "е"} | dict.fromkeys('.,;:/-()"«»', " "))


def numbers_in(purpose: str) -> tuple[str, ...]:
    """Return numbers of a purpose that may be account numbers, as written, in order, each once."""
    found = dict.fromkeys(
        text
        for text in _NUMBER.findall(purpose)
        if sum(sign.isdigit() for sign in text) >= DIGITS_MIN and _NO_ACCOUNT.fullmatch(text) is None
    )
    return tuple(found)[:NUMBERS_MAX]


def people_in(text: str) -> tuple[str, ...]:
    """Return masks of everybody whom three, or two, words in a row may name: surname first, then names or initials."""
    words = [word.rstrip(".") for word in _WORD.findall(text)]
    found: dict[str, None] = {}
    for length in (3, 2):
        for place in range(len(words) - length + 1):
            run = words[place : place + length]
            if len(run[0]) > 2 and all(word[:1].isupper() for word in run):
                found.setdefault(mask_name(" ".join(word[:1].upper() + word[1:].lower() for word in run)))
    return tuple(found)[:PEOPLE_MAX]


def addresses_in(text: str) -> tuple[str, ...]:
    """Return address keys of every run of two to six words of the text with a figure in it, flats masked."""
    words = address_key(mask_address(" ".join(text.split()))).split()
    found: dict[str, None] = {}
    for length in range(6, 1, -1):
        for place in range(len(words) - length + 1):
            run = words[place : place + length]
            if any(sign.isdigit() for sign in "".join(run)) and not run[0][:1].isdigit():
                found.setdefault(" ".join(run))
    return tuple(found)[:ADDRESSES_MAX]


def address_key(address: str) -> str:
    """Return street, house and flat as plain words; the database's suspense.address_key does the same."""
    words = address.lower().translate(_SIGNS).split(" ")
    return " ".join(word for word in words if word and word not in _WORDS_OF_ADDRESS)


def same_person(mask: str, masks: tuple[str, ...]) -> bool:
    """Tell whether an account's masked name is among the masks of a text; one without a patronymic is compared without it."""
    if not mask:
        return False
    short = " ".join(mask.split()[:2])
    return any(one == mask or (len(one.split()) == 2 and one == short) for one in masks)
