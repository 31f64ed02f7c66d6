"""Reading the law: rows of the database into the pure ``Law`` that a calculation goes by."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements
from services.billing.core.law import Law, LawRule, law_of

SQL = load_statements("services/billing/law/rules.sql")


class StoredRule(msgspec.Struct, frozen=True, kw_only=True):
    """A row with who proposed and approved it; ``replaces`` is the number of the row in whose place it stands."""

    rule: LawRule
    replaces: int | None
    proposed_by: str
    proposed_at: datetime
    approved_by: str | None
    approved_at: datetime | None


async def read_law(connection: Connection) -> Law:
    """Read every row in force, as all of Russia sees them: ``Law.in_region`` chooses another view."""
    return law_of([stored.rule for stored in await list_in_force(connection)])


async def list_in_force(connection: Connection) -> tuple[StoredRule, ...]:
    """Rows that are approved and not replaced, by table, key, region and day."""
    return _stored(await connection.fetch(SQL["list_in_force"]))


async def list_waiting(connection: Connection) -> tuple[StoredRule, ...]:
    """Rows that wait for a second person, by number; those that have been overtaken are left out."""
    return _stored(await connection.fetch(SQL["list_waiting"]))


async def find_rule(connection: Connection, rule: int) -> StoredRule | None:
    """One row by its number."""
    found = _stored(await connection.fetch(SQL["find_rule"], rule))
    return found[0] if found else None


def rules_on(stored: Sequence[StoredRule], day: date) -> tuple[StoredRule, ...]:
    """Of rows in force, those whose step the day falls into; a row that ends is none."""
    last: dict[tuple[str, str, str], StoredRule] = {}
    for one in stored:
        if one.rule.valid_from <= day:
            place = (one.rule.table, one.rule.key, one.rule.region)
            last[place] = max(last.get(place, one), one, key=lambda each: each.rule.valid_from)
    return tuple([one for one in last.values() if not one.rule.ends])


def _stored(records: Sequence[Any]) -> tuple[StoredRule, ...]:
    return tuple(
        [
            StoredRule(
                rule=_rule(record),
                replaces=record["replaces"],
                proposed_by=record["proposed_by"],
                proposed_at=record["proposed_at"],
                approved_by=record["approved_by"],
                approved_at=record["approved_at"],
            )
            for record in records
        ]
    )


def _rule(record: Any) -> LawRule:
    figures = msgspec.json.decode(record["figures"], type=dict[str, int])
    return LawRule(
        table=record["table_name"],
        key=record["key"],
        region=record["region"],
        valid_from=record["valid_from"],
        ends=record["ends"],
        figures=tuple(figures.items()),
        source=record["source"],
        certainty=record["certainty"],
        note=record["note"],
        rule=record["rule"],
    )
