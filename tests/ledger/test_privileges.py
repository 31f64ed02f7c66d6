"""Append-only is a privilege: what each role's own password cannot do (design W7)."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from ledger.statements import load_statements
from tests.ledger.small_ledger import DAY, RECORDED, SQL, SmallLedger, offer, statuses

ATTACKS = load_statements("tests/statements/attacks.sql")
DENIED = (asyncpg.InsufficientPrivilegeError,)
EVERYBODY_FAILS = (
    "journal_insert",
    "journal_update",
    "journal_delete",
    "journal_lock",
    "journal_row_lock",
    "head_row_lock",
    "head_move",
    "key_forget",
    "day_reopen",
    "day_remove",
    "cut_forge",
    "incarnation_change",
    "trigger_add",
    "rule_add",
    "index_add",
    "constraint_drop",
    "trigger_disable",
    "owner_take",
    "schema_create",
    "table_create",
    "table_create_public",
    "function_create",
    "function_replace",
    "function_alter",
    "function_drop",
    "role_door",
    "role_owner",
    "session_role",
    "replica_role",
    "file_read",
    "program_run",
    "park_resolved",
    "unpark",
    "first_day_again",
)
ROLE_FAILS = {
    "gateway": ("role_services", "day_close", "resolve"),
    "services": (),
    "reader": ("role_services", "day_close", "resolve", "publish_nothing", "append_nothing"),
}
FIRST_DAYS = ("services", "ledger.bank_day")
"""The only role and table whose rows may be inserted whole: a new transit account's first day."""


@pytest.fixture(params=("gateway", "services", "reader"))
async def intruder(request: pytest.FixtureRequest, ledger: SmallLedger) -> AsyncIterator[tuple[str, Any]]:
    """A connection with the role's own password."""
    connection = await asyncpg.connect(getattr(ledger.database, f"{request.param}_dsn"))
    yield request.param, connection
    connection.terminate()


async def test_every_attack_is_denied(intruder: tuple[str, Any], ledger: SmallLedger) -> None:
    await ledger.offer(offer("a", 1, 1))
    role, connection = intruder
    passed = [name for name in (*EVERYBODY_FAILS, *ROLE_FAILS[role]) if not await _is_denied(connection, ATTACKS[name])]
    assert passed == []
    assert len(await ledger.journal()) == 1


async def test_no_table_is_open_to_writing(intruder: tuple[str, Any], ledger: SmallLedger) -> None:
    role, connection = intruder
    tables = [row["name"] for row in await ledger.owner.fetch(ATTACKS["tables"])]
    assert {"ledger.journal", "ledger.payment_key", "ledger.account_head", "ledger.base_table"} < set(tables)
    passed = []
    for table in tables:
        for verb in ("truncate", "drop", "delete", "alter", "insert"):
            statement = await ledger.owner.fetchval(ATTACKS[verb], table)
            if not await _is_denied(connection, statement) and not (verb == "insert" and (role, table) == FIRST_DAYS):
                passed.append(statement)
        for (statement,) in await ledger.owner.fetch(ATTACKS["update"], table):
            if not await _is_denied(connection, statement) and not _resolves(role, statement):
                passed.append(statement)
    assert passed == []


OPEN_COLUMNS = (" intake.parked SET resolved_", " intake.register SET booked_at", " intake.register_line SET sealed")
"""What the services may change beside the ledger: a case is resolved, a register is booked to its end, a payer is erased."""


def _resolves(role: str, statement: str) -> bool:
    return role == "services" and any(one in statement for one in OPEN_COLUMNS)


async def _is_denied(connection: Any, statement: str) -> bool:
    """Whether the statement fails for want of privilege; it is undone when it does not."""
    attempt = connection.transaction()
    await attempt.start()
    try:
        await connection.execute(statement)
    except DENIED:
        return True
    except asyncpg.PostgresError:
        return False
    finally:
        await attempt.rollback()
    return False


async def test_a_grant_to_oneself_gives_nothing(intruder: tuple[str, Any]) -> None:
    _, connection = intruder
    assert await _is_denied(connection, ATTACKS["grant_self"]) or await _is_denied(connection, ATTACKS["journal_update"])


async def test_reading_is_all_a_reader_can(ledger: SmallLedger) -> None:
    await ledger.offer(offer("a", 1, 1))
    reader = await asyncpg.connect(ledger.database.reader_dsn)
    try:
        assert len(await reader.fetch(ATTACKS["tables"])) > 0
        assert len(await reader.fetch(SQL["journal"], 1)) == 1
    finally:
        reader.terminate()


async def test_temporary_objects_do_not_stand_in_the_doors_way(ledger: SmallLedger) -> None:
    await ledger.gateway.execute(ATTACKS["shadow"])
    await ledger.gateway.execute(ATTACKS["shadow_path"])
    answers = await ledger.offer(offer("a", 1, 1), offer("s"))
    assert statuses(answers) == [RECORDED, RECORDED]
    with pytest.raises(asyncpg.CheckViolationError) as caught:
        await ledger.offer(offer("b", 1, 2, amounts=(300, -299, -2)))
    assert caught.value.constraint_name == "entry_balanced"
    with pytest.raises(asyncpg.CheckViolationError):
        await ledger.offer(offer("c", 1, 2, accounts=(1, 2), lines=(0, 0)))
    assert await ledger.gateway.fetchval(ATTACKS["shadowed"]) == 0
    rows = await ledger.journal()
    assert [(row["external_id"], row["bank_day"]) for row in rows] == [("a", DAY), ("s", DAY)]


async def test_the_door_owns_functions_and_nothing_else(ledger: SmallLedger) -> None:
    door = await ledger.owner.fetchrow(ATTACKS["door_role"])
    assert dict(door) == {
        "rolcanlogin": False,
        "rolsuper": False,
        "rolcreaterole": False,
        "rolcreatedb": False,
        "rolbypassrls": False,
        "relations": 0,
        "schemas": 0,
        "creates": False,
        "functions": ["append", "close_bank_day", "note_late_line", "note_late_statement", "publish"],
    }
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await asyncpg.connect(ledger.database.gateway_dsn, user="kopeck_door", password="anything")


async def test_nothing_is_left_to_everybody(ledger: SmallLedger) -> None:
    assert await ledger.owner.fetch(ATTACKS["public_functions"]) == []
    assert await ledger.owner.fetch(ATTACKS["memberships"]) == []
    doors = {row["name"]: row["settings"] for row in await ledger.owner.fetch(ATTACKS["doors"])}
    assert set(doors) == {"append", "close_bank_day", "publish"}
    assert all("search_path=ledger, pg_temp" in settings for settings in doors.values())


async def test_a_first_day_must_be_a_day_that_can_be_closed(ledger: SmallLedger) -> None:
    for transit, day in ((7, "infinity"), (7, "-infinity"), (0, "2026-11-24"), (70_000, "2026-11-24")):
        with pytest.raises(asyncpg.CheckViolationError):
            await ledger.services.execute(ATTACKS["first_day"], transit, day)
    with pytest.raises(asyncpg.UniqueViolationError):
        await ledger.services.execute(ATTACKS["first_day"], 1, "2000-01-01")
    await ledger.services.execute(ATTACKS["first_day"], 7, "2026-11-24")
    assert statuses(await ledger.offer(offer("a", 1, 1, transit=7))) == [RECORDED]
