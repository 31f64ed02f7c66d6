"""Transfer connectors over real HTTP: the house's exchange on one side, the fake bank behind a server on the other."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from connectors.sandbox.bank_folder import PICK_UP_MS
from connectors.transfers.configured import KINDS, Edges, transfer_connector
from connectors.transfers.statement import Statement, StatementSource
from schemas.delivery import Accepted, Done, NotTaken, Unknown
from schemas.exchange import HttpRequest
from schemas.transfer import TransferState
from services.delivery.http import HttpExchange
from tests.connectors.transfer_desk import BUDGET, CREDIT, DAY, TRANSIT, Stage, batch_of, outgoing, report_of, sign, transfer

STEPS_MAX = 20


class Served:
    """A stage whose bank answers on a loopback port."""

    def __init__(self) -> None:
        self.stage = Stage(delay_ms=500)
        self.stage.bank.credit(CREDIT, self.stage.clock())
        self.url = ""

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Hand a request to the bank as the sandbox's process does."""
        asked = HttpRequest(
            method=request.method,
            url=self.url + request.raw_path,
            headers=tuple((name.lower(), value) for name, value in request.headers.items()),
            body=await request.read(),
        )
        answer = self.stage.bank.handle(asked, self.stage.clock())
        return web.Response(status=answer.status, body=answer.body, headers=dict(answer.headers))


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    """The bank, served."""
    made = Served()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", made.answer)
    async with TestServer(application) as server:
        made.url = str(server.make_url("")).rstrip("/")
        yield made


def table(kind: str, url: str) -> dict[str, object]:
    """The counterparty's table of a kind."""
    statement = f"{url}/statement?account={{account}}&from={{from}}&to={{to}}"
    tables: dict[str, dict[str, object]] = {
        "distribution_register": {"url": url},
        "client_bank": {"folder_url": f"{url}/folder", "statement_url": statement},
        "alfa_payments": {"url": f"{url}/api", "authorization": "ApiKey k"},
        "alfa_link": {"url": url, "user": "u", "password": "p"},
    }
    return {"poll_ms": 1_000, **tables[kind]}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_budget_order_is_paid_and_proven(served: Served, kind: str) -> None:
    one = transfer(1, budget=BUDGET, purpose="Пени за октябрь 2026 г. по реестру 12; «Тепло» — 5 %")
    order = outgoing(batch_of(one))
    async with HttpExchange() as exchange:
        connector = transfer_connector(kind, table(kind, served.url), Edges(exchange=exchange, now=served.stage.clock, sign=sign))
        answer = await connector.send(order)
        assert isinstance(answer, Accepted), answer
        for _ in range(STEPS_MAX):
            served.stage.clock.pass_ms(1_000 + PICK_UP_MS)
            answer = await connector.ask(outgoing(batch_of(one), reference=answer.reference))
            if isinstance(answer, Done):
                break
            assert isinstance(answer, Accepted), answer
        assert isinstance(answer, Done)
        assert report_of(answer).results[0].state is TransferState.EXECUTED
        assert list(served.stage.bank.books.effects.values()) == [1]
        assert served.stage.bank.books.postings[TRANSIT][1].purpose == one.purpose
        if kind in ("client_bank", "alfa_payments"):
            source: StatementSource = connector
            read = await source.statement(TRANSIT, DAY)
            assert isinstance(read, Statement) and [line.is_credit for line in read.movements] == [True, False]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_bank_that_is_not_there_has_taken_nothing(served: Served, kind: str) -> None:
    gone = "http://127.0.0.1:9"
    async with HttpExchange() as exchange:
        connector = transfer_connector(kind, table(kind, gone), Edges(exchange=exchange, now=served.stage.clock, sign=sign))
        order = outgoing(batch_of(transfer(1)))
        assert isinstance(await connector.send(order), NotTaken)
        assert isinstance(await connector.ask(order), Unknown)
