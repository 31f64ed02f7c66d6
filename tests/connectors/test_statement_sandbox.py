"""Statements that the sandbox writes are read back whole, by us and by another reader, and refused when money is lost."""

import importlib
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings

from connectors.sandbox.statements import NONE, READABLE, StatementFault, StatementPlan, write_1c, write_camt053
from connectors.statements.believing import read_any
from schemas.statement import StatementKind, StatementUnbelieved
from tests.connectors.statement_plans import ACCOUNT, COVER, NOW, OTHER_ACCOUNT, PLAN, plain, plans, without_ids

WRITERS = {
    "1c": write_1c,
    "camt.053.001.02": lambda plan, faults=NONE: write_camt053(plan, faults, version="02"),
    "camt.053.001.05": write_camt053,
    "camt.053.001.08": lambda plan, faults=NONE: write_camt053(plan, faults, version="08"),
}


@pytest.mark.parametrize("name", WRITERS)
def test_what_is_written_is_read(name: str) -> None:
    read = read_any(WRITERS[name](PLAN), ACCOUNT, NOW)
    assert without_ids(read) == tuple(plain(one) for one in PLAN.entries)
    assert (read.kind, read.since, read.until) == (StatementKind.FINAL, PLAN.since, PLAN.until)
    assert (read.opening_kopecks, read.credited_kopecks, read.debited_kopecks, read.closing_kopecks) == (
        7,
        120_050,
        35_000,
        85_057,
    )
    assert name.startswith(read.source) and not read.filtered


@pytest.mark.parametrize("name", WRITERS)
@given(plan=plans)
@settings(max_examples=60, deadline=None)
def test_any_plan_comes_back(name: str, plan: StatementPlan) -> None:
    read = read_any(WRITERS[name](plan), ACCOUNT, NOW)
    assert without_ids(read) == tuple(plain(one) for one in plan.entries)
    assert (read.opening_kopecks, read.closing_kopecks) == (plan.opening_kopecks, plan.closing_kopecks)
    assert len({one.bank_id for one in read.entries}) == len(plan.entries)


@given(plan=plans)
@settings(max_examples=40, deadline=None)
def test_another_reader_reads_the_same_out_of_our_1c_file(plan: StatementPlan) -> None:
    # The oracle believes a file that begins with LF only, reads cp1251 only and stops at what is no word (protocols.md §5).
    load = importlib.import_module("client_bank_1c").load
    told = load(write_1c(plan, frozenset({StatementFault.LINE_FEEDS})))
    assert told.info["РасчСчет"] == [ACCOUNT] and len(told.documents) == len(plan.entries)
    for document, entry in zip(told.documents, plan.entries, strict=True):
        own, other = ("Получатель", "Плательщик") if entry.is_credit else ("Плательщик", "Получатель")
        assert (document[f"{own}Счет"], document[f"{other}Счет"]) == (ACCOUNT, entry.counterparty.account)
        assert document["Сумма"] * 100 == entry.amount_kopecks and document["Номер"] == entry.number
        assert document["НазначениеПлатежа"] == entry.purpose and document[f"{other}1"] == entry.counterparty.name
    assert told.accounts[0]["НачальныйОстаток"] * 100 == plan.opening_kopecks
    assert told.accounts[-1]["КонечныйОстаток"] * 100 == plan.closing_kopecks


@pytest.mark.parametrize("fault", sorted(READABLE))
@pytest.mark.parametrize("name", WRITERS)
def test_a_fault_that_loses_nothing_is_read_through(name: str, fault: StatementFault) -> None:
    if fault is StatementFault.FILTERED and name != "1c":
        with pytest.raises(StatementUnbelieved, match="the lines make"):
            read_any(WRITERS[name](PLAN, frozenset({fault})), ACCOUNT, NOW)
        return
    read = read_any(WRITERS[name](PLAN, frozenset({fault})), ACCOUNT, NOW)
    assert read.filtered == (fault is StatementFault.FILTERED)
    assert len(read.entries) == (1 if read.filtered else 2) and read.closing_kopecks == PLAN.closing_kopecks


@pytest.mark.parametrize("fault", sorted(set(StatementFault) - READABLE))
@pytest.mark.parametrize("name", WRITERS)
def test_a_fault_that_loses_money_is_not_believed(name: str, fault: StatementFault) -> None:
    with pytest.raises(StatementUnbelieved) as refused:
        read_any(WRITERS[name](PLAN, frozenset({fault})), ACCOUNT, NOW)
    assert not re.search("Иванов|Тверская|реестр", str(refused.value))


def test_ids_are_the_same_in_every_reading_and_tell_equal_lines_apart() -> None:
    twice = msgspec.structs.replace(PLAN, entries=(COVER, COVER, *PLAN.entries[1:]))
    first = read_any(write_1c(twice), ACCOUNT, NOW)
    again = read_any(write_1c(twice, frozenset({StatementFault.WRONG_ENCODING, StatementFault.LINE_FEEDS})), ACCOUNT, NOW)
    assert [one.bank_id for one in first.entries] == [one.bank_id for one in again.entries]
    assert len({one.bank_id for one in first.entries}) == 3
    intraday = msgspec.structs.replace(twice, entries=(COVER, COVER), until=twice.since)
    assert [one.bank_id for one in read_any(write_1c(intraday), ACCOUNT, NOW).entries] == [
        one.bank_id for one in first.entries[:2]
    ]


@pytest.mark.parametrize("write", [write_1c, write_camt053])
def test_a_day_that_is_not_over_is_intraday(write: Callable[[StatementPlan], bytes]) -> None:
    midnight = datetime(2026, 11, 24, 20, 59, tzinfo=UTC)
    assert read_any(write(PLAN), ACCOUNT, midnight).kind is StatementKind.INTRADAY
    assert read_any(write(PLAN), ACCOUNT, midnight + timedelta(minutes=1)).kind is StatementKind.FINAL


def test_a_1c_file_made_within_its_day_stays_intraday() -> None:
    early = msgspec.structs.replace(PLAN, made_on=PLAN.until)
    assert read_any(write_1c(early), ACCOUNT, NOW).kind is StatementKind.INTRADAY


@pytest.mark.parametrize("name", WRITERS)
def test_another_account_s_file_is_refused(name: str) -> None:
    with pytest.raises(StatementUnbelieved, match="not of this account"):
        read_any(WRITERS[name](PLAN), OTHER_ACCOUNT, NOW)


@pytest.mark.parametrize("body", [b"", b"PK\x03\x04", b"\xff\xfe", b"date;sum\n", b"[]"])
def test_a_file_of_no_known_format_is_refused(body: bytes) -> None:
    with pytest.raises(StatementUnbelieved, match="neither 1CClientBankExchange"):
        read_any(body, ACCOUNT, NOW)
