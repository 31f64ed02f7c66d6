"""The demo town: drawn from a seed, with requisites that the real checks accept and documents that add up."""

import csv
from pathlib import Path

import pytest

from kopeck.demo.billed import BilledTown, write_billed_town
from kopeck.demo.recipients import BANK_BIC, OPERATOR, TRANSIT_ACCOUNT, list_recipients
from kopeck.demo.requisites import account_with_key, inn_with_check
from kopeck.demo.tariffs import rounded
from kopeck.demo.town import ACCOUNTS_MIN, PERIODS, list_residents, printed_totals
from services.billing.readings.fields import FACT_KINDS
from services.billing.stock.files import KINDS
from services.calendar import is_working_day
from services.reference.load_charges import charges_shape
from services.reference.load_recipients import RECIPIENTS
from services.reference.rows import day, row_decoder
from services.requisites import account_key_is_valid, inn_is_valid

ACCOUNTS = 1_000
"""As many as a new town of ``kopeck run`` has."""


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> BilledTown:
    return write_billed_town(tmp_path_factory.mktemp("town"), ACCOUNTS, seed=1)


def files_of(town: BilledTown) -> dict[str, bytes]:
    """Every file of a town by its name."""
    folder = town.town.accounts.parent
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.csv"))}


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_same_seed_gives_the_same_town(town: BilledTown, tmp_path: Path) -> None:
    again = files_of(write_billed_town(tmp_path, ACCOUNTS, seed=1))
    assert again == files_of(town)
    assert len(again) == 5 + len(PERIODS) + len(town.stock) + len(town.meters.facts) + 1 + 2 * len(PERIODS)


def test_another_seed_gives_another_town(town: BilledTown, tmp_path: Path) -> None:
    one, other = files_of(town), files_of(write_billed_town(tmp_path, ACCOUNTS, seed=2))
    same = {name for name in one if one[name] == other[name]}
    assert "recipients.csv" in same and "housing/services.csv" in same
    assert {"debts.csv", "accounts.csv", "housing/premises.csv", "readings/readings-2026-08.csv"}.isdisjoint(same)


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
    assert all(charge.amount > 0 and 0 <= charge.paid <= charge.amount for charge in charges)
    assert max(charge.period for charge in charges) < PERIODS[0], "what came after is billed by the town itself"


def test_everybody_but_the_operator_is_paid(town: BilledTown) -> None:
    paid = {row["recipient"] for row in rows_of(town.stock["contracts"])}
    paid |= {row["recipient"] for path in town.town.insurance.values() for row in rows_of(path)}
    assert {recipient.code for recipient in list_recipients()} - paid == {OPERATOR}


def test_a_document_prints_what_is_unpaid() -> None:
    for resident in list_residents(ACCOUNTS, seed=1):
        totals = printed_totals(resident.charges)
        for (_, pool), total in totals.items():
            owed = [one for one in resident.charges if one.pool == pool and one.kind == "principal"]
            assert total == sum(one.amount for one in owed) - sum(one.paid for one in owed)


def test_every_open_account_has_premises_of_its_own(town: BilledTown) -> None:
    """A former owner's account is that of premises that somebody else is charged for."""
    residents = list(list_residents(ACCOUNTS, seed=1))
    housed = {(one.house.code, one.premises) for one in residents if one.account.state == "open"}
    assert all((one.house.code, one.premises) in housed for one in residents)
    accounts = rows_of(town.stock["accounts"])
    assert [row["number"] for row in accounts] == [one.account.number for one in residents if one.account.state == "open"]
    assert {(row["house"], row["premises"]) for row in accounts} == housed and len(accounts) == len(housed)


def test_readings_are_missing_late_and_wrong(town: BilledTown) -> None:
    meters = {row["meter"] for row in rows_of(town.meters.facts["meters"])}
    broken = {row["meter"] for row in rows_of(town.meters.facts["events"])}
    assert broken and broken < meters
    for period, path in town.meters.readings.items():
        readings = rows_of(path)
        read = {row["meter"] for row in readings}
        expected = meters if period == PERIODS[0] else meters - broken
        assert read < expected and len(read) > 0.9 * len(expected)
        late = [row for row in readings if row["received_on"] > row["taken_on"]]
        assert 0 < len(late) < 0.1 * len(readings)


def test_every_row_is_in_the_loader_s_columns(town: BilledTown) -> None:
    numbers = {recipient.code: number for number, recipient in enumerate(list_recipients(), start=1)}
    charges = charges_shape(numbers)
    shapes = {town.town.recipients: RECIPIENTS, town.town.debts: charges} | {
        path: charges for path in town.town.insurance.values()
    }
    for path, shape in shapes.items():
        rows = list(csv.reader(path.read_text("utf-8").splitlines()))
        decode = row_decoder(shape, rows[0])
        assert len(rows) > 1 and all(shape.check(decode(texts)) is None for texts in rows[1:])
    assert list(town.stock) == [kind for kind in KINDS if kind in town.stock]
    assert list(town.meters.facts) == [kind for kind in FACT_KINDS if kind in town.meters.facts]


def test_due_dates_are_working_days(town: BilledTown) -> None:
    days = {row["due_date"] for path in (town.town.debts, *town.town.insurance.values()) for row in rows_of(path)}
    assert len(days) >= 6 and all(is_working_day(day(text)) for text in days)


@pytest.mark.parametrize("accounts", [0, ACCOUNTS_MIN - 1])
def test_too_small_a_town_is_refused(accounts: int) -> None:
    with pytest.raises(ValueError, match="accounts"):
        next(iter(list_residents(accounts, seed=1)))


@pytest.mark.parametrize(
    ("numerator", "denominator", "result"), [(0, 3, 0), (1, 2, 1), (1, 3, 0), (2, 3, 1), (5, 2, 3), (7, 7, 1)]
)
def test_charges_are_rounded_half_up(numerator: int, denominator: int, result: int) -> None:
    assert rounded(numerator, denominator) == result
