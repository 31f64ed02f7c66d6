"""The check of balances (``kopeck saldo check``): the same kopecks from several sources, which must agree.

a  every row: opening + charged - paid ± others, from the closing before on, is the closing balance read from the first entry on;
   what a closed month keeps is both;
b  what the sheets say was credited, by the payees of charges, is the turnover of the ledger's payable and settled accounts in the
   bank days, in the journal and in the read models; what the ledger has and the sheets have not is named;
c  balances are what the tables at the accounts' heads hold open, and what documents print where nothing came in between;
d  the closing balances of the month before are the opening ones of this, and what its history says.
"""

from collections.abc import Callable

import msgspec

from ledger.feed import Connection
from ledger.rebuild import DigestMismatch, Rebuilt, rebuild_accounts
from ledger.statements import load_statements
from schemas.journal import EntryKind
from schemas.money import roubles_for_people
from services.billing.saldo.filling import fill
from services.billing.saldo.windows import (
    Window,
    closed_window,
    day_window,
    from_nothing,
    list_providers,
    month_days,
    month_window,
)

SQL = load_statements("services/billing/saldo/checking.sql")

TABLES_AT_ONCE = 500
SHOWN_MAX = 100
Progress = Callable[[int], None]

_WHAT = {
    "later": "записано после закрытия месяца: войдёт в следующий",
    "opening": "входящие остатки: во входящем сальдо",
    "earlier": "банковские дни прошлых месяцев, записано после их закрытия",
}
_ENTRIES = {
    EntryKind.PAYMENT: "платёж не по строкам начислений",
    EntryKind.PAID_ELSEWHERE: "оплачено вне кассы не по строкам",
    EntryKind.COMMISSION: "комиссия",
    EntryKind.ORDER_CREATED: "перечислено получателю",
    EntryKind.ORDER_REJECTED: "перечисление отклонено банком",
    EntryKind.ORDER_RETURNED: "перечисление возвращено банком",
    EntryKind.DEBT_NETTED: "удержано в счёт долга получателя",
    EntryKind.DEBT_ARISEN: "долг получателя",
    EntryKind.DEBT_PAID: "долг получателя погашен",
}
"""What the ledger books on a recipient's account that is no personal account's."""


class Disagreement(msgspec.Struct, frozen=True, kw_only=True):
    """Two sources that say different sums, in kopecks; ``letter`` is that of this file's head."""

    letter: str
    where: str
    what: str
    left: int
    right: int

    def __str__(self) -> str:
        sums = f"{roubles_for_people(self.left)} и {roubles_for_people(self.right)}"
        return f"{self.where}: {self.what}: {sums}, разница {roubles_for_people(self.left - self.right)}"


class Apart(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger has for a payee in the days and the sheets of the month have not, or the reverse; in kopecks."""

    payee: str
    what: str
    amount: int


class SaldoCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What was held against what. ``behind``: entries not folded into read models; ``due``: accounts without a fresh table."""

    period: int
    accounts: int
    tables: int
    documents: int
    due: int
    behind: int
    suspended: int
    apart: tuple[Apart, ...]
    disagreements: tuple[Disagreement, ...]


async def check_saldo(connection: Connection, period: int, progress: Progress = lambda done: None) -> SaldoCheck:
    """Check a month of every provider as of one moment; ``progress`` is told of accounts as their tables are read."""
    async with connection.transaction(isolation="repeatable_read"):
        for name in ("left", "right", "window", "place", "paid", "table"):
            await connection.execute(SQL[f"make_{name}"])
        found = _Check(connection, period, progress)
        for code, provider in (await list_providers(connection)).items():
            await found.provider(code, provider)
        return await found.ledger()


class _Check:
    """One check; what it finds is gathered provider after provider."""

    def __init__(self, connection: Connection, period: int, progress: Progress) -> None:
        self._connection = connection
        self._period = period
        self._progress = progress
        self._found: list[Disagreement] = []
        self._tables = 0
        self._documents = 0
        self._due = 0

    async def provider(self, code: str, provider: int) -> None:
        """Letters a, c and d of one provider; b gathers."""
        window = await month_window(self._connection, provider, self._period)
        await self._month(code, window)
        await self._before(code, window)
        await self._tables_of(code, provider)

    async def _month(self, code: str, window: Window) -> None:
        connection = self._connection
        await fill(connection, window)
        await connection.execute(SQL["add_window"], window.provider, *window.places()[:4], *window.days())
        await connection.execute(SQL["add_place"], window.provider)
        await connection.execute(SQL["add_paid"])
        await self._side("left_parts")
        if window.own is not None:
            await self._side("right_snapshot", window.provider, window.period)
            await self._compare("a", code, "сальдо по движению и сохранённое при закрытии")
            for row in await connection.fetch(SQL["compare_sheet"], window.provider, window.period):
                self._sheet_row(code, row["house"], row["payee"], row["kept"], row["made"])
        if window.previous is not None and window.opening_before is None:
            for row in await connection.fetch(SQL["compare_opening"], window.provider, window.previous.period):
                self._add(
                    "d", code, f"{row['payee']}: исходящее сальдо прошлого месяца и входящее этого", row["left"], row["right"]
                )
        await fill(connection, from_nothing(window))
        await self._side("right_parts")
        await self._compare("a", code, "сальдо по движению и по всей истории")

    async def _before(self, code: str, window: Window) -> None:
        if window.previous is None:
            return
        await fill(self._connection, closed_window(window.previous))
        await self._side("left_parts")
        await self._side("right_snapshot", window.provider, window.previous.period)
        await self._compare("d", code, "сальдо прошлого месяца по истории и сохранённое")

    async def _tables_of(self, code: str, provider: int) -> None:
        connection = self._connection
        await fill(connection, await day_window(connection, provider, None))
        await self._side("left_parts")
        self._due += await connection.fetchval(SQL["count_due"])
        last = 0
        while accounts := [row[0] for row in await connection.fetch(SQL["list_published"], last, TABLES_AT_ONCE)]:
            last = accounts[-1]
            rows = []
            for account, state in (await rebuild_accounts(connection, accounts)).items():
                if isinstance(state, DigestMismatch):
                    self._add("c", code, f"таблица счёта {account} не восстанавливается", 0, 0)
                elif isinstance(state, Rebuilt):
                    self._tables += 1
                    rows += [
                        (account, line, weight - paid)
                        for tier in state.table.tiers
                        for line, weight, paid in zip(tier.lines, tier.weights, tier.paid, strict=True)
                    ]
            await connection.copy_records_to_table("check_table", records=rows)
            self._progress(len(accounts))
        await connection.execute(SQL["plan_freely"])
        for row in await connection.fetch(SQL["compare_tables"]):
            self._add("c", code, f"{_cell(row)}: сальдо и открытые строки таблицы", row["left"], row["right"])
        for row in await connection.fetch(SQL["compare_documents"]):
            self._documents += 1
            if row["is_wrong"]:
                self._add("c", code, f"документ {row['document']}: напечатано и сальдо", row["left"], row["right"])
        await connection.execute(SQL["clear_table"])

    async def ledger(self) -> SaldoCheck:
        """Letter b, and what was found."""
        connection, (first, last) = self._connection, month_days(self._period)
        names = {row["payee"]: f"{row['recipient']}/{row['service']}" for row in await connection.fetch(SQL["payees"])}
        expected: dict[int, int] = {}
        apart = []
        for row in await connection.fetch(SQL["ledger_days"], first, last):
            payee, what, amount = row["payee"], row["what"], row["amount"]
            if what in ("both", "earlier"):
                expected[payee] = expected.get(payee, 0) + amount
            if what != "both":
                apart.append(Apart(payee=names.get(payee, f"#{payee}"), what=_apart(what, row["kind"]), amount=amount))
        told = {row["payee"]: row["amount"] for row in await connection.fetch(SQL["sheet_paid"])}
        for payee in sorted(expected.keys() | told.keys()):
            left, right = told.get(payee, 0), expected.get(payee, 0)
            if left != right:
                self._add("b", names.get(payee, f"#{payee}"), "оплачено по ведомости и обороты счёта получателя", left, right)
        for row in await connection.fetch(SQL["folded_days"], first, last):
            if row["folded"] != row["journal"]:
                where = names.get(row["payee"], f"#{row['payee']}")
                self._add("b", where, "обороты получателя: витрина и журнал", row["folded"], row["journal"])
        return SaldoCheck(
            period=self._period,
            accounts=await connection.fetchval(SQL["count_places"]),
            tables=self._tables,
            documents=self._documents,
            due=self._due,
            behind=await connection.fetchval(SQL["behind"]),
            suspended=await connection.fetchval(SQL["suspended"], first, last),
            apart=tuple(sorted(apart, key=lambda one: (one.payee, one.what))),
            disagreements=tuple(self._found),
        )

    async def _side(self, statement: str, *arguments: object) -> None:
        await self._connection.execute(SQL[f"clear_{statement.partition('_')[0]}"])
        await self._connection.execute(SQL[statement], *arguments)

    async def _compare(self, letter: str, code: str, what: str) -> None:
        for row in await self._connection.fetch(SQL["compare"]):
            self._add(letter, code, f"{_cell(row)}: {what}", row["left"], row["right"])

    def _sheet_row(self, code: str, house: str, payee: str, kept: list[int] | None, made: list[int] | None) -> None:
        left, right = (kept or [0] * len(made or ())), (made or [0] * len(kept or ()))
        place = next(at for at, (one, other) in enumerate(zip(left, right, strict=True)) if one != other or not (kept and made))
        what = f"{house or 'без дома'}, {payee}: строка ведомости сохранённая и по движению"
        self._add("a", code, what, left[place], right[place])

    def _add(self, letter: str, where: str, what: str, left: int, right: int) -> None:
        self._found.append(Disagreement(letter=letter, where=where, what=what, left=left, right=right))


def _cell(row: object) -> str:
    values = dict(row)  # type: ignore[call-overload]
    period = f"{values['period'] % 100:02d}.{values['period'] // 100}" if values["period"] else "без месяца"
    return f"{values['account']}, {values['payee']}, {period}"


def _apart(what: str, kind: int) -> str:
    if what != "apart":
        return _WHAT[what]
    known = EntryKind(kind)
    return _ENTRIES.get(known, f"проводка {known.name.lower()} не по лицевому счёту")
