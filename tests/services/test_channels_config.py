"""Channel configuration: every fault is named by its key; registration gives numbers once and never moves money."""

import re
from collections.abc import AsyncIterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from kopeck.channels import ChannelConfigError, parse_channels, read_channels, register_channels
from kopeck.demo.channels import demo_channels_file
from kopeck.demo.recipients import BANK_BIC, TRANSIT_ACCOUNT
from ledger.statements import load_statements
from tests.conftest import LedgerDatabase

ROOT = Path(__file__).resolve().parents[2]
TODAY = date(2026, 11, 24)
_SQL = load_statements("tests/statements/channels.sql")

GOOD = f"""
[[transit]]
account = "{TRANSIT_ACCOUNT}"
bic = "{BANK_BIC}"
title = "Transit"

[[space]]
name = "terminals"

[[space]]
name = "bank"

[[channel]]
name = "kiosk"
kind = "osmp"
manner = "asking"
legal_kind = "payment_agent"
space = "terminals"
transit = "{TRANSIT_ACCOUNT}"
namespace = "epd"
allow_networks = ["10.0.0.0/8"]
limits = {{ amount_max_kopecks = 1500000, deadline_ms = 5000 }}

[[channel]]
name = "feed"
kind = "bank_feed"
manner = "reporting"
legal_kind = "bank"
space = "bank"
transit = "{TRANSIT_ACCOUNT}"
namespace = "epd"
secrets = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
"""

FAULTS = [
    ('title = "Transit"', 'title = "Transit"\nowner = "x"', "unknown field `owner` - at `$.transit[0]`"),
    ('name = "kiosk"', 'name = "kiosk"\nlimit = 3', "unknown field `limit` - at `$.channel[0]`"),
    ("deadline_ms = 5000", "deadline = 5000", "unknown field `deadline` - at `$.channel[0].limits`"),
    ("[[transit]]", "[[transits]]", "transits"),
    ('kind = "osmp"', 'kind = "soap"', "Invalid enum value 'soap' - at `$.channel[0].kind`"),
    ('namespace = "epd"\nallow', "allow", "missing required field `namespace`"),
    ("amount_max_kopecks = 1500000", 'amount_max_kopecks = "1e3"', "$.channel[0].limits.amount_max_kopecks"),
    (f'account = "{TRANSIT_ACCOUNT}"', 'account = "40911810900000000001"', "the check digit of account does not fit"),
    (f'account = "{TRANSIT_ACCOUNT}"', 'account = "40702810400000000001"', "start with 40911"),
    (f'bic = "{BANK_BIC}"', 'bic = "44525593"', "bic must be 9 digits"),
    ('name = "terminals"', 'name = "terminal"', "channel kiosk: space terminals is not in the file"),
    ('name = "bank"\n', 'name = "terminals"\n', "space terminals: stands twice"),
    ('name = "bank"\n', 'name = "opening"\n', "space opening: name must be"),
    (f'transit = "{TRANSIT_ACCOUNT}"\nnamespace = "epd"\nallow', 'transit = "1"\nnamespace = "epd"\nallow', "transit 1 is not"),
    ('name = "feed"', 'name = "kiosk"', "channel kiosk: stands twice"),
    ('name = "kiosk"', 'name = "Киоск"', "name must be lower-case Latin"),
    ('manner = "asking"', 'manner = "reporting"', "channel kiosk: manner of kind osmp must be asking"),
    ('manner = "reporting"', 'manner = "asking"', "channel feed: manner of kind bank_feed must be reporting"),
    ('legal_kind = "payment_agent"', 'legal_kind = "acquirer"', "channel kiosk: legal_kind of kind osmp must be one of"),
    ('allow_networks = ["10.0.0.0/8"]', "", "channel kiosk: basic_user or allow_networks is needed"),
    ('allow_networks = ["10.0.0.0/8"]', 'allow_networks = ["10.0.0.1/8"]', "channel kiosk: allow_networks"),
    ('allow_networks = ["10.0.0.0/8"]', 'basic_user = "a"', "basic_user and basic_password go together"),
    ('allow_networks = ["10.0.0.0/8"]', 'basic_user = "a:b"\nbasic_password = "c"', "basic_user must not contain a colon"),
    (
        'allow_networks = ["10.0.0.0/8"]',
        'basic_user = "a"\nbasic_password = "b"\nbasic_password_env = "PASSWORD"',
        "exclude one another",
    ),
    ('allow_networks = ["10', 'secrets = ["0123456789abcdef"]\nallow_networks = ["10', "have no meaning for kind osmp"),
    ('secrets = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]', "", "channel feed: secrets, secret_files or secret_env is needed"),
    ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!", "channel feed: secrets[0]: a webhook secret is not"),
    ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "short", "channel feed: secrets[0]: shorter than 16 bytes"),
    ("secrets = [", 'secret_files = ["absent"]\nsecrets = [', "channel feed: secret_files: absent cannot be read"),
    ("secrets = [", 'secret_env = ["ABSENT"]\nsecrets = [', "channel feed: secret_env: the variable ABSENT is not set"),
    ("secrets = [", 'secret_env = ["KOPECK_BANK"]\nsecrets = [', "names that start with KOPECK_"),
    ("deadline_ms = 5000", "deadline_ms = 0", "channel kiosk: limits: deadline_ms must be at least 1"),
    ("amount_max_kopecks = 1500000", "amount_min_kopecks = 9\namount_max_kopecks = 8", "not TOML"),
    ("amount_max_kopecks = 1500000", "amount_min_kopecks = 9, amount_max_kopecks = 8", "is above amount_max_kopecks"),
    ("[[transit]]", "[transit", "not TOML"),
]


def parse(text: str, environ: Mapping[str, str] | None = None) -> Any:
    return parse_channels(text, folder=Path("/nonexistent"), environ=environ or {})


@pytest.mark.parametrize(("good", "bad", "message"), FAULTS, ids=range(len(FAULTS)))
def test_a_fault_is_named_by_its_key(good: str, bad: str, message: str) -> None:
    assert good in GOOD
    with pytest.raises(ChannelConfigError) as refused:
        parse(GOOD.replace(good, bad, 1))
    assert message in str(refused.value)
    assert "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" not in str(refused.value)


def test_every_fault_is_told_at_once() -> None:
    text = GOOD.replace('manner = "asking"', 'manner = "reporting"').replace("deadline_ms = 5000", "deadline_ms = 0")
    with pytest.raises(ChannelConfigError) as refused:
        parse(text)
    assert len(str(refused.value).splitlines()) == 2


def test_secrets_come_from_files_and_environment(tmp_path: Path) -> None:
    tmp_path.joinpath("bank.secret").write_text("first-secret-of-the-bank\n", "utf-8")
    text = GOOD.replace("secrets = [", 'secret_files = ["bank.secret"]\nsecret_env = ["BANK_SECRET"]\nsecrets = [')
    text = text.replace("allow_networks", 'basic_user = "net"\nbasic_password_env = "NET_PASSWORD"\nallow_networks')
    path = tmp_path / "channels.toml"
    path.write_text(text, "utf-8")
    kiosk, feed = read_channels(path, {"BANK_SECRET": "second-secret-of-the-bank", "NET_PASSWORD": "word"}).channel
    assert feed.secrets[1:] == ("first-secret-of-the-bank", "second-secret-of-the-bank")
    assert (kiosk.basic_user, kiosk.basic_password) == ("net", "word")
    assert "secret" not in repr(feed) and "word" not in repr(kiosk)


def test_the_documented_example_is_read(tmp_path: Path) -> None:
    example = re.search(r"```toml\n(.*?)```", ROOT.joinpath("docs/channels.md").read_text("utf-8"), re.DOTALL)
    assert example is not None
    for name in ("bank.secret", "bank-next.secret"):
        tmp_path.joinpath(name).write_text(f"sixteen bytes of {name}", "utf-8")
    path = tmp_path / "channels.toml"
    path.write_text(example[1], "utf-8")
    terminals, bank = read_channels(path, {"TERMINALS_PASSWORD": "word"}).channel
    assert (terminals.name, terminals.basic_password, terminals.limits.deadline_ms) == ("terminals", "word", 5_000)
    assert len(bank.secrets) == 2


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ChannelConfigError, match=r"absent\.toml: cannot be read"):
        read_channels(tmp_path / "absent.toml", {})


def test_the_demo_s_file_is_private_and_kept(tmp_path: Path) -> None:
    path = demo_channels_file(tmp_path)
    first = path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert demo_channels_file(tmp_path).read_bytes() == first
    kinds = {channel.kind.value for channel in read_channels(path, {}).channel}
    assert kinds == {"osmp", "sber_online", "bank_feed", "rbs", "tbank", "tochka", "register", "statement"}
    asked = next(
        one for one in read_channels(demo_channels_file(tmp_path, "http://127.0.0.1:8060"), {}).channel if one.kind == "rbs"
    )
    assert asked.acquirer.base_url == "http://127.0.0.1:8060/rbs" and asked.acquirer.password
    assert demo_channels_file(tmp_path).read_bytes() == first


@pytest.fixture
async def services(ledger_database: LedgerDatabase) -> AsyncIterator["asyncpg.Connection[Any]"]:
    connection = await asyncpg.connect(ledger_database.services_dsn)
    yield connection
    await connection.close()


async def test_registration_gives_numbers_once(services: "asyncpg.Connection[Any]") -> None:
    file = parse(GOOD)
    first = await register_channels(services, file, today=TODAY)
    again = await register_channels(services, file, today=date(2026, 12, 1))
    assert again == first
    assert [channel.name for channel in first] == ["kiosk", "feed"]
    assert first[0].transit == first[1].transit and first[0].space != first[1].space
    assert (first[0].space_name, first[0].amount_max_kopecks, first[0].deadline_ms) == ("terminals", 1_500_000, 5_000)
    assert await services.fetchval(_SQL["fetch_open_day"], first[0].transit) == TODAY


async def test_a_later_file_may_add_channels(services: "asyncpg.Connection[Any]") -> None:
    known = await register_channels(services, parse(GOOD), today=TODAY)
    kiosk = GOOD.split("[[channel]]")[1]
    one_more = f"{GOOD}[[channel]]{kiosk.replace('kiosk', 'second')}"
    found = await register_channels(services, parse(one_more), today=TODAY)
    assert found[:2] == known
    assert found[2].name == "second" and found[2].space == known[0].space


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('space = "terminals"', 'space = "bank"', "channel kiosk: its space and transit are registered as terminals"),
        ("providers = []", 'providers = ["nobody"]', "providers: not loaded as recipients: nobody"),
    ],
)
async def test_a_refused_registration_changes_nothing(
    services: "asyncpg.Connection[Any]", old: str, new: str, message: str
) -> None:
    text = GOOD.replace("allow_networks", "providers = []\nallow_networks")
    known = await register_channels(services, parse(text), today=TODAY)
    changed = text.replace(old, new, 1) + GOOD[GOOD.index("[[channel]]") :].replace('"kiosk"', '"k2"').replace('"feed"', '"f2"')
    with pytest.raises(ChannelConfigError, match=message):
        await register_channels(services, parse(changed), today=TODAY)
    assert await services.fetchval(_SQL["count_channels"]) == len(known)


async def test_manner_of_speaking_may_change(services: "asyncpg.Connection[Any]") -> None:
    first = await register_channels(services, parse(GOOD), today=TODAY)
    changed = GOOD.replace('legal_kind = "payment_agent"', 'legal_kind = "bank_payment_agent"')
    second = await register_channels(services, parse(changed), today=TODAY)
    assert (second[0].number, second[0].legal_kind) == (first[0].number, "bank_payment_agent")
