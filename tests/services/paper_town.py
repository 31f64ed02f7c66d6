"""A published month of the small metered stock, whose documents are printed: banks, contacts and approved requisites loaded."""

from collections.abc import Sequence
from pathlib import Path

import asyncpg

from kopeck.clock import utc_now
from kopeck.commands.billing import billing
from ledger.journal import create_ledger
from ledger.statements import load_statements
from schemas.ids import AccountId
from schemas.outcome import AppendStatus
from services.billing.law.proposing import load_shipped
from services.billing.papers.companies import load_banks, load_contacts
from services.billing.runs.keeping import Person
from tests.conftest import LedgerDatabase
from tests.ledger.town import Town
from tests.scenarios.test_explain import Commands
from tests.services.desk import ACCOUNTS, RECIPIENTS, Desk
from tests.services.housing_town import Stock
from tests.services.metered_town import Meters

TRANSIT = load_statements("tests/pipeline/small_town.sql")
SQL = load_statements("tests/statements/run_town.sql")
PAPERS = load_statements("tests/statements/papers.sql")

BANKS = """bic,name,correspondent_account
044525225,ПАО Сбербанк,30101810400000000225
044525593,АО «Альфа-Банк»,30101810200000000593
"""
CONTACTS = """code;address;phones;email;site;dispatch_phone;working_hours
uk;170100, г. Тверь, ул. Садовая, д. 3;+7 482 200-00-00;dom@example.ru;uk.example.ru;+7 482 200-00-01;пн–пт 8:00–17:00
"""
ANNA = Person(name="Анна", at=utc_now())


class PaperTown:
    """The desk, its commands, and the runs that were published."""

    def __init__(self, database: LedgerDatabase, desk: Desk, owner: asyncpg.Connection) -> None:
        self.commands, self.desk, self.owner = Commands(database), desk, owner
        self.meters = Meters(stock=Stock(desk=desk))
        self._payer = Town(owner, desk.connection)

    async def account(self, number: str) -> AccountId:
        """An account by its own number."""
        return AccountId(await self.owner.fetchval(PAPERS["account"], "epd", number))

    async def pay(self, number: str, kopecks: int) -> None:
        """Pay through the ledger's door."""
        assert (await self._payer.pay(await self.account(number), kopecks)).status is AppendStatus.RECORDED

    async def load(self) -> None:
        """Load everything that a month and its paper need."""
        await create_ledger(self.owner, 1)
        await self.owner.execute(TRANSIT["open_day"], await self.owner.fetchval(TRANSIT["add_transit"]), utc_now().date())
        await self.desk.load("recipients", RECIPIENTS)
        await self.desk.load("accounts", ACCOUNTS)
        await self.owner.execute(PAPERS["approve_requisites"])
        await load_shipped(self.desk.connection, "test", utc_now())
        await self.meters.load_all()
        await self.meters.give("C1", ("2026-10-20", "118"), ("2026-11-20", "122"))
        await load_banks(self.desk.connection, self.file("banks.csv", BANKS), ANNA)
        await load_contacts(self.desk.connection, self.file("contacts.csv", CONTACTS), ANNA)

    def file(self, name: str, content: str) -> Path:
        """A file of the desk's folder."""
        path = self.desk.folder / name
        path.write_text(content, "utf-8")
        return path

    async def publish(self, month: str, run: int, more: Sequence[str] = ("--house", "01")) -> None:
        """Draft, check, answer, approve and publish a run of a month; ``run`` is the number that it gets."""
        await self.commands.run(billing, "draft", month, *more, "--by", "Анна")
        await self.commands.run(billing, "checks", str(run))
        for row in await self.owner.fetch(SQL["errors"], run):
            answer = ("--acknowledge", str(row["finding"]), "--by", "Борис", "--why", "ждём договор")
            await self.commands.run(billing, "checks", str(run), *answer)
        await self.commands.text(billing, "approve", str(run), "--by", "Борис")
        assert "отложено 0" in await self.commands.text(billing, "publish", str(run))
