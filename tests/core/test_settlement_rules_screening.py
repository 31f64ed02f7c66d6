"""Stop lists: what stops, what a person must check, what passes; limits of 115-ФЗ by their dates."""

import string
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.settlement.rules.name_keys import LEGAL_FORMS, NameKey, is_shortened, name_key, one_edit
from services.settlement.rules.screening import LegalLimit, Screening, StopEntry, StopLists, Verdict, limit_on, reaches_limit

DAY = date(2026, 11, 24)
LISTED = (
    StopEntry(list_code="РФМ", reference="1", name='ООО "Тёмный лес"', inn="7707083893"),
    StopEntry(list_code="РФМ", reference="2", name="Иванов Семён Петрович"),
    StopEntry(list_code="РФМ", reference="2", name="Иваненко Семён Петрович"),
    StopEntry(list_code="СБ ООН", reference="QDi.1", name="Omega Trading Limited"),
    StopEntry(
        list_code="БАНК", reference="7", name="Ромашка", inn="500100732259", since=date(2026, 3, 1), until=date(2026, 10, 31)
    ),
    StopEntry(list_code="БАНК", reference="8", name="Салтыков-Щедрин Михаил Евграфович", inn="500100732259"),
    StopEntry(list_code="БАНК", reference="9", name="", inn="1027700132"),
)
LISTS = StopLists(LISTED)
CLEAR, CHECK, STOP = Verdict.CLEAR, Verdict.CHECK, Verdict.STOP


@pytest.mark.parametrize(
    ("name", "inn", "verdict", "reference", "clause"),
    [
        ('ООО "Тёмный лес"', "", STOP, "1", "as listed"),
        ("общество с ограниченной ответственностью «ТЕМНЫЙ ЛЕС»", "", STOP, "1", "case, ё, quotes, the form in full"),
        ("Темный лес, ООО", "", STOP, "1", "the form at the end"),
        ("Тёмный  лес", "", STOP, "1", "no form"),
        ("OOO Tёмный леc", "", STOP, "1", "Latin letters drawn like Russian ones"),
        ("Совсем другое имя", "7707083893", STOP, "1", "the ИНН stops whatever the name"),
        ("", "7707083893", STOP, "1", "the ИНН without a name"),
        ("", "1027700132", STOP, "9", "an entry without a name"),
        ('ООО "Тёмный лес"', "7707083893", STOP, "1", "both"),
        ("АО Тёмный лес", "", CHECK, "1", "another form"),
        ('ООО "Тёмный лес"', "500100732259", CHECK, "8", "another entry's ИНН stops first"),
        ('ООО "Тёмный лес"', "7708503727", CHECK, "1", "another ИНН: a namesake"),
        ("Лес тёмный", "", CHECK, "1", "another order of words"),
        ("ООО Тёмный лесс", "", CLEAR, "", "short words are not compared by letters"),
        ("ООО Тёмнй лес", "", CHECK, "1", "a letter less"),
        ("ООО Тёмныйй лес", "", CHECK, "1", "a letter more"),
        ("ООО Тёмнай лес", "", CHECK, "1", "another letter"),
        ("ООО Тёмынй лес", "", CHECK, "1", "two letters exchanged"),
        ("ООО Тёмнай лес", "7708503727", CLEAR, "", "only alike and another ИНН"),
        ("ООО Томнай лес", "", CLEAR, "", "two letters"),
        ("ООО Тёмный лес плюс", "", CHECK, "1", "a word more"),
        ("ООО Светлый лес", "", CLEAR, "", "another name"),
        ("ИВАНОВ СЕМЕН ПЕТРОВИЧ", "", STOP, "2", "a person"),
        ("ИП Иванов Семён Петрович", "", STOP, "2", "a person's trade"),
        ("Иваненко Семен Петрович", "", STOP, "2", "an alias"),
        ("Иванов С. П.", "", CHECK, "2", "initials"),
        ("Иванов С.П.", "", CHECK, "2", "initials without a space"),
        ("Иванов Семён", "", CHECK, "2", "no patronymic"),
        ("Иванов Семён Павлович", "", CLEAR, "", "another patronymic"),
        ("Иванов П. С.", "", CLEAR, "", "other initials"),
        ("Иванова Семён Петрович", "", CHECK, "2", "one letter of a surname"),
        ("Салтыков Щедрин Михаил Евграфович", "", STOP, "8", "a hyphen"),
        ("OMEGA TRADING LIMITED", "", STOP, "QDi.1", "Latin"),
        ("Omega Tradimg Limited", "", CHECK, "QDi.1", "Latin with a misprint"),
        ("", "", CLEAR, "", "nothing to look up"),
        ("«»", "", CLEAR, "", "quotes only"),
        ("ООО", "", CLEAR, "", "a form only"),
    ],
)
def test_screening(name: str, inn: str, verdict: Verdict, reference: str, clause: str) -> None:
    found = LISTS.screen(name, inn, DAY)
    if inn == "500100732259" and name:
        assert found.verdict is STOP and [match.entry.reference for match in found.matches] == ["8", "1"], clause
        assert found.matches[1].verdict is verdict is CHECK
        return
    assert found.verdict is verdict, clause
    assert [match.entry.reference for match in found.matches] == ([reference] if reference else []), clause
    assert all(match.reason for match in found.matches)


@pytest.mark.parametrize(
    ("day", "verdict"),
    [
        (date(2026, 2, 28), CLEAR),
        (date(2026, 3, 1), STOP),
        (date(2026, 10, 31), STOP),
        (date(2026, 11, 1), CLEAR),
    ],
)
def test_entries_are_dated(day: date, verdict: Verdict) -> None:
    assert LISTS.screen("Ромашка", "", day).verdict is verdict


def test_reasons_are_told_gravest_first() -> None:
    lists = StopLists(
        [
            StopEntry(list_code="Б", reference="1", name="Волков Пётр Ильич"),
            StopEntry(list_code="А", reference="5", name="Волков Пётр Ильич"),
            StopEntry(list_code="А", reference="4", name="Волкова Пётр Ильич"),
        ]
    )
    found = lists.screen("Волков Петр Ильич", "", DAY)
    assert [(match.verdict, match.entry.list_code, match.entry.reference, match.reason) for match in found.matches] == [
        (STOP, "А", "5", "совпало наименование"),
        (STOP, "Б", "1", "совпало наименование"),
        (CHECK, "А", "4", "наименование отличается одной буквой"),
    ]


def test_empty_lists_stop_nobody() -> None:
    assert StopLists([]).screen("Иванов Семён Петрович", "7707083893", DAY) == Screening(verdict=CLEAR)


@pytest.mark.parametrize(("full", "short"), LEGAL_FORMS.items())
def test_legal_forms_in_full_and_short_are_one(full: str, short: str) -> None:
    expected = NameKey(form=short, words=("заря",))
    assert name_key(f"{full.title()} «Заря»") == name_key(f'{short.upper()} "Заря"') == name_key(f"Заря {short}") == expected


def test_the_longest_form_is_taken() -> None:
    assert name_key("Заря, публичное акционерное общество") == NameKey(form="пао", words=("заря",))
    assert name_key("Федеральное государственное унитарное предприятие «Заря»").form == "фгуп"
    assert name_key("ООО") == NameKey(form="", words=("ооо",))


WORDS = st.text(st.sampled_from("абвгдеёжзийклмнопрстуфхцчшщыэюя"), min_size=4, max_size=9)
NAMES = st.lists(WORDS.filter(lambda word: word not in LEGAL_FORMS.values()), min_size=1, max_size=4)


@given(NAMES, st.sampled_from(["ООО «{}»", '"{}"', "{}", "АО {}", "{}, ЗАО"]))
def test_what_is_listed_stops_in_any_dress(words: list[str], dress: str) -> None:
    name = " ".join(words)
    lists = StopLists([StopEntry(list_code="РФМ", reference="1", name=name)])
    for text in (dress.format(name), dress.format(name.upper()), dress.format(name.replace("ё", "е"))):
        assert lists.screen(text, "", DAY).verdict is STOP


@given(NAMES, st.data())
def test_one_letter_off_is_to_check_and_never_stops(words: list[str], draws: st.DataObject) -> None:
    place = draws.draw(st.integers(0, len(words) - 1))
    letter = draws.draw(st.integers(0, len(words[place]) - 1))
    changed = [*words]
    changed[place] = words[place][:letter] + "ъ" + words[place][letter + 1 :]
    lists = StopLists([StopEntry(list_code="РФМ", reference="1", name=" ".join(words))])
    assert lists.screen(" ".join(changed), "", DAY).verdict is CHECK


@given(st.text(max_size=60), st.text(max_size=14))
def test_no_text_makes_it_raise(name: str, inn: str) -> None:
    assert LISTS.screen(name, inn, DAY).verdict in Verdict


@given(st.text(string.ascii_lowercase[:3], min_size=4, max_size=7), st.text(string.ascii_lowercase[:3], min_size=4, max_size=7))
def test_one_edit_is_what_it_says(word: str, other: str) -> None:
    alphabet = set(word + other)
    edits = {word[:place] + word[place + 1 :] for place in range(len(word))}
    edits |= {word[:place] + letter + word[place + 1 :] for place in range(len(word)) for letter in alphabet}
    edits |= {word[:place] + letter + word[place:] for place in range(len(word) + 1) for letter in alphabet}
    edits |= {word[:place] + word[place + 1] + word[place] + word[place + 2 :] for place in range(len(word) - 1)}
    assert one_edit(word, other) is (other in edits - {word}) is one_edit(other, word)


@pytest.mark.parametrize(
    ("words", "other", "shortened"),
    [
        ("иванов и и", "иванов иван иванович", True),
        ("иванов иван", "иванов иван иванович", True),
        ("иванов иван иванович", "иванов иван иванович", False),
        ("иванов иван", "петров иван", False),
        ("иванов ив", "иванов иван", False),
    ],
)
def test_shortened_names(words: str, other: str, shortened: bool) -> None:
    assert is_shortened(tuple(words.split()), tuple(other.split())) is shortened
    assert is_shortened(tuple(other.split()), tuple(words.split())) is shortened


LIMITS = (
    LegalLimit(
        since=date(2014, 1, 1), operation="cash", amount_kopecks=1_500_000, inclusive=False, source="115-ФЗ [from memory]"
    ),
    LegalLimit(
        since=date(2027, 1, 1), operation="cash", amount_kopecks=4_000_000, inclusive=False, source="an invented amendment"
    ),
    LegalLimit(
        since=date(2021, 1, 10), operation="control", amount_kopecks=100_000_000, inclusive=True, source="115-ФЗ [from memory]"
    ),
)


@pytest.mark.parametrize(
    ("operation", "day", "amount", "reached", "clause"),
    [
        ("cash", DAY, 1_500_000, False, "exactly the limit does not exceed it"),
        ("cash", DAY, 1_500_001, True, "a kopeck more does"),
        ("cash", date(2027, 1, 1), 1_500_001, False, "a newer row"),
        ("cash", date(2026, 12, 31), 1_500_001, True, "until the day before"),
        ("cash", date(2013, 12, 31), 10**12, False, "before the first row"),
        ("control", DAY, 100_000_000, True, "equal or above"),
        ("control", DAY, 99_999_999, False, "below"),
        ("unknown", DAY, 10**12, False, "no such row"),
    ],
)
def test_limits_of_115_fz(operation: str, day: date, amount: int, reached: bool, clause: str) -> None:
    assert reaches_limit(amount, limit_on(LIMITS, operation, day)) is reached, clause
