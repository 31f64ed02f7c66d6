"""Rows of the database put in order for reading: groups, names of accounts, days of periods."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from services.billing.core.periods import days_of, month_number

Record = Mapping[str, Any]


def by_number(records: Iterable[Record], column: str) -> defaultdict[int, list[Any]]:
    """Group rows by a column of numbers; a number that no row has is an empty group."""
    groups: defaultdict[int, list[Any]] = defaultdict(list)
    for record in records:
        groups[record[column]].append(record)
    return groups


def by_code(records: Iterable[Record]) -> dict[str, list[Any]]:
    """Group rows by their ``code``."""
    groups: defaultdict[str, list[Any]] = defaultdict(list)
    for record in records:
        groups[record["code"]].append(record)
    return groups


def names_of(accounts: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """Return accounts as they are written (namespace:number), their namespaces and their numbers."""
    parts = [account.partition(":") for account in accounts]
    return list(accounts), [part[0] for part in parts], [part[2] for part in parts]


def first_day(period: int) -> date:
    """Return the period's first day."""
    return days_of(month_number(period))[0]


def year_before(period: int) -> tuple[int, int]:
    """Return the first and the last period of the calendar year before the period's."""
    year = period // 100 - 1
    return year * 100 + 1, year * 100 + 12
