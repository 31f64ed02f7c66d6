"""The turnover sheet (оборотно-сальдовая ведомость) of a provider's month, and what single accounts owe on a day."""

from datetime import date
from enum import Enum

import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements
from services.billing.saldo.filling import EVERYBODY, SQL, Only, fill, take_closed
from services.billing.saldo.windows import SaldoRefused, day_window, month_window

ACCOUNTS = load_statements("services/billing/saldo/accounts.sql")


class Level(Enum):
    """What a row of the sheet is; its words for people."""

    TOTAL = "всего"
    CREDITOR = "кредитор"
    SERVICE = "услуга"
    HOUSE = "дом"
    ACCOUNT = "лицевой счёт"


class SheetRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the sheet in kopecks; names are empty above their level, ``kind`` and ``pool`` are -1 there.

    Movements carry the sign with which they change what is owed: a payment is below zero, a refund above.
    """

    house: str
    account: str
    creditor: str
    recipient: str
    service: str
    kind: int
    pool: int
    opening_debt: int
    opening_advance: int
    charged: int
    recalculated: int
    late: int
    penalties: int
    costs: int
    opened: int
    paid: int
    elsewhere: int
    reversed: int
    refunded: int
    reassigned: int
    offsets: int
    other: int
    closing_debt: int
    closing_advance: int

    @property
    def charges(self) -> int:
        """Everything charged in the month."""
        return self.charged + self.recalculated + self.late + self.penalties + self.costs

    @property
    def received(self) -> int:
        """What was paid, by the ledger and elsewhere, as people count it: above zero."""
        return -(self.paid + self.elsewhere)

    @property
    def given_back(self) -> int:
        """What was reversed and refunded."""
        return self.reversed + self.refunded

    @property
    def others(self) -> int:
        """What is neither charged, nor paid, nor given back."""
        return self.reassigned + self.offsets + self.opened + self.other


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """Which sheet: a provider's number, a period, the level, only some accounts or houses, by value date instead of bank day.

    With ``day`` the period does not matter: closing balances are those of the end of that bank day.
    """

    provider: int
    period: int
    day: date | None = None
    level: Level = Level.TOTAL
    only: Only = EVERYBODY
    by_value: bool = False


class Owed(msgspec.Struct, frozen=True, kw_only=True):
    """What an account owes somebody for something of a period, in kopecks; below zero: an advance. ``period`` 0: of no month."""

    account: str
    creditor: str
    recipient: str
    service: str
    period: int
    kind: int
    pool: int
    amount: int


async def read_sheet(connection: Connection, ask: Ask) -> tuple[SheetRow, ...]:
    """Return the rows of a sheet. A closed month's is read as it was kept, unless accounts are asked for."""
    level = ask.level
    async with connection.transaction(isolation="repeatable_read"):
        if ask.day is None:
            window = await month_window(connection, ask.provider, ask.period, by_value=ask.by_value)
        else:
            window = await day_window(connection, ask.provider, ask.day)
        if window.own is not None and level is not Level.ACCOUNT and ask.only.accounts is None:
            await take_closed(connection, window, ask.only)
        else:
            await fill(connection, window, ask.only)
        flags = (level is Level.HOUSE, level is Level.ACCOUNT, level in (Level.CREDITOR, Level.SERVICE), level is Level.SERVICE)
        rows = await connection.fetch(SQL["sheet"], *flags)
    return tuple([SheetRow(**{name: row[name] for name in SheetRow.__struct_fields__}) for row in rows])


async def read_owed(connection: Connection, account: str, day: date | None) -> tuple[Owed, ...]:
    """Return what one account (``namespace:number``) owes by cell at the end of a bank day; None: by all that is known now.

    Charges count from the end of their month. An unknown account is SaldoRefused.
    """
    namespace, _, number = account.partition(":")
    row = await connection.fetchrow(ACCOUNTS["find_account"], namespace, number)
    if row is None:
        raise SaldoRefused(f"лицевого счёта {account} нет")
    async with connection.transaction(isolation="repeatable_read"):
        window = await day_window(connection, row["provider"], day)
        await fill(connection, window, Only(accounts=(row["personal_account"],)))
        return tuple([msgspec.convert(dict(cell), Owed) for cell in await connection.fetch(SQL["account_cells"])])
