"""``kopeck webhooks`` on a real ledger: endpoints come, change their secrets and go; what they were told is told again."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from connectors.banks.standard_webhooks import parse_secret
from kopeck.clock import utc_now
from kopeck.commands.webhooks import webhooks
from schemas.delivery import OrderState
from services.webhooks.endpoints import find_target
from services.webhooks.sealing import Sealer
from tests.conftest import LedgerDatabase
from tests.read_town import WEIGHTS, build_town
from tests.scenarios.test_explain import Commands
from tests.services.webhook_desk import KEY, SQL, WebhookDesk

URL = "https://hooks.example.ru/kopeck"
BY = ("--by", "anna")


class Clerk:
    """Types the commands that need the key; ``desk`` looks at what became of it."""

    def __init__(self, commands: Commands, desk: WebhookDesk, file: Path) -> None:
        self.commands = commands
        self.desk = desk
        self.key = ("--counterparties", str(file))

    async def add(self, *events: str, recipient: str = "TEPLO") -> tuple[int, str]:
        """Register an endpoint; its number and secret."""
        wanted = [word for event in events or ("payment.split",) for word in ("--event", event)]
        told = await self.commands.json(webhooks, "endpoint", "add", recipient, URL, *wanted, *BY, *self.key)
        return told["endpoint"], told["secret"]

    async def pay(self) -> None:
        """One payment of which TEPLO hears."""
        first, *_ = self.desk.town.tables
        await self.desk.town.pay(first, sum(WEIGHTS))
        await self.desk.fold()

    async def events(self, endpoint: int) -> list[dict[str, object]]:
        """What the endpoint was told."""
        told: list[dict[str, object]] = await self.commands.json(webhooks, "events", "list", str(endpoint))
        return told


@pytest.fixture
async def clerk(ledger_database: LedgerDatabase, tmp_path: Path) -> AsyncIterator[Clerk]:
    """A town nobody listens to yet, and a counterparties' file with the sealing key."""
    town = await build_town(ledger_database.owner_dsn)
    services = await asyncpg.connect(ledger_database.services_dsn)
    file = tmp_path / "counterparties.toml"
    file.write_text(f'[webhooks]\nkey = "{KEY.hex()}"\n', "utf-8")
    yield Clerk(Commands(ledger_database), WebhookDesk(town=town, services=services, sealer=Sealer((KEY,))), file)
    await services.close()
    await town.connection.close()


async def test_an_endpoint_is_registered_and_its_secret_shown_once(clerk: Clerk) -> None:
    number, secret = await clerk.add("payment.split", "transfer.executed")
    target = await find_target(clerk.desk.services, number, clerk.desk.sealer, utc_now())
    assert target is not None and target.secrets == (parse_secret(secret),)
    (shown,) = await clerk.commands.json(webhooks, "endpoint", "list")
    assert (shown["recipient"], shown["url"], shown["active"], shown["secrets"]) == ("TEPLO", URL, True, 1)
    assert sorted(shown["events"]) == ["payment.split", "transfer.executed"]
    text = await clerk.commands.text(webhooks, "endpoint", "list", "--recipient", "TEPLO")
    assert "active" in text and secret not in text
    assert await clerk.commands.json(webhooks, "endpoint", "list", "--recipient", "UK") == []


async def test_without_a_key_it_is_said_what_is_missing(clerk: Clerk, tmp_path: Path) -> None:
    add = ("endpoint", "add", "TEPLO", URL, "--event", "payment.split", *BY)
    keyless, broken = tmp_path / "keyless.toml", tmp_path / "broken.toml"
    keyless.write_text("", "utf-8")
    broken.write_text('[webhooks]\nkey = "short"\n', "utf-8")
    for arguments, words in (
        (add, "give --counterparties FILE whose table [webhooks] has key"),
        ((*add, "--counterparties", str(keyless)), "has no table [webhooks] with a key"),
        ((*add, "--counterparties", str(broken)), "a key has 64 hexadecimal digits"),
        (("endpoint", "rotate", "1", *BY), "the key that seals it is missing"),
    ):
        result = await clerk.commands.run(webhooks, *arguments)
        assert (result.exit_code, words in result.output) == (2, True), result.output
    assert await clerk.commands.json(webhooks, "endpoint", "list") == []


WRONG = [
    (("endpoint", "add", "NOBODY", URL, "--event", "payment.split", *BY), "NOBODY"),
    (("endpoint", "add", "TEPLO", "http://hooks.example.ru/", "--event", "payment.split", *BY), "https"),
    (("endpoint", "rotate", "77", *BY), "endpoint 77 is not active"),
]


@pytest.mark.parametrize(("arguments", "words"), WRONG)
async def test_a_bad_endpoint_is_refused(clerk: Clerk, arguments: tuple[str, ...], words: str) -> None:
    result = await clerk.commands.run(webhooks, *arguments, *clerk.key)
    assert (result.exit_code, words in result.output) == (2, True), result.output
    assert "whsec_" not in result.output


async def test_a_secret_is_rotated(clerk: Clerk) -> None:
    number, first = await clerk.add()
    rotate = ("endpoint", "rotate", str(number), *BY, *clerk.key)
    second = (await clerk.commands.json(webhooks, *rotate))["secret"]
    target = await find_target(clerk.desk.services, number, clerk.desk.sealer, utc_now())
    assert target is not None and target.secrets == (parse_secret(second), parse_secret(first))
    result = await clerk.commands.run(webhooks, *rotate, "--overlap-hours", "0")
    assert result.exit_code == 0 and "whsec_" in result.stdout and "shown this once" in result.stderr
    target = await find_target(clerk.desk.services, number, clerk.desk.sealer, utc_now())
    assert target is not None and len(target.secrets) == 1 and parse_secret(first) not in target.secrets


async def test_what_was_told_is_listed_and_told_again(clerk: Clerk) -> None:
    number, _ = await clerk.add()
    await clerk.pay()
    (event,) = await clerk.events(number)
    assert (event["type"], event["body"]["data"]["total_kopecks"]) == ("payment.split", WEIGHTS[0])  # type: ignore[index]
    assert [one["state"] for one in event["sendings"]] == ["waiting"]  # type: ignore[attr-defined]
    told = await clerk.commands.json(webhooks, "replay", str(event["event"]), *BY)
    assert told == {"keys": [f"{event['message_id']}/2"]}
    (again,) = await clerk.events(number)
    assert [one["asked_by"] for one in again["sendings"]] == [None, "anna"]  # type: ignore[attr-defined]
    text = await clerk.commands.text(webhooks, "events", "list", str(number), "--limit", "1")
    assert "payment.split" in text and "waiting" in text and "anna" in text


async def test_all_that_was_refused_is_told_again(clerk: Clerk) -> None:
    number, _ = await clerk.add()
    await clerk.pay()
    (row,) = await clerk.desk.events()
    await clerk.desk.town.connection.execute(SQL["finish"], row["number"], OrderState.REFUSED, "HTTP 500")
    again = ("replay", "--endpoint", str(number), *BY, "--since")
    assert await clerk.commands.json(webhooks, *again, "2199-01-01") == {"keys": []}
    assert "1 on their way again" in await clerk.commands.text(webhooks, *again, "2026-01-01T00:00:00")
    assert "0 on their way again: none" in await clerk.commands.text(webhooks, *again, "2026-01-01")


async def test_an_endpoint_is_tried(clerk: Clerk) -> None:
    number, _ = await clerk.add()
    told = await clerk.commands.json(webhooks, "test", str(number), *BY)
    (event,) = await clerk.events(number)
    assert (event["type"], event["message_id"]) == ("webhook.test", told["message_id"])
    assert f"to endpoint {number}" in await clerk.commands.text(webhooks, "test", str(number), *BY)


async def test_an_ended_endpoint_takes_nothing_more(clerk: Clerk) -> None:
    number, _ = await clerk.add()
    await clerk.pay()
    end = ("endpoint", "end", str(number), *BY, "--why", "moved")
    assert await clerk.commands.json(webhooks, *end) == {"endpoint": number, "cancelled": 1}
    assert "ended by anna: moved" in await clerk.commands.text(webhooks, "endpoint", "list")
    (event,) = await clerk.events(number)
    for arguments, words in (
        (end, "is not active"),
        (("replay", str(event["event"]), *BY), "takes no messages"),
        (("replay", "77", *BY), "there is no event 77"),
        (("replay", *BY), "either an EVENT"),
        (("replay", "1", "--endpoint", "1", *BY), "either an EVENT"),
        (("test", str(number), *BY), "takes no messages"),
    ):
        result = await clerk.commands.run(webhooks, *arguments)
        assert (result.exit_code, words in result.output) == (2, True), result.output


async def test_a_receiver_that_is_gone_is_shown_as_closed(clerk: Clerk) -> None:
    number, _ = await clerk.add()
    await clerk.desk.town.connection.execute(SQL["close_counterparty"], f"webhook:{number}")
    assert "closed by its owner: gone" in await clerk.commands.text(webhooks, "endpoint", "list")
