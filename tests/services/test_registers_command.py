"""``kopeck registers`` from the command line: loaded, loaded again, shown, recognised, refused in plain words."""

import csv
import secrets
from collections.abc import AsyncIterator
from datetime import datetime, time, timedelta
from pathlib import Path

import asyncpg
import pytest

from connectors.sandbox.registers import RegisterFault, SentRegister, write_sent
from kopeck.clock import utc_now
from kopeck.commands.registers import registers
from services.sealing import KEY_BYTES
from tests.connectors.register_samples import DESCRIPTION, MOSCOW
from tests.pipeline import conftest as pipeline_town
from tests.pipeline.conftest import Town
from tests.scenarios.test_explain import Commands
from tests.services.register_house import REGISTER_SQL, RegisterHouse, agent_register, payment, register_house

owner, town = pipeline_town.owner, pipeline_town.town
CHANNELS = """
[[transit]]
account = "40911810101850000000"
bic = "044525593"
title = "Test bank"

[[space]]
name = "agent"

[[space]]
name = "terminals"

[[channel]]
name = "net"
kind = "osmp"
manner = "asking"
legal_kind = "bank"
space = "terminals"
transit = "40911810101850000000"
namespace = "town"
basic_user = "net"
basic_password = "net-password"

[[channel]]
name = "agent"
kind = "register"
manner = "reporting"
legal_kind = "payment_agent"
space = "agent"
transit = "40911810101850000000"
namespace = "town"

[[channel]]
name = "evening"
kind = "register"
manner = "reporting"
legal_kind = "payment_agent"
space = "terminals"
transit = "40911810101850000000"
namespace = "town"
"""
SENT = agent_register(payment(1, "1001", 1_500, fee_kopecks=15), payment(2, "1002"), payment(3, "nobody", payer="Петров Пётр"))


@pytest.fixture
async def house(town: Town, owner: asyncpg.Connection, redis_url: str) -> AsyncIterator[RegisterHouse]:
    async with register_house(town, owner, redis_url) as made:
        yield made


class Desk:
    """The commands, a folder for files, and the channels' file."""

    def __init__(self, house: RegisterHouse, folder: Path) -> None:
        self.commands = Commands(house.town.database)
        key = folder / "personal.key"
        key.write_text(secrets.token_bytes(KEY_BYTES).hex())
        self.commands.environ |= {
            "KOPECK_POSTGRES_GATEWAY_DSN": house.town.database.gateway_dsn,
            "KOPECK_PERSONAL_KEY_FILE": str(key),
        }
        self.folder = folder
        self.channels = folder / "channels.toml"
        self.channels.write_text(CHANNELS, "utf-8")

    def file(self, name: str, sent: SentRegister, fault: RegisterFault = RegisterFault.NONE) -> str:
        """A register's file in a format."""
        path = self.folder / f"{name}-{fault.value}.txt"
        path.write_bytes(write_sent(name, sent, fault))
        return str(path)

    def load(self, file: str, channel: str = "agent") -> list[str]:
        """Arguments of a load."""
        return ["load", file, "--channel", channel, "--channels", str(self.channels), "--by", "kassir"]


@pytest.fixture
def desk(house: RegisterHouse, tmp_path: Path) -> Desk:
    return Desk(house, tmp_path)


async def test_a_register_is_loaded_shown_and_loaded_again(house: RegisterHouse, desk: Desk) -> None:
    file = desk.file("sber", SENT)
    first = await desk.commands.json(registers, *desk.load(file))
    assert first["again"] is None and first["register"]["outcomes"] == {"recorded": 2, "suspense": 1}
    assert (first["register"]["purpose"], first["register"]["loaded_by"]) == ("payments", "kassir")
    assert [line["outcome"] for line in first["lines"]] == ["recorded", "recorded", "suspense"]
    assert [row["row"] for row in await house.owner.fetch(REGISTER_SQL["list_sealed"])] == [3]
    again = await desk.commands.text(registers, *desk.load(file))
    assert "This register was taken on" in again and "every line is known, nothing was changed" in again
    assert all(f"op-{place}" in again for place in (1, 2, 3)) and "Петров" not in again
    assert len(await house.entries()) == 3
    number = first["register"]["register"]
    assert "to come 34,80 roubles" in await desk.commands.text(registers, "show", str(number))
    listed = await desk.commands.json(registers, "list", "--channel", "agent")
    assert [one["register"] for one in listed] == [number]
    assert "recorded 2, suspense 1" in await desk.commands.text(registers, "list")


async def test_lines_are_written_as_csv(house: RegisterHouse, desk: Desk) -> None:
    loaded = await desk.commands.json(registers, *desk.load(desk.file("kopeck", SENT)))
    out = desk.folder / "lines.csv"
    told = await desk.commands.text(registers, "show", str(loaded["register"]["register"]), "--csv", str(out))
    assert f"3 lines written to {out}" in told
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["key"], row["amount"], row["outcome"], row["reason"]) for row in rows] == [
        ("op-1", "15.00", "recorded", ""),
        ("op-2", "10.00", "recorded", ""),
        ("op-3", "10.00", "suspense", "account_unknown"),
    ]


async def test_a_space_with_an_online_channel_is_reconciled_and_what_is_missing_listed(house: RegisterHouse, desk: Desk) -> None:
    yesterday = utc_now().astimezone(MOSCOW).date() - timedelta(days=1)
    noon = datetime.combine(yesterday, time(12), MOSCOW)
    payments = [payment(place, "1001", moment=noon) for place in (1, 2)]
    for one in payments:
        sent = agent_register(one, number=one.operation, day=yesterday)
        await house.load("kopeck", sent, channel=house.evening, at=utc_now())
    evening = desk.file("sber", agent_register(payments[0], payment(3, "1002", moment=noon), day=yesterday))
    loaded = await desk.commands.json(registers, *desk.load(evening, "evening"))
    assert loaded["register"]["purpose"] == "reconciliation"
    assert [(line["outcome"], line["lost"]) for line in loaded["lines"]] == [("matched", False), ("recorded", True)]
    missing = await desk.commands.json(registers, "missing", "--channel", "evening", "--day", yesterday.isoformat())
    assert [one["external_id"] for one in missing["payments"]] == ["op-2"]
    told = await desk.commands.text(registers, "missing", "--channel", "net", "--day", yesterday.isoformat())
    assert f"0 payments of net on {yesterday} stand in no register" in told


async def test_a_file_with_faults_is_refused_with_every_one_and_nothing_is_changed(house: RegisterHouse, desk: Desk) -> None:
    broken = desk.folder / "broken.txt"
    broken.write_bytes(
        write_sent("sber", SENT).replace(b";15.00;", b";15.001;").replace(b"01-11-2026;10-02", b"31-11-2026;10-02")
    )
    result = await desk.commands.run(registers, *desk.load(str(broken)), "--format", "sber")
    assert result.exit_code == 2
    assert "broken.txt: 2 faults; nothing was loaded" in result.stderr
    assert "line 1: amount: is '15.001', expected roubles with at most two decimals" in result.stderr
    assert "line 2: date: is '31-11-2026', which is no day of the calendar" in result.stderr
    assert await house.counts() == (0, 0, 0) and await house.entries() == []


async def test_a_register_taken_for_one_channel_is_not_booked_for_another_of_the_space(house: RegisterHouse, desk: Desk) -> None:
    await desk.commands.text(registers, *desk.load(desk.file("kopeck", SENT), "evening"))
    desk.channels.write_text(f"{CHANNELS}{CHANNELS[CHANNELS.rindex('[[channel]]') :].replace('evening', 'morning')}", "utf-8")
    result = await desk.commands.run(registers, *desk.load(desk.file("kopeck", SENT), "morning"))
    assert result.exit_code == 2 and "taken for another channel of space terminals" in result.stderr


async def test_other_lines_under_a_known_number_are_refused(house: RegisterHouse, desk: Desk) -> None:
    await desk.commands.text(registers, *desk.load(desk.file("kopeck", SENT)))
    other = desk.file("kopeck", agent_register(payment(9, "1003")))
    result = await desk.commands.run(registers, *desk.load(other))
    assert result.exit_code == 2 and "register 7 of 2026-11-01 was taken on" in result.stderr


@pytest.mark.parametrize(
    ("channel", "told"),
    [("net", "channel net is of kind osmp"), ("nought", "channels of kind register: agent, evening")],
)
async def test_a_channel_that_takes_no_registers_is_refused(desk: Desk, channel: str, told: str) -> None:
    result = await desk.commands.run(registers, *desk.load(desk.file("kopeck", SENT), channel))
    assert result.exit_code == 2 and told in result.stderr


async def test_what_is_not_there_ends_with_one_clear_line(desk: Desk) -> None:
    file = desk.file("kopeck", SENT)
    for arguments, told in (
        (["show", "77"], "no register 77"),
        (["missing", "--channel", "nought", "--day", "2026-11-01"], "no channel 'nought'"),
        (["missing", "--channel", "net", "--day", "2026-11-01", "--zone", "Europe/Moskva"], "No time zone found"),
        (["load", file, "--channel", "agent", "--by", "k"], "name your channels with --channels FILE"),
        ([*desk.load(file), "--format", "sbre"], "format 'sbre' is none of"),
        ([*desk.load(file), "--format", str(desk.folder / "gone.toml")], "gone.toml: cannot be read"),
        ([*desk.load(file), "--format", "sber"], "nothing was loaded"),
    ):
        result = await desk.commands.run(registers, *arguments)
        assert result.exit_code == 2 and told in result.stderr, (arguments, result.output)


async def test_formats_are_listed_and_files_recognised(desk: Desk) -> None:
    assert len(await desk.commands.json(registers, "formats")) >= 8
    assert "payment-batch" in await desk.commands.text(registers, "formats")
    found = await desk.commands.json(registers, "detect", desk.file("dbf", SENT))
    assert (found["format"], found["lines"], found["total_kopecks"]) == ("dbf", 3, 3_500)
    told = await desk.commands.text(registers, "detect", desk.file("xlsx", SENT))
    assert "xlsx, 3 payments, paid 35,00, fee 0,20 roubles" in told
    letter = desk.folder / "letter.txt"
    letter.write_text("Здравствуйте!\n", "utf-8")
    result = await desk.commands.run(registers, "detect", str(letter))
    assert result.exit_code == 2 and "letter.txt: no format accepts it" in result.stderr and "sber: " in result.stderr


async def test_a_description_of_ones_own_is_used(house: RegisterHouse, desk: Desk) -> None:
    mine, file = desk.folder / "mine.toml", desk.folder / "mine.csv"
    mine.write_text(DESCRIPTION, "utf-8")
    file.write_bytes(b"a,2026-11-01,1001,12.34\n")
    loaded = await desk.commands.json(registers, *desk.load(str(file)), "--format", str(mine))
    assert loaded["register"]["format"] == "mine" and loaded["register"]["total"] == 1_234
    assert len(await house.entries()) == 1
