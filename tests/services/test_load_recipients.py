"""Recipients from files, and the second person without whom requisites pay nothing."""

from datetime import UTC, datetime

import asyncpg
import msgspec
import pytest

from services.reference.approve import ApprovalRefused, approve_requisites, list_waiting
from services.reference.faults import FaultyFile
from tests.services.desk import ACCOUNTS, RECIPIENTS, SQL, TERMS, Desk, as_csv, as_json_lines

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
GOOD: dict[str, object] = {
    "code": "gas",
    "kind": "supplier",
    "name": "АО «Газ»",
    "inn": "7707083893",
    "kpp": "770801001",
    "bank_account": "40702810200000000001",
    "bic": "044525225",
    "kbk": "",
    "oktmo": "",
    "valid_from": "2026-01-01",
    "advance_rule": "",
    "per_service_payment": "",
    "costs_first": "",
}
BAD_ROWS = [
    ({"code": ""}, "code", "is required"),
    ({"kind": "bank"}, "kind", "expected one of: management"),
    ({"inn": "7707083894"}, "inn", "'7707083894' is not a valid ИНН"),
    ({"inn": "7" * 10_000}, "inn", "is not a valid ИНН"),
    ({"kpp": "7708010"}, "kpp", "is not a valid КПП"),
    ({"kpp": ""}, "kpp", "is required with the ИНН of an organisation"),
    ({"inn": "500100732259"}, "kpp", "must be empty with the ИНН of a person"),
    ({"bank_account": "40702810300000000001"}, "bank_account", "does not fit BIC 044525225"),
    ({"bank_account": "40702810200000000001\x00"}, "bank_account", "is 21 characters long"),
    ({"bank_account": "4070281020000000000\x00"}, "bank_account", "control character"),
    ({"bank_account": "40702840500000000001"}, "bank_account", "does not fit|is not in roubles"),
    ({"bic": "144525593"}, "bic", "is not a valid БИК"),
    ({"kind": "budget", "oktmo": "45382000"}, "kbk", "is required for a budget payee"),
    ({"kind": "budget", "kbk": "90111109044040000120"}, "oktmo", "is required for a budget payee"),
    ({"kbk": "1"}, "kbk", "КБК of 20 digits"),
    ({"oktmo": "453820001"}, "oktmo", "ОКТМО of 8 or 11 digits"),
    ({"valid_from": "01.01.2026"}, "valid_from", "expected a date"),
    ({"advance_rule": "keep"}, "advance_rule", "expected one of: refuse, to_line, by_weights"),
    ({"costs_first": "yes"}, "costs_first", "expected one of: true, false"),
    ({"name": "А\x00"}, "name", "control character"),
]


async def test_bad_rows_are_named_by_line_and_field(desk: Desk) -> None:
    lines = [GOOD, *({**GOOD, "code": f"r{place}", **given} for place, (given, _, _) in enumerate(BAD_ROWS))]
    with pytest.raises(FaultyFile) as caught:
        await desk.load("recipients", as_csv(lines))
    faults = caught.value.faults
    assert len(faults) == len(BAD_ROWS)
    for line, (fault, (_, field, message)) in enumerate(zip(faults, BAD_ROWS, strict=True), 3):
        assert (fault.line, fault.field) == (line, field)
        assert any(part in fault.message for part in message.split("|")), fault.message
    assert await desk.read("recipients") == []


async def test_repeats_and_another_inn(desk: Desk) -> None:
    await desk.load("recipients", RECIPIENTS)
    person = {**GOOD, "code": "heat", "inn": "500100732259", "kpp": ""}
    with pytest.raises(FaultyFile) as caught:
        await desk.load("recipients", as_csv([GOOD, person, GOOD]))
    assert [str(fault) for fault in caught.value.faults] == [
        "line 3, inn: is 7707083893 in the register: another ИНН is another recipient",
        "line 4, code: repeats line 2",
    ]


async def test_loading_twice_changes_nothing(desk: Desk) -> None:
    first = await desk.load("recipients", RECIPIENTS)
    assert (first.rows, first.added, first.changed) == (5, 5, 0)
    before = await desk.everything()
    assert (await desk.load("recipients", RECIPIENTS)).already_loaded
    again = await desk.load("recipients", RECIPIENTS + "\n\n")
    assert (again.already_loaded, again.unchanged) == (False, 5)
    assert await desk.everything() == before


async def test_json_lines_equal_csv(desk: Desk) -> None:
    await desk.load("recipients", as_csv([GOOD]))
    report = await desk.load("recipients", as_json_lines([{**GOOD, "kbk": None, "costs_first": False}]), name="r.jsonl")
    assert (report.unchanged, report.added, report.changed) == (1, 0, 0)


async def test_new_requisites_are_a_version_that_waits(desk: Desk) -> None:
    await desk.load("recipients", as_csv([GOOD]))
    moved = {**GOOD, "bank_account": "40911810101850000000", "bic": "044525593"}
    report = await desk.load("recipients", as_csv([moved]), terms=msgspec.structs.replace(TERMS, loaded_by="other"))
    assert (report.changed, report.warnings_count) == (1, 1)
    assert str(report.warnings[0]) == "line 2, bank_account: version 2 of gas pays nothing until a second person approves it"
    assert await desk.read("requisites") == [
        ("gas", 1, "40702810200000000001", "loader", None),
        ("gas", 2, "40911810101850000000", "other", None),
    ]
    back = await desk.load("recipients", as_csv([GOOD]))
    assert (back.changed, len(await desk.read("requisites"))) == (1, 3), "the former file again is a change again"


async def test_a_second_person_approves(desk: Desk) -> None:
    await desk.load("recipients", as_csv([GOOD]))
    for name in ("loader", " Loader ", "", "a\x00"):
        with pytest.raises(ApprovalRefused):
            await approve_requisites(desk.connection, "gas", 1, name, NOW)
    with pytest.raises(ApprovalRefused, match="no version 2"):
        await approve_requisites(desk.connection, "gas", 2, "second", NOW)
    assert [waiting.code for waiting in await list_waiting(desk.connection)] == ["gas"]
    assert await approve_requisites(desk.connection, "gas", 1, "second", NOW) is True
    assert await approve_requisites(desk.connection, "gas", 1, "second", NOW) is False
    with pytest.raises(ApprovalRefused, match="already approved by second"):
        await approve_requisites(desk.connection, "gas", 1, "third", NOW)
    assert await list_waiting(desk.connection) == ()


async def test_the_database_refuses_too(desk: Desk) -> None:
    await desk.load("recipients", as_csv([GOOD]))
    with pytest.raises(asyncpg.CheckViolationError) as caught:
        await desk.connection.execute(SQL["approve_own"])
    assert caught.value.constraint_name == "requisites_second_person"
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await desk.connection.execute(SQL["move_money"])


async def test_contract_options_make_tables_due(desk: Desk) -> None:
    await desk.load("recipients", RECIPIENTS)
    await desk.load("accounts", ACCOUNTS)
    await desk.connection.execute(SQL["clear_due"])
    await desk.load("recipients", RECIPIENTS.replace("АО «Тепло»", "АО «Тепло и свет»"))
    assert await desk.read("due") == []
    await desk.load("recipients", RECIPIENTS.replace("to_line", "by_weights"))
    assert len(await desk.read("due")) == 3
    await desk.load("recipients", RECIPIENTS.replace("to_line", ""))
    assert ("uk", 2) in [(row[0], row[5]) for row in await desk.read("recipients")], "an empty option stays as it was"
