"""Sums of closed months as they are decided: kept for the open month's run, or for a second person where they are large.

Nothing decided is ever changed: a sum is written off by another one that undoes it. The rules stand in 0018_corrections.sql too.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

import asyncpg
import msgspec

from ledger.statements import load_statements
from schemas.ids import AccountId
from services.billing.core.month import Adjustment
from services.billing.runs.keeping import Person, RunRefused, person_name
from services.billing.runs.sources import Connection

SQL = load_statements("services/billing/corrections/deciding.sql")

SHOWN_MAX = 1_000

_REFUSALS = {
    "month_is_closed": "месяц закрыт: перерасчёты начисляет открытый",
    "adjustment_goes_forward": "исправляется только месяц раньше того, в котором начисляется",
    "proposal_goes_forward": "исправляется только месяц раньше того, в котором начисляется",
    "answer_second_person": "крупную сумму подтверждает не тот, кто её решил: нужно второе лицо",
    "proposal_answered_once": "на эту сумму уже ответили",
    "adjustment_second_person": "сумма больше разрешённой без второго лица",
    "write_off_second_person": "списывает не тот, кто решил: нужно второе лицо; списанное не списывают",
    "adjustment_undone_once": "эта сумма уже списана",
}
"""Constraint of 0017 and 0018 -> what the accountant is told."""


class Basis(StrEnum):
    """What decided a sum; see 0018_corrections.sql."""

    FACTS = "facts"
    YEAR = "year"
    PERSON = "person"
    APART = "apart"


class Month(msgspec.Struct, frozen=True, kw_only=True):
    """The open month that charges: a provider by number and code, and the period."""

    provider: int
    code: str
    period: int


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """What became of sums: charged by the month's next run, or waiting for a second person. ``amount``: of both, kopecks."""

    charged: int = 0
    waiting: int = 0
    amount: int = 0

    def plus(self, other: "Decided") -> "Decided":
        """Both together."""
        return Decided(
            charged=self.charged + other.charged, waiting=self.waiting + other.waiting, amount=self.amount + other.amount
        )


class DecidedSum(msgspec.Struct, frozen=True, kw_only=True):
    """A sum decided for a month. ``decided_of_key`` and ``charged_of_key``: of its account, service, kind and period together."""

    adjustment: int
    account: str
    service: str
    kind: int
    amount: int
    cause: str
    of_period: int
    basis: str
    decided_by: str
    decided_at: datetime
    confirmed_by: str | None
    undoes: int | None
    undone_by: int | None
    decided_of_key: int
    charged_of_key: int

    @property
    def is_charged(self) -> bool:
        """Whether the newest document of the account charges what was decided of its key."""
        return self.decided_of_key == self.charged_of_key


class WaitingSum(msgspec.Struct, frozen=True, kw_only=True):
    """A large sum that waits for a second person."""

    proposal: int
    account: str
    service: str
    kind: int
    amount: int
    cause: str
    of_period: int
    basis: str
    decided_by: str
    decided_at: datetime


Sums = Sequence[tuple[AccountId, Adjustment]]


async def find_month(connection: Connection, code: str, period: int) -> Month:
    """Return the provider's month; an unknown provider is RunRefused. Whether it is open is seen when something is added."""
    provider = await connection.fetchval(SQL["find_provider"], code)
    if provider is None:
        raise RunRefused(f"исполнителя {code} нет в справочнике")
    return Month(provider=provider, code=code, period=period)


async def decide(connection: Connection, month: Month, decided: Sums, basis: Basis, by: Person) -> Decided:
    """Keep sums for the open month; those above the limit of their account wait for a second person. Raises RunRefused."""
    if not decided:
        return Decided()
    name = person_name(by.name)
    try:
        async with connection.transaction():
            await connection.execute(SQL["begin_month"], month.provider, month.period)
            await connection.execute(SQL["lock_sums"], month.provider, month.period)
            small, large = await _parted(connection, month, decided)
            for statement, rows in (("add_adjustments", small), ("add_proposals", large)):
                if rows:
                    row = (month.provider, month.period, basis.value, name, by.at)
                    await connection.execute(SQL[statement], *row, *_columns(rows))
    except asyncpg.IntegrityConstraintViolationError as error:
        raise refusal(error) from error
    return Decided(charged=len(small), waiting=len(large), amount=sum(one.amount_kopecks for _, one in decided))


async def _parted(connection: Connection, month: Month, decided: Sums) -> tuple[Sums, Sums]:
    """Return what needs no second person, and what does: once an account is above the limit, all that follows of it."""
    limit = await connection.fetchval(SQL["fetch_limit"])
    accounts = sorted({account for account, _ in decided})
    rows = await connection.fetch(SQL["list_unconfirmed"], accounts, month.provider, month.period)
    sums = {row["account"]: row["amount"] for row in rows}
    small: list[tuple[AccountId, Adjustment]] = []
    large: list[tuple[AccountId, Adjustment]] = []
    for account, one in decided:
        together = sums.get(account, 0) + abs(one.amount_kopecks)
        if together > limit:
            large.append((account, one))
        else:
            sums[account] = together
            small.append((account, one))
    return small, large


def _columns(rows: Sums) -> list[list[object]]:
    found = [(account, one.service, one.kind, one.amount_kopecks, one.cause, one.of_period) for account, one in rows]
    return [list(column) for column in zip(*found, strict=True)]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a person says to large sums: those of ``proposals``, or all of the month where it is empty; ``why`` a no."""

    is_confirmed: bool
    proposals: tuple[int, ...] = ()
    why: str = ""


async def answer_proposals(connection: Connection, month: Month, answer: Answer, by: Person) -> int:
    """Let a second person confirm large sums, which are charged then, or decline them; how many. Raises RunRefused."""
    if not answer.is_confirmed and not answer.why.strip():
        raise RunRefused("нужна причина отказа")
    try:
        async with connection.transaction():
            await connection.execute(SQL["lock_sums"], month.provider, month.period)
            asked = list(answer.proposals)
            rows = await connection.fetch(SQL["list_waiting"], month.provider, month.period, asked)
            found = [row["proposal"] for row in rows]
            missing = sorted(set(asked) - set(found))
            if missing or not found:
                numbers = f": {', '.join(map(str, missing))}" if missing else ""
                raise RunRefused(f"сумм, ждущих второго лица, нет{numbers}")
            row = (found, answer.is_confirmed, person_name(by.name), by.at, answer.why.strip())
            await connection.execute(SQL["answer"], *row)
            if answer.is_confirmed:
                await connection.execute(SQL["charge_confirmed"], found)
    except asyncpg.IntegrityConstraintViolationError as error:
        raise refusal(error) from error
    return len(found)


async def write_off(connection: Connection, adjustment: int, by: Person, why: str) -> int:
    """Write a decided sum off, as a second person, with the reason kept beside it; the number of the sum that undoes it."""
    if not why.strip():
        raise RunRefused("нужна причина")
    try:
        number: int | None = await connection.fetchval(
            SQL["write_off"], adjustment, f"списано: {why.strip()}", person_name(by.name), by.at
        )
    except asyncpg.IntegrityConstraintViolationError as error:
        raise refusal(error) from error
    if number is None:
        raise RunRefused(f"суммы {adjustment} нет")
    return number


async def set_limit(connection: Connection, amount_kopecks: int, by: Person) -> None:
    """Ask a second person from another sum on."""
    await connection.execute(SQL["set_limit"], amount_kopecks, person_name(by.name), by.at)


async def fetch_limit(connection: Connection) -> int:
    """Return from how many kopecks on a second person is asked."""
    return int(await connection.fetchval(SQL["fetch_limit"]))


async def list_decided(connection: Connection, month: Month, account: str = "", limit: int = SHOWN_MAX) -> tuple[DecidedSum, ...]:
    """Return sums decided for the month, of one account (namespace:number) or of all."""
    rows = await connection.fetch(SQL["list_decided"], month.provider, month.period, account, limit)
    return tuple([DecidedSum(**{name: row[name] for name in DecidedSum.__struct_fields__}) for row in rows])


async def list_waiting(connection: Connection, month: Month, account: str = "", limit: int = SHOWN_MAX) -> tuple[WaitingSum, ...]:
    """Return sums that wait for a second person, of one account (namespace:number) or of all."""
    rows = await connection.fetch(SQL["list_proposals"], month.provider, month.period, account, limit)
    return tuple([WaitingSum(**{name: row[name] for name in WaitingSum.__struct_fields__}) for row in rows])


def refusal(error: asyncpg.IntegrityConstraintViolationError) -> RunRefused:
    """Turn a constraint's refusal into words; one that no user can meet is raised as it came."""
    told = _REFUSALS.get(error.constraint_name or "")
    if told is None:
        raise error
    return RunRefused(told)
