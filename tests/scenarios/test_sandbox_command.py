"""``kopeck sandbox``: a counterparty by itself, spoken to over HTTP and calling back."""

import asyncio
import re
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs

import aiohttp
import pytest
from aiohttp import web

from connectors.acquiring.rbs_checksum import CHECKSUM, signed_text, symmetric_checksum

PATIENCE_S = 30


@asynccontextmanager
async def sandbox(*arguments: str) -> AsyncIterator[str]:
    """The command's process; its address."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "kopeck", "sandbox", *arguments, "--port", "0", stdout=PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert process.stdout is not None
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), PATIENCE_S)).decode()
        found = re.search(r"http://\S+?(?=;)", line)
        assert found, line
        yield found[0]
    finally:
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), PATIENCE_S) == 0


@asynccontextmanager
async def merchant() -> AsyncIterator[tuple[str, "asyncio.Queue[dict[str, str]]"]]:
    """A merchant's address for callbacks, and what came there."""
    came: asyncio.Queue[dict[str, str]] = asyncio.Queue()

    async def take(request: web.BaseRequest) -> web.Response:
        await came.put({name: values[0] for name, values in parse_qs((await request.read()).decode()).items()})
        return web.Response()

    runner = web.ServerRunner(web.Server(take))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    yield f"http://127.0.0.1:{port}/rbs/shop", came
    await runner.cleanup()


async def test_an_acquirer_takes_a_payment_and_calls_with_a_checksum() -> None:
    async with merchant() as (address, came), sandbox("rbs", "--callback-url", address) as url, aiohttp.ClientSession() as client:
        order = {"userName": "sandbox", "password": "sandbox", "orderNumber": "7", "amount": "12345", "returnUrl": "http://x/"}
        async with client.post(f"{url}/register.do", data=order) as answer:
            order_id = (await answer.json(content_type=None))["orderId"]
        async with client.post(f"{url}/sandbox/pay", data={"orderId": order_id}) as answer:
            assert answer.status == 200
        told = await asyncio.wait_for(came.get(), PATIENCE_S)
    assert (told["mdOrder"], told["operation"], told["status"], told["amount"]) == (order_id, "deposited", "1", "12345")
    assert told[CHECKSUM] == symmetric_checksum("sandbox-callback-secret", signed_text(told))


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("atol", "--faults", "duplicates"), "atol has refused"),
        (("ferma", "--callback-url", "http://127.0.0.1/"), "ferma calls nobody"),
        (("rbs", "--option", "fee_permille"), "must be NAME=VALUE"),
        (("rbs", "--option", "nothing=1"), "nothing"),
        (("bank",), "accounts"),
    ],
)
async def test_what_cannot_be_played_is_refused(arguments: tuple[str, ...], fault: str) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "kopeck", "sandbox", *arguments, stderr=PIPE)
    _, told = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode == 2 and fault in told.decode()


async def test_a_bank_of_webhooks_leaves_its_public_key(tmp_path: Path) -> None:
    async with (
        sandbox("tochka", "--folder", str(tmp_path)) as url,
        aiohttp.ClientSession() as client,
        client.get(f"{url}/nothing") as answer,
    ):
        assert answer.status == 404
    assert '"kid"' in (tmp_path / "tochka-jwks.json").read_text()
    assert "PRIVATE" not in (tmp_path / "tochka-jwks.json").read_text()
