"""Check digits, masking and the production calendar as tables."""

from datetime import date

import pytest

from services import requisites
from services.calendar import is_working_day, next_working_day
from services.reference.masking import mask_address, mask_name

VECTORS = {
    "inn": [("7707083893", True), ("7707083894", False), ("500100732259", True), ("500100732258", False)],
    "ogrn": [("1027700132195", True), ("1027700132196", False), ("304500116000157", True), ("304500116000158", False)],
    "snils": [("112-233-445 95", True), ("112-233-445 96", False), ("087-654-303 00", True)],
    "uin": [
        ("18801050123456789017", True),
        ("18801050123456789018", False),
        ("1810452617041204567800007", True),
        ("18801050000000000083", True),
        ("18801050000000001060", True),
    ],
    "kpp": [("770801001", True), ("773643001", True), ("7708010", False), ("000801001", False)],
    "bic": [("044525593", True), ("004525988", True), ("017003983", True), ("144525593", False)],
    "kbk": [("18210102010011000110", True), ("1821010201001100011", False), ("0" * 20, False)],
    "oktmo": [("45382000", True), ("45382000123", True), ("453820001", False), ("0" * 8, False)],
}
CHECKS = {
    "inn": requisites.inn_is_valid,
    "ogrn": requisites.ogrn_is_valid,
    "snils": requisites.snils_is_valid,
    "uin": requisites.uin_is_valid,
    "kpp": requisites.kpp_is_valid,
    "bic": requisites.bic_is_valid,
    "kbk": requisites.kbk_is_valid,
    "oktmo": requisites.oktmo_is_valid,
}
NOT_NUMBERS = ["", "0" * 10, "0" * 12, "7707083893 ", "770708389３", "77070838930\n", "7" * 10_000, "770708\x003893", "abc"]


@pytest.mark.parametrize(("kind", "text", "valid"), [(kind, *case) for kind, cases in VECTORS.items() for case in cases])
def test_check_digits(kind: str, text: str, valid: bool) -> None:
    assert CHECKS[kind](text) is valid


@pytest.mark.parametrize("kind", CHECKS)
@pytest.mark.parametrize("text", NOT_NUMBERS)
def test_what_is_not_a_number_is_refused(kind: str, text: str) -> None:
    assert CHECKS[kind](text) is False


@pytest.mark.parametrize(
    ("bic", "account", "valid"),
    [
        ("049805000", "30101810800000000746", True),
        ("049805746", "40602810700000000025", True),
        ("044525225", "30101810400000000225", True),
        ("044525593", "30101810200000000593", True),
        ("044525225", "40702810200000000001", True),
        ("044525225", "40702810300000000001", False),
        ("044525593", "40911810101850000000", True),
        ("044525593", "40911810201850000000", False),
        ("004525988", "40102810545370000003", True),
        ("017003983", "03100643000000017300", True),  # treasury: form only
        ("044525593", "03100643000000017300", False),  # a treasury account stands at no commercial bank
        ("144525593", "40911810101850000000", False),
        ("044525593", "4091181010185000000", False),
    ],
)
def test_account_key(bic: str, account: str, valid: bool) -> None:
    assert requisites.account_key_is_valid(account, bic) is valid


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("Иванов Иван Иванович", "И****в И. И."),
        ("Ли Анна", "Л**** А."),
        ("  Салтыков-Щедрин   Михаил ", "С****в-Щ****н М."),
        ("ООО «Ромашка»", "ООО «Ромашка»"),
        ("", ""),
    ],
)
def test_names_are_masked(name: str, masked: str) -> None:
    assert mask_name(name) == masked


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("ул. Ленина, д. 5, кв. 125", "ул. Ленина, д. 5, кв. **5"),
        ("ул. Ленина, д. 5, кв. 7", "ул. Ленина, д. 5, кв. **"),
        ("ул. Ленина, д. 5 к. 2, квартира 18а", "ул. Ленина, д. 5 к. 2, квартира **а"),
        ("г. Тверь, ул. Мира, 5, 12", "г. Тверь, ул. Мира, 5, **2"),
        ("ул. Мира, 5", "ул. Мира, 5"),
        ("", ""),
    ],
)
def test_addresses_are_masked(address: str, masked: str) -> None:
    assert mask_address(address) == masked


@pytest.mark.parametrize(
    ("day", "working", "clause"),
    [
        (date(2024, 4, 27), True, "ПП 1314: working Saturday"),
        (date(2025, 11, 1), True, "ПП 1335: working Saturday"),
        (date(2025, 11, 3), False, "ПП 1335: transferred"),
        (date(2026, 1, 9), False, "ПП 1466: transferred"),
        (date(2026, 3, 9), False, "ст. 112 ч. 2: 8 March is a Sunday"),
        (date(2026, 11, 4), False, "national unity day"),
        (date(2026, 11, 14), False, "Saturday"),
        (date(2026, 11, 16), True, "Monday"),
    ],
)
def test_production_calendar(day: date, working: bool, clause: str) -> None:
    assert is_working_day(day) is working, clause


def test_a_deadline_moves_to_the_next_working_day() -> None:
    assert next_working_day(date(2026, 11, 15)) == date(2026, 11, 16)
    assert next_working_day(date(2027, 1, 1)) == date(2027, 1, 11)
    assert next_working_day(date(2026, 11, 17)) == date(2026, 11, 17)
