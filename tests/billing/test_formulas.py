"""The table of formulas: nothing unconfirmed is shown by its number, and no line is charged by a formula that it lacks."""

import pytest

from loadtests.billing_town import random_house
from services.billing.core.engine import calculate_house
from services.billing.core.formulas import COMMON, COMMUNAL, FORMULAS, HEATING, INDIVIDUAL, OTHER, WASTE, shown_formula

CONFIRMED = ["1", "2", "4", "4(1)", "9(1)", "9(2)", "9(3)", "9(4)"]


@pytest.mark.parametrize("number", CONFIRMED)
def test_confirmed_numbers_are_shown(number: str) -> None:
    assert shown_formula(number) == f"формула {number}"


@pytest.mark.parametrize("number", sorted(set(FORMULAS) - set(CONFIRMED)))
def test_unconfirmed_numbers_are_not_shown(number: str) -> None:
    assert shown_formula(number) == FORMULAS[number].title
    assert number[0].isalpha() or number not in shown_formula(number)


def test_a_formula_is_said_once_and_has_a_source() -> None:
    rows = (*INDIVIDUAL, *COMMUNAL, *HEATING, *WASTE, *COMMON, *OTHER)
    assert len(rows) == len(FORMULAS) == len({row.title for row in rows})
    assert all(row.title and row.source for row in rows)


def test_an_unknown_formula_is_an_error() -> None:
    with pytest.raises(KeyError):
        shown_formula("99")


def test_every_line_of_a_town_has_its_formula_in_the_table() -> None:
    lines = [line for place in range(60) for line in calculate_house(random_house(7, place))]
    assert len(lines) > 10_000
    assert {line.explanation.formula for line in lines} <= set(FORMULAS)
