"""An RBS bank beside the town: the sandbox's fake, its callbacks sent to a gateway or lost, its interface asked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import asyncpg
import msgspec
from aiohttp import web

from connectors.acquiring.rbs_client import RbsClient
from connectors.sandbox.callbacks import CallbackFaults
from connectors.sandbox.rbs import RbsSandbox, RbsSandboxOptions, SigningKey
from kopeck.acquirer_sections import rbs_settings
from kopeck.clock import utc_now
from schemas.channel import AcquirerTerms, Channel, ChannelKind
from schemas.exchange import ExchangeFailed, HttpAnswer, HttpRequest
from services.acquiring.orders import Started, Wanted, start_payment
from tests.pipeline.acquirers import add_channels
from tests.pipeline.conftest import Gateway, Town

SECRET = "callback-secret-of-tests"
OLD_SECRET = "callback-secret-before-it"
TERMS = AcquirerTerms(base_url="http://127.0.0.1/payment/rest", user="sandbox", password="sandbox")
CALLBACK_PATH = "/rbs/web"


class RbsBank:
    """The bank. ``loses`` answers to be lost on the way, by the method's name."""

    def __init__(self, faults: CallbackFaults | None = None) -> None:
        self.fake = RbsSandbox(
            RbsSandboxOptions(
                key=SigningKey(secret=SECRET),
                old_key=SigningKey(secret=OLD_SECRET),
                callback_url=f"http://127.0.0.1{CALLBACK_PATH}",
                faults=faults or CallbackFaults(),
            )
        )
        self.client = RbsClient(rbs_settings(TERMS), self.exchange)
        self.loses: list[str] = []
        self.moment = datetime.min

    async def exchange(self, request: HttpRequest) -> HttpAnswer:
        """Answer, or do what was asked and lose the answer."""
        answer = self.fake.handle(request, self.moment)
        method = request.url.rpartition("/")[2]
        if method in self.loses:
            self.loses.remove(method)
            raise ExchangeFailed("the answer was lost", sent=True)
        return answer

    def callbacks(self) -> list[tuple[int, HttpRequest]]:
        """What the bank sends now, with the number to answer by."""
        return [(due.number, due.request) for due in self.fake.callbacks_due(self.moment)]

    async def send(self, gateway: Gateway, request: HttpRequest, number: int | None = None) -> int:
        """Send one callback; returns the status, which the bank learns by the callback's number."""
        path = request.url.removeprefix("http://127.0.0.1")
        async with gateway.session.request(
            request.method, path, data=request.body or None, headers=dict(request.headers)
        ) as response:
            answer = HttpAnswer(status=response.status, body=await response.read())
        if number is not None:
            self.fake.callback_answered(number, answer, self.moment)
        return answer.status

    async def send_all(self, gateway: Gateway) -> list[int]:
        """Send what is due, in the bank's order."""
        return [await self.send(gateway, request, number) for number, request in self.callbacks()]


@asynccontextmanager
async def served_bank(fake: RbsSandbox) -> AsyncIterator[str]:
    """The bank on loopback, at the present moment; gives its base_url."""

    async def answer(request: web.BaseRequest) -> web.Response:
        told = HttpRequest(method=request.method, url=str(request.url), body=await request.read())
        said = fake.handle(told, utc_now())
        return web.Response(status=said.status, headers=dict(said.headers), body=said.body)

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/payment/rest"
    await runner.cleanup()


async def town_with_bank(town: Town, owner: asyncpg.Connection) -> tuple[Town, Channel, Channel]:
    """The town, its web payments' channel at the bank, and the bank's evening register."""
    grown = await add_channels(town, owner, ("web", ChannelKind.RBS, TERMS), ("evening", ChannelKind.REGISTER, AcquirerTerms()))
    *others, web, evening = grown.channels
    web = msgspec.structs.replace(web, secrets=(SECRET,))
    return msgspec.structs.replace(grown, channels=(*others, web, evening)), web, evening


async def started(bank: RbsBank, services: asyncpg.Connection, channel: Channel, wanted: Wanted) -> str:
    """Start a payment and return the bank's id of the order."""
    answer = await start_payment(services, bank.client, channel, wanted, bank.moment)
    assert isinstance(answer, Started), answer
    return bank.fake.book.find("", wanted.number).order_id


def wanted(number: str, account: str = "1001", amount: int = 1000) -> Wanted:
    """A payer's wish."""
    return Wanted(number=number, account=account, amount_kopecks=amount, return_url="https://payer.example/back")
