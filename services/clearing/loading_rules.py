"""Rules of classification loaded from a file, whole or not at all, and whom covers of a transit account are believed from."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements
from services.clearing.core.rules import Believed, Numbers, read_rules
from services.clearing.facts import fetch_numbers

_SQL = load_statements("services/clearing/loading_rules.sql")


class RulesRefused(ValueError):
    """The file was not taken; the message has every fault with its line. Nothing was changed."""


class RulesLoaded(msgspec.Struct, frozen=True, kw_only=True):
    """What was loaded. Lines without a class yet are classified by it; classified ones stay as they are."""

    rule_set: int
    rules: int
    believed: int


async def load_rules(connection: Connection, lines: Iterable[bytes], by: str, now: datetime) -> RulesLoaded:
    """Take a file of rules (core/rules.py) as the set that counts from now on; raises RulesRefused."""
    numbers = await fetch_numbers(connection)
    rules, believed, faults = read_rules(lines, numbers)
    if not faults and not rules and not believed:
        faults = ["в файле нет ни одного правила"]
    if faults:
        raise RulesRefused("\n".join(faults))
    async with connection.transaction():
        rule_set = await connection.fetchval(_SQL["add_rule_set"], by, now)
        contents = [msgspec.json.encode(rule).decode() for rule in rules]
        await connection.execute(_SQL["add_rules"], rule_set, [rule.name for rule in rules], contents)
        changed = await _believe(connection, believed, numbers, by)
    return RulesLoaded(rule_set=rule_set, rules=len(rules), believed=changed)


async def _believe(connection: Connection, believed: Sequence[Believed], numbers: Numbers, by: str) -> int:
    """Store whom covers are believed from; what is said already stays. Raises RulesRefused when money was covered otherwise."""
    changed = 0
    for one in sorted(believed, key=lambda one: (one.transit, one.since)):
        transit = numbers.transits[one.transit]
        await connection.execute(_SQL["lock_believed"], transit)
        if await connection.fetchval(_SQL["find_believed"], transit, one.since) == one.believed:
            continue
        last = await connection.fetchval(_SQL["find_cover_since"], transit, one.since, one.believed)
        if last is not None:
            raise RulesRefused(f"{one.transit}: покрытия по {last} уже учтены из другого источника: назовите более поздний день")
        if await connection.fetchval(_SQL["add_believed"], transit, one.since, one.believed, by) is None:
            raise RulesRefused(f"{one.transit}: на {one.since} уже сказано иное")
        changed += 1
    return changed
