"""``kopeck statements`` on a real ledger: a file taken in, rules loaded, lines shown, classified, explained and erased."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from kopeck.commands.statements import statements
from kopeck.config import Config, ConfigError
from kopeck.embedded.clean import OWN_NAMES
from kopeck.personal_key import FILE_NAME, personal_sealer
from services.clearing.personal import seal_text
from services.sealing import NotUnsealed
from tests.conftest import LedgerDatabase
from tests.scenarios.test_explain import Commands
from tests.services.clearing_town import DAY, RULES, SQL, TRANSIT, ClearingTown, clearing_town, cover, line, statement
from tests.services.conftest import desk as desk
from tests.services.desk import Desk

BY = ("--by", "Петрова")
KEY = "6b" * 32
"""The key of the town's sealer."""
FILE = f"""1CClientBankExchange
ВерсияФормата=1.03
Кодировка=Windows
ДатаНачала=24.11.2026
ДатаКонца=24.11.2026
РасчСчет={TRANSIT}
СекцияРасчСчет
ДатаНачала=24.11.2026
ДатаКонца=24.11.2026
РасчСчет={TRANSIT}
НачальныйОстаток=0.00
ВсегоПоступило=100.00
ВсегоСписано=0.00
КонечныйОстаток=100.00
КонецРасчСчет
СекцияДокумент=Платежное поручение
Номер=7
Дата=24.11.2026
Сумма=100.00
ПлательщикСчет=40817810000000000001
ДатаПоступило=24.11.2026
Плательщик=Сидорова Мария
ПлательщикИНН=
ПолучательСчет={TRANSIT}
Получатель=АО Тестовый банк
ВидОплаты=01
НазначениеПлатежа=ЖКУ л/с 0001001
КонецДокумента
КонецФайла
"""


class Clerk:
    """Types the commands with the key of personal data at hand."""

    def __init__(self, commands: Commands, town: ClearingTown, folder: Path) -> None:
        self.commands = commands
        self.town = town
        self.folder = folder
        key = folder / "key"
        key.write_text(f"{KEY}\n", "ascii")
        self.commands.environ["KOPECK_PERSONAL_KEY_FILE"] = str(key)

    def file(self, content: str) -> str:
        """A file of this content."""
        path = self.folder / "file"
        path.write_text(content, "utf-8")
        return str(path)


@pytest.fixture
async def clerk(ledger_database: LedgerDatabase, desk: Desk, redis_url: str, tmp_path: Path) -> AsyncIterator[Clerk]:
    async with clearing_town(ledger_database, desk, redis_url) as town:
        yield Clerk(Commands(ledger_database), town, tmp_path)


async def test_a_statement_is_loaded_once_and_its_line_shown(clerk: Clerk) -> None:
    loading = ("load", clerk.file(FILE), "--transit", TRANSIT, *BY)
    told = await clerk.commands.json(statements, *loading)
    assert (told["new"], told["repeated"]) == (1, False)
    assert "taken before" in await clerk.commands.text(statements, *loading)
    await clerk.town.clear()
    (row,) = await clerk.commands.json(statements, "lines")
    assert (row["line_class"], row["amount"], row["sequence"]) == ("payment", 10_000, 1)
    number = str(row["line"])
    assert "Сидорова" not in await clerk.commands.text(statements, "line", number)
    shown = await clerk.commands.text(statements, "line", number, "--text")
    assert "Сидорова Мария" in shown and "назван лицевой счёт 0001001" in shown
    assert "erased" in await clerk.commands.text(statements, "erase", number)
    again = await clerk.commands.run(statements, "erase", number)
    assert again.exit_code == 2
    assert "(erased)" in await clerk.commands.text(statements, "line", number, "--text")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("line", "99"), "there is no line 99"),
        (("classify", "99", "unknown", *BY), "строки 99 нет"),
        (("explain", "99", *BY), "строка 99"),
        (("erase", "99"), "line 99"),
        (("erase",), "name a line"),
    ],
)
async def test_what_is_not_there_ends_with_one_line_and_exit_code_2(clerk: Clerk, arguments: tuple[str, ...], said: str) -> None:
    result = await clerk.commands.run(statements, *arguments)
    assert result.exit_code == 2
    assert said in result.output


async def test_a_bad_file_is_refused(clerk: Clerk) -> None:
    for content, account in (("nothing", TRANSIT), (FILE.replace("КонечныйОстаток=100.00", "КонечныйОстаток=99.00"), TRANSIT)):
        result = await clerk.commands.run(statements, "load", clerk.file(content), "--transit", account, *BY)
        assert result.exit_code == 2, result.output
    assert (await clerk.town.owner.fetchrow(SQL["counts"]))["statements"] == 0


async def test_rules_are_loaded_whole_or_refused_with_every_fault(clerk: Clerk) -> None:
    good = "\n".join(msgspec.json.encode({"transit": TRANSIT, **rule}).decode() for rule in RULES)
    believed = f'{{"transit": "{TRANSIT}", "since": "2026-11-24", "believed": "statement"}}'
    told = await clerk.commands.text(statements, "rules", "load", clerk.file(f"{good}\n{believed}"), *BY)
    assert f"{len(RULES)} rules; 1 transit accounts" in told
    refused = await clerk.commands.run(statements, "rules", "load", clerk.file('{"name": "x"}\n{'), *BY)
    assert refused.exit_code == 2
    assert "строка 1: " in refused.output and "строка 2: " in refused.output


async def test_a_person_classifies_and_explains(clerk: Clerk) -> None:
    town = clerk.town
    await town.take(statement(line("b1", 500, "комиссия", is_credit=False), cover("b2", 650, "?")))
    await town.clear()
    (open_line,) = await clerk.commands.json(statements, "lines", "--class", "none")
    await clerk.commands.text(statements, "classify", str(open_line["line"]), "technical", "--why", "ошибка банка", *BY)
    await town.register("5", {"o1": 700})
    await town.clear()
    (surplus,) = [one for one in await clerk.commands.json(statements, "lines", "--open") if one["difference"]]
    assert (await clerk.commands.json(statements, "promised", "--on", "2026-11-25"))[0]["registers"][0]["age"] == 1
    await clerk.commands.text(statements, "explain", str(surplus["line"]), "--register", "5", *BY)
    await town.clear()
    assert [one["difference"] for one in await clerk.commands.json(statements, "lines", "--open")] == [-50]
    (owed,) = await clerk.commands.json(statements, "promised")
    assert (owed["balance_kopecks"], owed["registers"][0]["rest_kopecks"]) == (50, 50)
    assert "register 5" in await clerk.commands.text(statements, "promised")
    told = await clerk.commands.json(statements, "line", str(surplus["line"]))
    assert (told["cover"]["by"], told["cover"]["reference"]) == ("register", "5")
    assert "register" in await clerk.commands.text(statements, "line", str(surplus["line"]))
    assert "ошибка банка" in await clerk.commands.text(statements, "lines", "--day", DAY.isoformat())


def test_the_key_is_made_once_in_a_data_folder_and_nowhere_else(tmp_path: Path) -> None:
    config = Config(data_dir=tmp_path)
    sealed = seal_text(personal_sealer(config), 1, line("b1", 1, "тайна"))
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o077 == 0
    assert b"\xd1\x82" not in sealed
    assert personal_sealer(config).unseal(sealed, b"kopeck bank line 1:b1")
    with pytest.raises(NotUnsealed):
        personal_sealer(config).unseal(sealed, b"kopeck bank line 1:b2")
    assert FILE_NAME in OWN_NAMES, "what is cleaned away is erased"
    with pytest.raises(ConfigError, match="is not there"):
        personal_sealer(Config(data_dir=tmp_path, personal_key_file=str(tmp_path / "other")))
    (tmp_path / "short").write_text("abc\n", "ascii")
    with pytest.raises(ConfigError, match="64 hexadecimal"):
        personal_sealer(Config(data_dir=tmp_path, personal_key_file=str(tmp_path / "short")))


def test_a_new_key_goes_in_front_of_the_old_one(tmp_path: Path) -> None:
    config = Config(data_dir=tmp_path)
    sealed = personal_sealer(config).seal(b"x", b"row")
    path = tmp_path / FILE_NAME
    path.write_text(f"{'ab' * 32}\n{path.read_text('ascii')}", "ascii")
    assert personal_sealer(config).unseal(sealed, b"row") == b"x"
