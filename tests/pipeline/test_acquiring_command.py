"""``kopeck acquiring`` against a bank over HTTP: a page to pay at, a lost payment found, what was told."""

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import asyncpg
import msgspec
import pytest

from connectors.sandbox.rbs import RbsSandbox, RbsSandboxOptions
from kopeck.channels import parse_channels, register_channels
from kopeck.clock import utc_now
from kopeck.commands.acquiring import acquiring
from kopeck.commands.refunds import refunds
from schemas.exchange import HttpRequest
from tests.conftest import LedgerDatabase
from tests.pipeline.acquirer_bank import served_bank
from tests.pipeline.acquirers import ACQUIRING_SQL
from tests.pipeline.conftest import Town
from tests.pipeline.proof import booked_keys
from tests.scenarios.test_explain import Commands

TRANSIT_ACCOUNT, BANK_BIC = "40911810101850000000", "044525593"
CHANNELS = f"""
[[transit]]
account = "{TRANSIT_ACCOUNT}"
bic = "{BANK_BIC}"
title = "Transit"

[[space]]
name = "acquirer"

[[channel]]
name = "web"
kind = "rbs"
manner = "reporting"
legal_kind = "acquirer"
space = "acquirer"
transit = "{TRANSIT_ACCOUNT}"
namespace = "town"
secrets = ["callback-secret-of-tests"]
acquirer = {{ base_url = "URL", user = "sandbox", password = "sandbox" }}

[[channel]]
name = "evening"
kind = "register"
manner = "reporting"
legal_kind = "acquirer"
space = "acquirer"
transit = "{TRANSIT_ACCOUNT}"
namespace = "town"
"""


@pytest.fixture
async def bank(tmp_path: Path) -> AsyncIterator[RbsSandbox]:
    fake = RbsSandbox(RbsSandboxOptions())
    async with served_bank(fake) as url:
        tmp_path.joinpath("channels.toml").write_text(CHANNELS.replace("URL", url), "utf-8")
        yield fake


@pytest.fixture
async def commands(town: Town, redis_url: str) -> Commands:
    made = Commands(town.database)
    made.environ["KOPECK_POSTGRES_GATEWAY_DSN"] = town.database.gateway_dsn
    return made


def given(folder: Path, *more: str) -> tuple[str, ...]:
    """The options of a start."""
    return ("--channels", str(folder / "channels.toml"), "--channel", "web", "--account", "1001", *more)


async def test_a_payment_is_started_paid_lost_and_found(
    bank: RbsSandbox, commands: Commands, ledger_database: LedgerDatabase, tmp_path: Path
) -> None:
    told = await commands.json(acquiring, "start", *given(tmp_path, "--amount", "12.34"))
    again = await commands.json(acquiring, "start", *given(tmp_path, "--amount", "12.34", "--number", told["number"]))
    assert again == told
    order = bank.book.find("", told["number"])
    assert (order.amount_kopecks, order.order_id in told["page"]) == (1234, True)
    bank.pay(order.order_id, utc_now())
    handed = HttpRequest(
        method="POST",
        url="http://127.0.0.1/refund.do",
        body=f"userName=sandbox&password=sandbox&orderId={order.order_id}&amount=34&externalRefundId=r-1".encode(),
    )
    bank.handle(handed, utc_now())
    result = await commands.run(acquiring, "poll", "--channels", str(tmp_path / "channels.toml"), "--json")
    polled = msgspec.json.decode(result.stdout)
    assert "event='event.found'" in result.stderr and "event='exchange'" not in result.stderr
    assert (polled["found"], polled["again"]) == (2, 0)
    assert "0 payments and events found" in await commands.text(acquiring, "poll", "--channels", str(tmp_path / "channels.toml"))
    connection = await asyncpg.connect(ledger_database.owner_dsn)
    assert await booked_keys(connection) == [order.order_id]
    await connection.close()
    (event,) = await commands.json(acquiring, "events", "--channel", "web")
    assert (event["act"], event["amount"], event["payment"]) == ("refunded", 34, order.order_id)
    assert "refunded" in await commands.text(acquiring, "events")
    assert await commands.json(acquiring, "events", "--channel", "evening") == []


async def test_what_was_taken_back_is_asked_back_of_the_acquirer_once(
    bank: RbsSandbox, commands: Commands, ledger_database: LedgerDatabase, tmp_path: Path
) -> None:
    told = await commands.json(acquiring, "start", *given(tmp_path, "--amount", "12.34"))
    order = bank.book.find("", told["number"])
    bank.pay(order.order_id, utc_now())
    channels = ("--channels", str(tmp_path / "channels.toml"))
    await commands.json(acquiring, "poll", *channels)
    paid = await commands.run(acquiring, "refund", "1:1", *channels, "--by", "anna")
    assert (paid.exit_code, "no refund and no reversal" in paid.output) == (2, True), paid.output
    decided = await commands.json(refunds, "reverse", "1:1", "--amount", "2.34", "--by", "anna")
    place = f"{decided['book']}:{decided['sequence']}"
    ordered = await commands.json(acquiring, "refund", place, *channels, "--by", "anna")
    assert (ordered["payment"], ordered["amount_kopecks"], ordered["channel"]) == (order.order_id, 234, "web")
    assert await commands.json(acquiring, "refund", place, *channels, "--by", "boris") == ordered
    connection = await asyncpg.connect(ledger_database.owner_dsn)
    assert await connection.fetchval(ACQUIRING_SQL["count_refund_orders"]) == 1
    await connection.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--amount", "1e3"), "--amount"),
        (("--amount", "0"), "more than nought"),
        (("--amount", "1", "--number", "№1"), "--number"),
        (("--amount", "1", "--account", "nobody"), "no account has the number"),
        (("--amount", "1", "--account", "closed"), "the account is closed"),
        (("--amount", "1", "--channel", "nobody"), "there is no channel nobody"),
        (("--amount", "1", "--channel", "evening"), "starts no payments"),
    ],
)
async def test_what_cannot_be_started_ends_with_2_and_says_why(
    bank: RbsSandbox, commands: Commands, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    result = await commands.run(acquiring, "start", *given(tmp_path, *options))
    assert (result.exit_code, message in result.output) == (2, True), result.output


async def test_what_is_exchanged_with_a_bank_is_told_to_who_asks_for_it(
    bank: RbsSandbox, commands: Commands, tmp_path: Path
) -> None:
    commands.environ["KOPECK_LOG_LEVEL"] = "debug"
    result = await commands.run(acquiring, "start", *given(tmp_path, "--amount", "1"))
    assert (result.exit_code, "event='exchange'" in result.stderr) == (0, True), result.output


async def test_a_refusal_of_the_bank_is_told(bank: RbsSandbox, commands: Commands, tmp_path: Path) -> None:
    path = tmp_path / "channels.toml"
    path.write_text(path.read_text("utf-8").replace('password = "sandbox"', 'password = "wrong"'), "utf-8")
    result = await commands.run(acquiring, "start", *given(tmp_path, "--amount", "1"))
    assert result.exit_code == 2
    assert "5:" in result.output and "wrong" not in result.output


async def test_registering_the_file_twice_changes_nothing(
    bank: RbsSandbox, ledger_database: LedgerDatabase, tmp_path: Path
) -> None:
    connection = await asyncpg.connect(ledger_database.services_dsn)
    file = parse_channels(tmp_path.joinpath("channels.toml").read_text("utf-8"), folder=tmp_path, environ={})
    first = await register_channels(connection, file, today=date(2026, 11, 24))
    assert first == await register_channels(connection, file, today=date(2026, 11, 25))
    await connection.close()
