"""Rows of law on a real database: shipped, proposed, approved, replaced; what constraints and privileges refuse."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from ledger.statements import load_statements
from services.billing.core.law import Law
from services.billing.core.law_tables import LAW_TABLES
from services.billing.law.files import LawDraft, LawFileError, read_law_file, shipped_law
from services.billing.law.proposing import LawRefused, Shipped, approve, load_shipped, propose
from services.billing.law.reading import find_rule, list_in_force, list_waiting, read_law, rules_on
from tests.conftest import LedgerDatabase

SQL = load_statements("tests/statements/law.sql")
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
CAP_ENDS = date(2027, 1, 1)


@pytest.fixture
async def services(ledger_database: LedgerDatabase) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(ledger_database.services_dsn)
    yield connection
    await connection.close()


@pytest.fixture
async def owner(ledger_database: LedgerDatabase) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(ledger_database.owner_dsn)
    yield connection
    await connection.close()


def draft(table: str = "key_rate", day: date = date(2026, 12, 21), **more: Any) -> LawDraft:
    facts = {
        "key": "",
        "region": "",
        "ends": False,
        "figures": (("rate", 150_000),),
        "source": "Банк России, 18.12.2026",
        "certainty": "document",
        "note": "",
        "replaces": None,
    }
    return LawDraft(table=table, valid_from=day, **(facts | more))


async def number_at(services: Any, table: str, day: date) -> int:
    (found,) = [one.rule.rule for one in await list_in_force(services) if (one.rule.table, one.rule.valid_from) == (table, day)]
    return found


async def test_what_is_shipped_is_loaded_once_and_read_back(services: Any) -> None:
    first = await load_shipped(services, "0.1.0", NOW)
    assert (first.added, first.waiting) == (len(shipped_law().rules()), ())
    assert (await load_shipped(services, "0.1.0", NOW)).added == 0
    assert (await load_shipped(services, "0.2.0", NOW)).added == 0
    read, wanted = await read_law(services), shipped_law()
    assert plain(read) == plain(wanted)
    assert read.penalty_rate(date(2026, 11, 24)) == 95_000
    assert {(one.proposed_by, one.approved_by) for one in await list_in_force(services)} == {("kopeck 0.1.0", "release")}


def plain(law: Law) -> list[Any]:
    return [msgspec.structs.replace(rule, rule=0, figures=tuple(sorted(rule.figures))) for rule in law.rules()]


async def test_two_loaders_at_once_load_once(ledger_database: LedgerDatabase) -> None:
    connections = [await asyncpg.connect(ledger_database.services_dsn) for _ in range(2)]
    loaded = await asyncio.gather(*[load_shipped(connection, "0.1.0", NOW) for connection in connections])
    assert sorted(one.added for one in loaded) == [0, len(shipped_law().rules())]
    for connection in connections:
        await connection.close()


async def test_a_proposed_row_holds_nothing_until_a_second_person_approves_it(services: Any) -> None:
    await load_shipped(services, "0.1.0", NOW)
    (rule,) = await propose(services, [draft()], "Anna", NOW)
    assert (await read_law(services)).key_rate(date(2026, 12, 21)) == 140_000
    assert [one.rule.rule for one in await list_waiting(services)] == [rule]
    for own in ("Anna", "anna", " ANNA "):
        with pytest.raises(LawRefused, match="second person"):
            await approve(services, rule, own, NOW)
    assert await approve(services, rule, "Boris", NOW)
    assert not await approve(services, rule, "Boris", NOW)
    with pytest.raises(LawRefused, match="already approved by Boris"):
        await approve(services, rule, "Vera", NOW)
    law = await read_law(services)
    assert (law.key_rate(date(2026, 12, 20)), law.key_rate(date(2026, 12, 21))) == (140_000, 150_000)
    assert await list_waiting(services) == ()


async def test_a_slot_is_taken_once_and_corrected_by_naming_the_row(services: Any) -> None:
    await load_shipped(services, "0.1.0", NOW)
    again, ended = await propose(services, [draft(), draft(figures=(("rate", 145_000),))], "anna", NOW)
    assert await approve(services, again, "boris", NOW)
    with pytest.raises(LawRefused, match="propose one that replaces it"):
        await approve(services, ended, "boris", NOW)
    assert await list_waiting(services) == (), "an overtaken proposal waits for nobody"
    drafts = [draft(replaces=again, figures=(("rate", rate),)) for rate in (155_000, 160_000)]
    one, other = await propose(services, drafts, "anna", NOW)
    assert await approve(services, other, "vera", NOW)
    with pytest.raises(LawRefused, match="replaced by another one"):
        await approve(services, one, "vera", NOW)
    assert (await read_law(services)).key_rate(date(2026, 12, 21)) == 160_000
    kept = await find_rule(services, again)
    assert kept is not None and kept.approved_by == "boris", "what was replaced stays on record"


async def test_what_is_replaced_is_of_the_same_slot_and_approved(services: Any) -> None:
    await load_shipped(services, "0.1.0", NOW)
    cap = await number_at(services, "penalty_cap", CAP_ENDS)
    with pytest.raises(LawRefused, match="not of the same table"):
        await propose(services, [draft(replaces=cap)], "anna", NOW)
    (first,) = await propose(services, [draft()], "anna", NOW)
    (second,) = await propose(services, [draft(replaces=first)], "anna", NOW)
    with pytest.raises(LawRefused, match="not approved itself"):
        await approve(services, second, "boris", NOW)


async def test_a_file_is_proposed_whole_or_not_at_all(services: Any) -> None:
    await load_shipped(services, "0.1.0", NOW)
    before = await services.fetchval(SQL["count_rules"])
    with pytest.raises(LawRefused):
        await propose(services, [draft(), draft(replaces=1)], "anna", NOW)
    assert await services.fetchval(SQL["count_rules"]) == before


async def test_the_cap_is_extended_by_a_row_that_replaces_its_end(services: Any) -> None:
    await load_shipped(services, "0.1.0", NOW)
    cap = await number_at(services, "penalty_cap", CAP_ENDS)
    figures = (("rate", 95_000), ("is_fixed", 0))
    (rule,) = await propose(services, [draft("penalty_cap", CAP_ENDS, figures=figures, replaces=cap)], "anna", NOW)
    assert (await read_law(services)).penalty_rate(CAP_ENDS) == 140_000
    await approve(services, rule, "boris", NOW)
    for version in ("0.1.0", "0.2.0"):
        assert await load_shipped(services, version, NOW) == Shipped(added=0, waiting=()), "a release does not argue"
    assert (await read_law(services)).penalty_rate(CAP_ENDS) == 95_000


async def test_a_regions_row_comes_before_the_federal_one_until_it_ends(services: Any) -> None:
    await load_shipped(services, "0.1.0", NOW)
    march = date(2026, 3, 1)
    own = draft("due_day", march, region="02", figures=(("issue_day", 1), ("pay_day", 10)))
    end = draft("due_day", date(2026, 4, 1), region="02", ends=True, figures=())
    for rule in await propose(services, [own, end], "anna", NOW):
        await approve(services, rule, "boris", NOW)
    law = await read_law(services)
    assert law.due_date(202602) == date(2026, 3, 16)
    assert law.in_region("02").due_date(202602) == date(2026, 3, 10)
    assert law.in_region("02").due_date(202603) == law.due_date(202603) == date(2026, 4, 15)
    assert law.in_region("77").due_date(202602) == date(2026, 3, 16)
    on = {(one.rule.table, one.rule.region) for one in rules_on(await list_in_force(services), date(2026, 4, 2))}
    assert ("due_day", "") in on and ("due_day", "02") not in on


async def test_a_release_replaces_its_own_rows_and_waits_for_people(services: Any, tmp_path: Path) -> None:
    await load_shipped(services, "0.1.0", NOW)
    july = date(2026, 7, 27)
    (ours,) = await propose(services, [draft()], "anna", NOW)
    await approve(services, ours, "boris", NOW)
    newer = tmp_path / "law.toml"
    row = '[[rule]]\ntable = "key_rate"\nvalid_from = {}\nfigures = {{ rate = "{}" }}\nsource = "s"\ncertainty = "H"\n'
    newer.write_text(row.format(july, "13.5%") + row.format("2026-12-21", "16%"), "utf-8")
    loaded = await load_shipped(services, "0.2.0", NOW, newer)
    law = await read_law(services)
    assert (loaded.added, len(loaded.waiting)) == (1, 1)
    assert (law.key_rate(july), law.key_rate(date(2026, 12, 21))) == (135_000, 150_000)
    assert (await load_shipped(services, "0.2.0", NOW, newer)) == msgspec.structs.replace(loaded, added=0, waiting=())
    assert await approve(services, loaded.waiting[0], "boris", NOW)
    assert (await read_law(services)).key_rate(date(2026, 12, 21)) == 160_000


@pytest.mark.parametrize("name", ["", "   ", "a" * 129, "a\nb", "release", "Kopeck 9.9"])
async def test_names_of_nobody_and_of_releases_are_refused(services: Any, name: str) -> None:
    with pytest.raises(LawRefused):
        await propose(services, [draft()], name, NOW)
    (rule,) = await propose(services, [draft()], "anna", NOW)
    with pytest.raises(LawRefused):
        await approve(services, rule, name, NOW)
    with pytest.raises(LawRefused, match="no row 999"):
        await approve(services, 999, "boris", NOW)


async def proposed(connection: Any, table: str = "key_rate", key: str = "", **more: Any) -> int:
    facts = more.get("region", ""), more.get("ends", False), more.get("figures", '{"rate": 1}')
    return int(await connection.fetchval(SQL["propose"], table, key, *facts))


@pytest.mark.parametrize(
    ("constraint", "more"),
    [
        ("rule_figures", {"figures": "{}"}),
        ("rule_figures", {"figures": '{"rate": 1, "ratio": 1}'}),
        ("rule_figures", {"figures": '{"ratio": 1}'}),
        ("rule_figures", {"figures": '{"rate": 1000001}'}),
        ("rule_figures", {"figures": '{"rate": -1}'}),
        ("rule_figures", {"figures": '{"rate": 1.5}'}),
        ("rule_figures", {"figures": '{"rate": "1"}'}),
        ("rule_figures", {"figures": '{"rate": null}'}),
        ("rule_figures", {"figures": "[]"}),
        ("rule_figures", {"ends": True}),
        ("rule_key_known", {"key": "other"}),
        ("rule_key_known", {"table": "coefficient", "key": "gas", "figures": '{"ratio": 1500000}'}),
        ("rule_key_known", {"table": "moratorium", "figures": '{"is_on": 1, "is_old_debts_only": 0}'}),
        ("rule_region", {"region": "RU"}),
    ],
)
async def test_the_database_refuses_rows_of_no_shape(services: Any, constraint: str, more: dict[str, Any]) -> None:
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await proposed(services, **more)
    assert refused.value.constraint_name == constraint


async def test_nobody_inserts_an_approved_row_changes_or_removes_one(services: Any, owner: Any) -> None:
    rule = await proposed(services)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await services.execute(SQL["insert_approved"])
    with pytest.raises(asyncpg.CheckViolationError, match="rule_second_person"):
        await services.execute(SQL["approve_as_proposer"], rule)
    for name in ("change_figures", "delete"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await services.execute(SQL[name], rule)
    await services.execute(SQL["approve"], rule, "boris")
    for name in ("unapprove", "approve_as_proposer"):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="never changes"):
            await services.execute(SQL[name], rule)
    # Not even the owner of the tables, by way of statements.
    waiting = await proposed(owner)
    for name in ("change_figures", "delete"):
        for one in (rule, waiting):
            with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="never"):
                await owner.execute(SQL[name], one)
    for statement in ("truncate", "insert_approved"):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await owner.execute(SQL[statement])


async def test_the_services_do_not_widen_bounds_and_others_do_not_write(services: Any, ledger_database: LedgerDatabase) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await services.execute(SQL["widen"])
    for dsn in (ledger_database.reader_dsn, ledger_database.gateway_dsn):
        connection = await asyncpg.connect(dsn)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await proposed(connection)
        await connection.close()


async def test_program_and_database_know_the_same_tables(services: Any) -> None:
    told = [tuple(row) for row in await services.fetch(SQL["registry"])]
    known = [
        (table.name, None if table.keys is None else list(table.keys), figure.name, figure.lowest, figure.highest)
        for table in LAW_TABLES.values()
        for figure in table.figures
    ]
    assert told == sorted(known, key=lambda row: (row[0], row[2]))


GOOD = 'table = "key_rate"\nvalid_from = 2026-12-21\nfigures = { rate = "15%" }\nsource = "s"\ncertainty = "H"\n'


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        (("15%", "15,5%"), "rate: '15,5%' is no ratio"),
        (('"15%"', "15"), "rate: 15 is no ratio"),
        (("15%", "101%"), "within its bounds"),
        (("15%", "0.00001%"), "is no ratio"),
        (("rate =", "ratio ="), "figures: key_rate has exactly rate, not ratio"),
        (('"key_rate"', '"rates"'), "table: 'rates' is none of"),
        (('"H"', '"sure"'), "certainty: 'sure' is none of H, M, L, document"),
        (('"s"', '" "'), "source: say where"),
        (("2026-12-21", "2026-13-21"), "law.toml"),
        (("source", "sauce"), "unknown field"),
        (("source", 'region = "Moscow"\nsource'), "region: 'Moscow' is not two digits"),
        (("source", 'key = "usual"\nsource'), "key: 'usual' is none of"),
        (("source", "ends = true\nsource"), "figures: key_rate has none, as the row ends, not rate"),
    ],
)
def test_a_faulty_file_is_told_by_row_and_field(tmp_path: Path, changed: tuple[str, str], fault: str) -> None:
    path = tmp_path / "law.toml"
    path.write_text("[[rule]]\n" + GOOD, "utf-8")
    assert read_law_file(path)[0].figures == (("rate", 150_000),)
    path.write_text("[[rule]]\n" + GOOD + "[[rule]]\n" + GOOD.replace(*changed), "utf-8")
    with pytest.raises(LawFileError) as refused:
        read_law_file(path)
    assert fault in str(refused.value)
