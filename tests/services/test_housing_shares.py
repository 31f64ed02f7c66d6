"""What the database itself refuses of the housing stock, and that shares are summed exactly on every day."""

from datetime import date
from fractions import Fraction
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.reference.faults import FaultyFile
from tests.services.desk import Desk
from tests.services.housing_town import SQL, Stock, one_line

ACCOUNTS = ("0001001", "0001002", "0001003")
DAYS = tuple(date(2026, month, 1) for month in range(1, 6))


@pytest.fixture
async def stock(desk: Desk) -> Stock:
    """Houses and premises without accounts."""
    await desk.load_town()
    loaded = Stock(desk=desk)
    await loaded.load_all()
    return loaded


async def by_hand(stock: Stock, statement: str, *values: Any) -> None:
    """Write a row past the loaders, with the services' own rights, and take it back."""
    async with stock.desk.undone():
        await stock.connection.execute(SQL[statement], *values)


async def test_the_database_refuses_by_constraints_of_its_own(stock: Stock) -> None:
    load = await stock.connection.fetchval(SQL["add_load"])
    facts = await stock.facts()
    flat, second, account = facts.premises[0].key, facts.premises[1].key, facts.premises[1].accounts[0].key
    refused = [
        ("add_area", (flat, load, 0), "premises_area_positive"),
        ("add_area", (10**6, load, 1), "premises_area_premises_known"),
        ("add_area", (flat, load - 1000, 1), "premises_area_load_fkey"),
        ("add_premises_terms", (flat, load, 1, ""), "room_has_flat"),
        ("add_premises_terms", (flat, load, 0, "3"), "room_has_flat"),
        ("add_premises_terms", (flat, load, 9, ""), "premises_kind"),
        ("add_account", (10**9, date(2026, 1, 1), load, second, 1, 1), "account_account_known"),
        ("add_account", (account, date(2026, 1, 1), load, second, 2, 1), "account_share"),
        ("add_account", (account, date(2026, 1, 1), load, flat, 1, 1000), "account_shares_at_most_one"),
        ("add_owner", (flat, "p-9", date(2030, 1, 1), load, 1, 1000), "owner_shares_at_most_one"),
        ("add_owner", (flat, "p-9", date(2030, 1, 1), load, 1, None), "owner_share"),
    ]
    for statement, values, constraint in refused:
        with pytest.raises(asyncpg.IntegrityConstraintViolationError) as caught:
            await by_hand(stock, statement, *values)
        assert caught.value.constraint_name == constraint, (statement, values)
    await by_hand(stock, "add_owner", flat, "p-1", date(2030, 1, 1), load, 1, 1000)
    await stock.connection.execute(SQL["add_area"], second, load, 41_000_000)
    with pytest.raises(asyncpg.UniqueViolationError):
        await by_hand(stock, "add_area", second, load, 42_000_000)


async def test_a_share_that_comes_back_is_counted(stock: Stock) -> None:
    there = {"namespace": "epd", "number": "0001003", "house": "01", "premises": "3a", "valid_from": "2026-03-01"}
    await stock.load("accounts", one_line("accounts", **there))
    full = {"namespace": "epd", "number": "0001002", "house": "01", "premises": "2", "valid_from": "2026-04-01", "share": "2/3"}
    await stock.load("accounts", one_line("accounts", **full))
    await stock.load("accounts", one_line("accounts", **there, state="withdrawn"))
    more = {**full, "valid_from": "2026-05-01", "share": "5/6"}
    with pytest.raises(FaultyFile, match="line 2, share: the accounts of the premises bear more than the whole"):
        await stock.load("accounts", one_line("accounts", **more))
    await stock.load("accounts", one_line("accounts", **there))
    await stock.load("accounts", one_line("accounts", **more))
    with pytest.raises(FaultyFile, match="more than the whole"):
        await stock.load("accounts", one_line("accounts", **there, state="withdrawn"))


async def test_thirds_sixths_and_sevenths_make_exactly_one(stock: Stock) -> None:
    lines = [("0001001", "1/3"), ("0001002", "1/6"), ("0001003", "1/2")]
    header = "namespace,number,house,premises,valid_from,share\n"
    await stock.load("accounts", header + "".join(f"epd,{number},01,3b,2026-01-01,{share}\n" for number, share in lines))
    beyond = header + "epd,0001003,01,3b,2026-02-01,500001/1000000\n"
    with pytest.raises(FaultyFile, match="more than the whole"):
        await stock.load("accounts", beyond)


rows = st.lists(
    st.tuples(
        st.sampled_from(ACCOUNTS),
        st.sampled_from(DAYS),
        st.sampled_from(("3a", "3b")),
        st.sampled_from((Fraction(1, 3), Fraction(1, 2), Fraction(2, 3), Fraction(1, 1))),
        st.sampled_from(("holds", "holds", "ended")),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda row: row[:2],
)


def overfull(drawn: list[tuple[str, date, str, Fraction, str]]) -> bool:
    """Whether on some day the accounts of a premises bear more than one, told by a plain walk through the days."""
    for day in DAYS:
        sums = {"3a": Fraction(0), "3b": Fraction(0)}
        for account in ACCOUNTS:
            known = [row for row in drawn if row[0] == account and row[1] <= day]
            if known and (newest := max(known, key=lambda row: row[1]))[4] == "holds":
                sums[newest[2]] += newest[3]
        if max(sums.values()) > 1:
            return True
    return False


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=rows)
async def test_shares_of_random_histories(stock: Stock, drawn: list[tuple[str, date, str, Fraction, str]]) -> None:
    header = "namespace,number,house,premises,valid_from,share,state\n"
    file = header + "".join(
        f"epd,{number},01,{premises},{day},{share.numerator}/{share.denominator},{state}\n"
        for number, day, premises, share, state in drawn
    )
    async with stock.desk.undone():
        refused = False
        try:
            await stock.load("accounts", file)
        except FaultyFile as error:
            assert "more than the whole" in str(error)
            refused = True
        assert refused == overfull(drawn)
