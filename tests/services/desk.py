"""A ledger to load files into, and the files that most tests start from."""

import csv
import io
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from ledger.statements import load_statements
from services.reference.load_accounts import load_accounts
from services.reference.load_charges import load_charges
from services.reference.load_recipients import load_recipients
from services.reference.loading import LoadReport, LoadTerms

SQL = load_statements("tests/statements/loaded_reference.sql")
TERMS = LoadTerms(loaded_by="loader", today=date(2026, 11, 24))
LOADERS = {"recipients": load_recipients, "accounts": load_accounts, "charges": load_charges}

RECIPIENTS = """code,kind,name,inn,kpp,bank_account,bic,kbk,oktmo,valid_from,advance_rule
uk,management,ООО «УК Север»,7707083893,770801001,40702810200000000001,044525225,,,2026-01-01,to_line
heat,supplier,АО «Тепло»,7707083893,770801001,40911810101850000000,044525593,,,2026-01-01,
water,supplier,МУП «Водоканал»,7707083893,770801001,40702810200000000001,044525225,,,2026-01-01,
fund,fund,Фонд капремонта,7707083893,770801001,40702810200000000001,044525225,,,2026-01-01,
rent,budget,Администрация,7707083893,770801001,03100643000000017300,017003983,90111109044040000120,45382000,2026-01-01,refuse
"""
ACCOUNTS = """namespace;number;els;state;payer_kind;provider;time_zone;name;address;aliases
epd;0001001;75DA000001;open;person;uk;;Иванов Иван Иванович;ул. Мира, д. 5, кв. 125;old:77|old:78
epd;0001002;75DA000002;debts_only;organisation;uk;Asia/Yekaterinburg;ООО «Ромашка»;ул. Мира, 7;old:77
epd;0001003;;closed;budget;uk;;;;
"""
CHARGES = """namespace,number,creditor,period,service,recipient,kind,pool,amount_kopecks,due_date
epd,0001001,uk,2026-10,maintenance,uk,principal,main,215000,2026-11-16
epd,0001001,uk,2026-10,heating,heat,principal,main,287436,2026-11-16
epd,0001001,fund,2026-10,capital_repair,fund,principal,capital_repair,71235,2026-11-16
epd,0001002,uk,2026-10,maintenance,uk,principal,main,100000,2026-11-16
"""


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """A connection with the services' rights and a folder for files."""

    connection: asyncpg.Connection
    folder: Path

    async def load(self, what: str, content: str | bytes, name: str = "", terms: LoadTerms = TERMS) -> LoadReport:
        """Write the content to a file and load it."""
        path = self.folder / (name or f"{what}.csv")
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return await LOADERS[what](self.connection, path, terms)

    @asynccontextmanager
    async def undone(self) -> AsyncIterator[None]:
        """What is loaded inside is undone at the end."""
        transaction = self.connection.transaction()
        await transaction.start()
        try:
            yield
        finally:
            await transaction.rollback()

    async def load_town(self) -> None:
        """Recipients, three accounts and October's charges."""
        await self.load("recipients", RECIPIENTS)
        await self.load("accounts", ACCOUNTS)
        await self.load("charges", CHARGES)

    async def read(self, statement: str) -> list[tuple[Any, ...]]:
        """Rows of a statement of tests/statements/loaded_reference.sql."""
        return [tuple(row) for row in await self.connection.fetch(SQL[statement])]

    async def everything(self) -> list[list[tuple[Any, ...]]]:
        """All that loads write, to compare before and after."""
        names = ("recipients", "requisites", "accounts", "aliases", "charges", "printed", "due")
        return [await self.read(name) for name in names]


def charge(**given: object) -> dict[str, object]:
    """A good line of October, changed as given."""
    line: dict[str, object] = {
        "namespace": "epd",
        "number": "0001001",
        "creditor": "uk",
        "period": "2026-10",
        "service": "heating",
        "recipient": "heat",
        "kind": "principal",
        "pool": "main",
        "amount_kopecks": 1000,
        "due_date": "2026-11-16",
    }
    return line | given


def as_csv(lines: Sequence[dict[str, object]], delimiter: str = ",") -> str:
    """CSV of the lines; the header has every key that occurs."""
    keys = list(dict.fromkeys(key for line in lines for key in line))
    out = io.StringIO()
    writer = csv.DictWriter(out, keys, delimiter=delimiter)
    writer.writeheader()
    writer.writerows(lines)
    return out.getvalue()


def as_json_lines(lines: Sequence[dict[str, object]]) -> str:
    """JSON Lines of the lines."""
    return "".join(msgspec.json.encode(line).decode() + "\n" for line in lines)
