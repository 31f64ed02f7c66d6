"""Whether a month's charges, payments, tables, documents and the ledger agree, each found on a path of its own.

Everything is read in one snapshot, so that payments may flow meanwhile. Sums are set-based; tables are decoded from their bytes.
"""

from collections.abc import Iterator, Sequence

import msgspec

from kopeck.month_steps import SQL
from ledger.feed import Connection
from schemas.allocation import Pool, unpack_table
from schemas.ids import AccountId
from schemas.money import roubles_for_people
from services.billing.runs.documents import published_totals
from services.billing.saldo.checking import check_saldo

SHOWN_MAX = 20


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison: what is compared, in how many places it differs, and the first SHOWN_MAX of them in words."""

    name: str
    title: str
    differences: int
    shown: tuple[str, ...]


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """Sums of a month in kopecks and what was compared.

    ``lines`` of its runs, ``month`` the charges they became; of its accounts: all ``charges``, all ``credits``,
    ``advances`` among these, and what is ``open_in_tables`` at this moment.
    """

    accounts: int
    lines: int
    month: int
    charges: int
    credits: int
    advances: int
    open_in_tables: int
    checks: tuple[Check, ...]

    @property
    def agrees(self) -> bool:
        """Whether nothing differs."""
        return not any(check.differences for check in self.checks)


async def check_agreement(
    connection: Connection, period: int, providers: Sequence[str], accounts: Sequence[AccountId], *, with_saldo: bool
) -> Agreement:
    """Compare everything of the accounts that the period's runs of the providers have charged.

    ``with_saldo``: balances (сальдо) too, in a snapshot of their own, of every provider.
    """
    wanted = list(accounts)
    async with connection.transaction(isolation="repeatable_read"):
        await connection.execute(SQL["make_base"], wanted)
        await connection.execute(SQL["make_credited"])
        await connection.execute(SQL["make_tabled"])
        await connection.copy_records_to_table("tabled", records=await _tabled(connection))
        await connection.execute(SQL["analyze"])
        sums = await connection.fetchrow(SQL["sums"], wanted, period)
        checks = (
            _check("charges", "строки расчётов = начисления", await _charges(connection, wanted, period)),
            _check("documents", "документы = таблицы при публикации", await _documents(connection, period, providers)),
            _check("printed", "документы = напечатанные суммы", await _printed(connection, wanted, period)),
            _check("tables", "таблицы = начислено − оплачено", await _tables(connection, wanted)),
            _check("ledger", "обороты регистра = оплачено по строкам", await _ledger(connection)),
        )
    saldo = (await _saldo(connection, period),) if with_saldo else ()
    return Agreement(accounts=len(wanted), checks=(*checks, *saldo), **{name: int(sums[name]) for name in _SUMS})


_SUMS = ("lines", "month", "charges", "credits", "advances", "open_in_tables")


def _check(name: str, title: str, found: Sequence[str]) -> Check:
    return Check(name=name, title=title, differences=len(found), shown=tuple(found[:SHOWN_MAX]))


async def _tabled(connection: Connection) -> list[tuple[AccountId, int, int, int, int]]:
    """Lines of the accounts' tables: account, line, pool, weight, paid."""
    rows = await connection.fetch(SQL["list_tables"])
    return [line for row in rows for line in _lines_of(row["account"], row["content"])]


def _lines_of(account: AccountId, content: bytes) -> Iterator[tuple[AccountId, int, int, int, int]]:
    for tier in unpack_table(content).tiers:
        for line, weight, paid in zip(tier.lines, tier.weights, tier.paid, strict=True):
            yield account, line, int(tier.pool), weight, paid


async def _charges(connection: Connection, accounts: Sequence[AccountId], period: int) -> list[str]:
    rows = await connection.fetch(SQL["charges_disagree"], accounts, period)
    return [
        f"{row['recipient']}/{row['service']}: строки {roubles_for_people(row['lined'])},"
        f" начисления {roubles_for_people(row['charged'])}"
        for row in rows
    ]


async def _documents(connection: Connection, period: int, providers: Sequence[str]) -> list[str]:
    runs = [row["run"] for row in await connection.fetch(SQL["list_published"], period, list(providers))]
    found = [(run, mismatch) for run in runs for mismatch in await published_totals(connection, run)]
    return [f"расчёт {run}, счёт {mismatch.account}: {mismatch}" for run, mismatch in found]


async def _printed(connection: Connection, accounts: Sequence[AccountId], period: int) -> list[str]:
    rows = await connection.fetch(SQL["prints_disagree"], accounts, period)
    return [
        f"{row['number']}, {Pool(row['pool']).name.lower()}: в документе {row['printed']}, в справочнике {row['total']} коп."
        for row in rows
    ]


async def _tables(connection: Connection, accounts: Sequence[AccountId]) -> list[str]:
    rows = await connection.fetch(SQL["tables_disagree"], accounts)
    return [
        f"{row['number']}, {Pool(row['pool']).name.lower()}: по таблице {roubles_for_people(row['in_table'])},"
        f" начислено − оплачено {roubles_for_people(row['owed'])}"
        for row in rows
    ]


async def _saldo(connection: Connection, period: int) -> Check:
    found = [str(one) for one in (await check_saldo(connection, period)).disagreements]
    return _check("saldo", "сальдо и оборотная ведомость = начисления, платежи, таблицы, регистр", found)


async def _ledger(connection: Connection) -> list[str]:
    rows = await connection.fetch(SQL["ledger_disagrees"])
    return [
        f"{row['recipient']}/{row['service']}: по счетам {roubles_for_people(row['by_ledger'])},"
        f" по строкам {roubles_for_people(row['by_line'])}"
        for row in rows
    ]
