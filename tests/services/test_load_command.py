"""``kopeck load`` as it is typed: output, exit codes, JSON."""

import asyncio
import re
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from kopeck.cli import main
from tests.conftest import LedgerDatabase
from tests.services.desk import ACCOUNTS, CHARGES, RECIPIENTS, Desk


class Typist(msgspec.Struct, frozen=True, kw_only=True):
    """Types commands against one ledger."""

    folder: Path
    environment: dict[str, str]

    async def type(self, *words: str, content: str = "") -> Result:
        """Run ``kopeck`` with the words, FILE standing for a file of the content."""
        path = self.folder / "file.csv"
        path.write_text(content)
        arguments = [str(path) if word == "FILE" else word for word in words]
        return await asyncio.to_thread(CliRunner().invoke, main, arguments, env=self.environment)


@pytest.fixture
async def typist(ledger_database: LedgerDatabase, tmp_path: Path) -> Typist:
    """A command line whose environment names the ledger."""
    environment = {
        "KOPECK_DATA": str(tmp_path / "data"),
        "KOPECK_POSTGRES_DSN": ledger_database.owner_dsn,
        "KOPECK_POSTGRES_SERVICES_DSN": ledger_database.services_dsn,
        "KOPECK_REDIS_URL": ledger_database.redis_url,
    }
    return Typist(folder=tmp_path, environment=environment)


async def test_a_town_is_loaded(typist: Typist, desk: Desk) -> None:
    loaded = await typist.type("load", "recipients", "FILE", "--by", "anna", content=RECIPIENTS)
    assert loaded.exit_code == 0, loaded.output
    assert "5 rows, 5 new, 0 changed, 0 unchanged" in loaded.stdout
    assert "pays nothing until a second person approves it" in loaded.stderr
    assert (await typist.type("load", "accounts", "FILE", content=ACCOUNTS)).exit_code == 0
    control = ("--control-rows", "4", "--control-total", str(215_000 + 287_436 + 71_235 + 100_000))
    charges = await typist.type("load", "charges", "FILE", *control, content=CHARGES)
    assert charges.exit_code == 0, charges.output
    assert re.search(r"heat\s+│\s+main\s+│\s+1\s+│\s+2\u202f874,36", charges.stdout), charges.stdout
    assert re.search(r"total\s+│\s+│\s+4\s+│\s+6\u202f736,71", charges.stdout), charges.stdout
    again = await typist.type("load", "charges", "FILE", "--json", content=CHARGES)
    report = msgspec.json.decode(again.stdout)
    assert (report["already_loaded"], report["unchanged"]) == (True, 4)
    assert {"recipient": "heat", "pool": "main", "rows": 1, "amount": 287_436, "paid": 0, "advance": 0} in report["totals"]
    assert len(await desk.read("charges")) == 4


async def test_faults_are_printed_and_nothing_is_loaded(typist: Typist, desk: Desk) -> None:
    bad = RECIPIENTS.replace("7707083893", "7707083894")
    shown = await typist.type("load", "recipients", "FILE", content=bad)
    assert shown.exit_code == 2
    assert "line 2, inn: '7707083894' is not a valid ИНН" in shown.stderr
    assert "file.csv: 5 faults; nothing was loaded." in shown.stderr
    as_json = await typist.type("load", "recipients", "FILE", "--json", content=bad)
    assert as_json.exit_code == 2
    assert msgspec.json.decode(as_json.stdout)["count"] == 5
    assert await desk.read("recipients") == []


async def test_requisites_are_approved_by_another_person(typist: Typist) -> None:
    await typist.type("load", "recipients", "FILE", "--as", "anna", content=RECIPIENTS)
    command = ("load", "approve-requisites", "heat", "--version", "1", "--by")
    own = await typist.type(*command, "Anna")
    assert own.exit_code == 2
    assert "a second person must approve it" in own.stderr
    assert "Version 1 of heat is approved." in (await typist.type(*command, "boris")).stdout
    assert "Version 1 of heat was approved before." in (await typist.type(*command, "boris")).stdout
    unknown = await typist.type("load", "approve-requisites", "heat", "--version", "9", "--by", "boris")
    assert (unknown.exit_code, "has no version 9" in unknown.stderr) == (2, True)
