"""The demo town: drawn from a seed, with requisites that the real checks accept and documents that add up."""

from pathlib import Path

import pytest

from kopeck.demo.recipients import BANK_BIC, OPERATOR, TRANSIT_ACCOUNT, list_recipients
from kopeck.demo.requisites import account_with_key, inn_with_check
from kopeck.demo.tariffs import rounded
from kopeck.demo.town import ACCOUNTS_MIN, CURRENT, list_residents, printed_totals, write_town
from services.calendar import is_working_day
from services.reference.load_charges import charges_shape
from services.reference.load_recipients import RECIPIENTS
from services.reference.rows import day, row_decoder
from services.requisites import account_key_is_valid, inn_is_valid

ACCOUNTS = 600


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("town")
    write_town(folder, ACCOUNTS, seed=1)
    return folder


def test_same_seed_gives_the_same_town(town: Path, tmp_path: Path) -> None:
    again = write_town(tmp_path, ACCOUNTS, seed=1)
    for path in (again.recipients, again.accounts, again.charges):
        assert path.read_bytes() == town.joinpath(path.name).read_bytes()


def test_another_seed_gives_another_town(town: Path, tmp_path: Path) -> None:
    other = write_town(tmp_path, ACCOUNTS, seed=2)
    assert other.charges.read_bytes() != town.joinpath("charges.csv").read_bytes()
    assert other.recipients.read_bytes() == town.joinpath("recipients.csv").read_bytes()


@pytest.mark.parametrize("recipient", list_recipients(), ids=lambda one: one.code)
def test_requisites_have_right_check_digits(recipient) -> None:
    assert inn_is_valid(recipient.inn)
    assert account_key_is_valid(recipient.bank_account, recipient.bic)


def test_the_town_has_who_a_town_has() -> None:
    kinds = [one.kind for one in list_recipients()]
    assert len(kinds) >= 12
    assert kinds.count("management") >= 2
    assert {"supplier", "service", "fund", "budget"} <= set(kinds)
    assert account_key_is_valid(TRANSIT_ACCOUNT, BANK_BIC) and TRANSIT_ACCOUNT.startswith("40911")


def test_check_digits_match_the_known_vectors() -> None:
    assert account_with_key("40911810901850000000", "044525593") == "40911810101850000000"
    assert account_with_key("40602810000000000025", "049805746") == "40602810700000000025"
    assert inn_with_check("770708389") == "7707083893"


def test_residents_are_of_every_kind_and_exactly_as_many() -> None:
    residents = list(list_residents(ACCOUNTS, seed=1))
    accounts = [resident.account for resident in residents]
    assert len({account.number for account in accounts}) == ACCOUNTS
    assert {account.state for account in accounts} == {"open", "debts_only", "closed"}
    assert {account.payer_kind for account in accounts} == {"person", "organisation", "budget"}
    charges = [charge for resident in residents for charge in resident.charges]
    assert {charge.kind for charge in charges} == {"principal", "penalty", "costs"}
    assert {charge.pool for charge in charges} == {"main", "capital_repair", "voluntary"}
    earners = {recipient.code for recipient in list_recipients()} - {charge.recipient for charge in charges}
    assert earners == {OPERATOR}, "who earns the commission is charged for by nobody"
    assert all(charge.amount > 0 and 0 <= charge.paid <= charge.amount for charge in charges)


def test_a_document_prints_what_is_unpaid() -> None:
    for resident in list_residents(ACCOUNTS, seed=1):
        totals = printed_totals(resident.charges)
        for (_, pool), total in totals.items():
            owed = [one for one in resident.charges if one.pool == pool and one.kind == "principal"]
            assert total == sum(one.amount for one in owed) - sum(one.paid for one in owed)
        if resident.account.state == "open":
            assert (CURRENT, "main") in totals


def test_every_row_is_in_the_loader_s_columns(town: Path) -> None:
    numbers = {recipient.code: number for number, recipient in enumerate(list_recipients(), start=1)}
    for name, shape in (("recipients.csv", RECIPIENTS), ("charges.csv", charges_shape(numbers))):
        lines = town.joinpath(name).read_text("utf-8").splitlines()
        decode = row_decoder(shape, lines[0].split(","))
        plain = [line.split(",") for line in lines[1:] if '"' not in line]
        assert len(plain) >= len(lines) - 2
        assert all(shape.check(decode(texts)) is None for texts in plain)


def test_due_dates_are_working_days(town: Path) -> None:
    rows = town.joinpath("charges.csv").read_text("utf-8").splitlines()
    place = rows[0].split(",").index("due_date")
    assert all(is_working_day(day(text)) for text in {row.split(",")[place] for row in rows[1:]})


@pytest.mark.parametrize("accounts", [0, ACCOUNTS_MIN - 1])
def test_too_small_a_town_is_refused(accounts: int) -> None:
    with pytest.raises(ValueError, match="accounts"):
        next(iter(list_residents(accounts, seed=1)))


@pytest.mark.parametrize(
    ("numerator", "denominator", "result"), [(0, 3, 0), (1, 2, 1), (1, 3, 0), (2, 3, 1), (5, 2, 3), (7, 7, 1)]
)
def test_charges_are_rounded_half_up(numerator: int, denominator: int, result: int) -> None:
    assert rounded(numerator, denominator) == result
