"""Neighbours of numbers, words of purposes, terms, and the ranking of suggestions: pure rules as tables and properties."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import AccountId
from services.calendar import working_days_between
from services.suspense.core import evidence
from services.suspense.core.evidence import SCORE_MAX, Evidence, Suspect, Taking, Told, rank
from services.suspense.core.neighbours import CHARACTERS_MAX, Slip, bare_number, neighbours_of
from services.suspense.core.terms import clarified_until, clarify_term, overdue_since, transit_term
from services.suspense.core.words import address_key, addresses_in, numbers_in, people_in, same_person

NUMBERS = st.text("0123456789", min_size=3, max_size=12)


def slips(number: str) -> st.SearchStrategy[str]:
    """The number with one slip."""
    places = st.integers(0, len(number) - 1)
    digit = st.sampled_from("0123456789")
    return st.one_of(
        st.builds(lambda place, sign: number[:place] + sign + number[place + 1 :], places, digit),
        st.builds(lambda place, sign: number[:place] + sign + number[place:], places, digit),
        st.builds(lambda place: number[:place] + number[place + 1 :], places),
        st.builds(lambda place: number[:place] + number[place : place + 2][::-1] + number[place + 2 :], places),
        st.builds(lambda count: "0" * count + number, st.integers(1, 4)),
        st.builds(lambda place: f"{number[:place]}-{number[place:]}", places),
    )


@given(st.data())
def test_a_number_is_among_the_neighbours_of_itself_with_one_slip(data: st.DataObject) -> None:
    number = data.draw(NUMBERS)
    written = data.draw(slips(number))
    if written != number and len(bare_number(written)) >= 3:
        assert number in neighbours_of(written) or (number.strip("0") == "" and not written.strip("0-"))


@given(st.text(max_size=60))
def test_neighbours_are_few_and_never_the_number_itself(written: str) -> None:
    found = neighbours_of(written)
    assert written not in found and len(found) <= 22 * CHARACTERS_MAX + 20
    assert all(found)


@pytest.mark.parametrize(
    ("written", "number", "slip"),
    [
        ("100-234", "100234", Slip.MARKS),
        ("0100234", "100234", Slip.ZEROS),
        ("100234", "0000100234", Slip.ZEROS),
        ("100243", "100234", Slip.SWAPPED),
        ("100834", "100234", Slip.WRONG),
        ("1002334", "100234", Slip.EXTRA),
        ("10023", "100234", Slip.MISSING),
        ("75da000001", "75DA000001", Slip.MARKS),
    ],
)
def test_the_least_slip_is_told(written: str, number: str, slip: Slip) -> None:
    assert neighbours_of(written)[number] is slip


def test_a_short_a_long_and_a_wordy_number_have_no_neighbours() -> None:
    assert [neighbours_of(text) for text in ("12", "1" * 25, "без номера", "")] == [{}] * 4


@pytest.mark.parametrize(
    ("purpose", "numbers"),
    [
        ("ЖКУ л/с 100234 за 10.2026, НДС нет", ("100234",)),
        ("за 2026-10, 01.10.2026 и 10/26: 1234.56 по 100234/1", ("100234/1",)),
        ("ЛС№75-000-1; кв 12", ("75-000-1",)),
        ("Оплата 1234 1234", ("1234",)),
        ("без номеров 12", ()),
    ],
)
def test_numbers_of_a_purpose(purpose: str, numbers: tuple[str, ...]) -> None:
    assert numbers_in(purpose) == numbers


def test_people_are_masked_and_compared_as_masks() -> None:
    people = people_in("ИВАНОВ ИВАН ИЛЬИЧ//оплата за Петрову-Водкину А. Б.")
    assert "И****в И. И." in people and "П****у-В****у А. Б." in people
    assert not any("Иванов" in one or "ИВАНОВ" in one for one in people)
    assert same_person("И****в И. И.", people) and not same_person("С****в И. И.", people) and not same_person("", people)
    assert same_person("И****в И. И.", people_in("Иванов Иван"))


@pytest.mark.parametrize(
    "purpose",
    ["за ЖКУ ул. Мира, д.5, кв.125", "Улица Мира 5 квартира 225, Иванов", "ЖКУ: г.Пермь,ул.Мира,дом 5,кв 15. без НДС"],
)
def test_an_address_is_found_however_it_is_written(purpose: str) -> None:
    assert address_key("ул. Мира, д. 5, кв. **5") in addresses_in(purpose)


def test_other_addresses_are_not_found() -> None:
    found = addresses_in("за ЖКУ ул. Мира, д.5, кв.126")
    assert address_key("ул. Мира, д. 5, кв. **5") not in found
    assert addresses_in("") == () == addresses_in("оплата")


@given(st.text(max_size=200))
def test_any_purpose_is_read_within_bounds(purpose: str) -> None:
    assert len(numbers_in(purpose)) <= 20 and len(people_in(purpose)) <= 60 and len(addresses_in(purpose)) <= 250


@given(st.dates(date(2024, 1, 1), date(2027, 11, 1)))
def test_an_item_has_five_working_days_after_its_own(day: date) -> None:
    last = clarified_until(day)
    assert working_days_between(day + timedelta(days=1), last) == 5
    assert not clarify_term(day, last).overdue and clarify_term(day, last + timedelta(days=1)).overdue


@given(st.dates(date(2024, 2, 1), date(2027, 11, 1)))
def test_the_newest_overdue_day_parts_the_overdue_from_the_others(today: date) -> None:
    newest = overdue_since(today)
    assert clarify_term(newest, today).overdue and not clarify_term(newest + timedelta(days=1), today).overdue


@pytest.mark.parametrize(("day", "last"), [(date(2026, 11, 24), date(2026, 11, 26)), (date(2026, 11, 27), date(2026, 12, 1))])
def test_the_law_counts_the_day_of_acceptance(day: date, last: date) -> None:
    assert (transit_term(day, last).overdue, transit_term(day, last + timedelta(days=1)).overdue) == (False, True)


def suspect(account: int, *told: Evidence, why_not: str = "") -> Suspect:
    return Suspect(account=AccountId(account), name=f"epd/{account}", evidence=told, taking=Taking(kopecks=0, why_not=why_not))


def test_suggestions_are_ranked_by_what_speaks_for_them() -> None:
    slip = evidence.slipped("100243", "100234", Slip.SWAPPED, 1)
    amount, debt = evidence.equals_document(5_000, 202610), evidence.equals_debt(5_000)
    ranked = rank(
        [
            suspect(1, amount),
            suspect(2, slip, amount, debt),
            suspect(3),
            suspect(4, amount, why_not="лицевой счёт закрыт"),
            suspect(5, evidence.written_in_purpose("5"), slip, evidence.own_account()),
        ]
    )
    assert [(one.account, one.score) for one in ranked] == [(5, SCORE_MAX), (2, 95), (1, 35), (4, 35)]
    assert ranked[1].reasons == (slip.reason, amount.reason)
    assert "50,00 ₽" in amount.reason and "за 10.2026" in amount.reason


@given(st.lists(st.tuples(st.integers(1, 9), st.lists(st.integers(1, 90), max_size=4)), max_size=20))
def test_nothing_is_certain_and_few_are_shown(drawn: list[tuple[int, list[int]]]) -> None:
    kinds = list(evidence.Kind)
    suspects = [
        suspect(account, *[Evidence(kind=kinds[points % len(kinds)], points=points, reason="") for points in told])
        for account, told in drawn
    ]
    ranked = rank(suspects)
    assert len(ranked) <= evidence.SUGGESTIONS_MAX
    assert all(0 < one.score <= SCORE_MAX for one in ranked)
    assert [one.score for one in ranked] == sorted((one.score for one in ranked), reverse=True)


def test_what_a_line_tells_is_not_shown() -> None:
    assert "Иванов" not in repr(Told(payer="Иванов", purpose="Иванов"))
