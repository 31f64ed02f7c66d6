"""T-Bank and Tochka through the gateway's routes: each answered in its own words, one payment one entry."""

from datetime import timedelta
from typing import Protocol

import asyncpg
import msgspec

from connectors.sandbox.callbacks import DueCallback
from connectors.sandbox.tbank import TBankSandbox, TBankSandboxOptions
from connectors.sandbox.tochka import JwtKey, TochkaSandbox, TochkaSandboxOptions, jwk_set
from kopeck.clock import utc_now
from schemas.channel import AcquirerTerms, Channel, ChannelKind
from schemas.exchange import HttpAnswer
from schemas.outcome import SuspenseReason
from tests.connectors.acquirer_keys import private_pem
from tests.pipeline.acquirers import ACQUIRING_SQL, add_channels
from tests.pipeline.conftest import SQL, Gateway, Town
from tests.pipeline.proof import booked_keys, counted

MOMENT = utc_now() - timedelta(hours=1)
HOST = "http://127.0.0.1"


class Fake(Protocol):
    """A sandbox's bank that calls back."""

    def callbacks_due(self, now: object) -> tuple[DueCallback, ...]: ...
    def callback_answered(self, number: int, answer: HttpAnswer | None, now: object) -> None: ...


async def send_all(fake: Fake, gateway: Gateway, moment: object = MOMENT) -> list[HttpAnswer]:
    """Send what the bank has to tell; it learns the answers."""
    answers = []
    for due in fake.callbacks_due(moment):
        request = due.request
        path, headers = request.url.removeprefix(HOST), dict(request.headers)
        async with gateway.session.request(request.method, path, data=request.body, headers=headers) as response:
            answers.append(HttpAnswer(status=response.status, body=await response.read()))
        fake.callback_answered(due.number, answers[-1], moment)
    return answers


async def with_secrets(town: Town, owner: asyncpg.Connection, kind: ChannelKind, terms: AcquirerTerms, *secrets: str) -> Town:
    """The town with one acquirer's channel ``bank``."""
    grown = await add_channels(town, owner, ("bank", kind, terms))
    *others, channel = grown.channels
    return msgspec.structs.replace(grown, channels=(*others, msgspec.structs.replace(channel, secrets=secrets)))


async def tbank_town(town: Town, owner: asyncpg.Connection) -> tuple[Town, Channel]:
    terms = AcquirerTerms(merchants=("TESTDEMO",), account_in_order="ls(?P<account>[0-9]+)-[0-9]+", order_is_once=True)
    grown = await with_secrets(town, owner, ChannelKind.TBANK, terms, "sandbox-password")
    return grown, grown.channels[-1]


def tbank(**options: str) -> TBankSandbox:
    return TBankSandbox(TBankSandboxOptions(notification_url=f"{HOST}/tbank/bank", **options))


async def test_only_confirmed_is_a_payment_and_the_bank_hears_ok(town: Town, owner: asyncpg.Connection, redis_url: str) -> None:
    grown, _ = await tbank_town(town, owner)
    fake = tbank()
    payment = fake.pay("ls1002-1", 800, MOMENT)
    async with Gateway(grown.settings(redis_url)) as gateway:
        answers = await send_all(fake, gateway)
        fake.refund(payment, 300, MOMENT)
        answers += await send_all(fake, gateway)
        async with gateway.session.get("/tbank/bank") as response:
            assert response.status == 405
    assert {(answer.status, answer.body) for answer in answers} == {(200, b"OK")}
    (entry,) = await owner.fetch(SQL["list_entries"])
    assert (entry["external_id"], entry["amount"], entry["personal_account"]) == (str(payment), 800, town.accounts["1002"])
    kept = [(row["act"], row["amount"]) for row in await owner.fetch(ACQUIRING_SQL["list_events"])]
    assert sorted(kept) == [("approved", 800), ("refunded", 300)]


async def test_a_wrong_token_is_refused_and_comes_again(town: Town, owner: asyncpg.Connection, redis_url: str) -> None:
    grown, _ = await tbank_town(town, owner)
    fake = tbank(password="another-password")
    fake.pay("ls1002-1", 800, MOMENT)
    before = counted("kopeck_forged_messages_total", channel="bank")
    async with Gateway(grown.settings(redis_url)) as gateway:
        answers = await send_all(fake, gateway)
        for body in (b"{", b"", b"x" * 70_000):
            async with gateway.session.post("/tbank/bank", data=body) as response:
                assert response.status in (400, 403, 413)
    assert {answer.status for answer in answers} == {403}
    assert counted("kopeck_forged_messages_total", channel="bank") >= before + 2
    assert (await owner.fetchrow(SQL["fetch_totals"]))["keys"] == 0


async def test_only_configured_networks_may_tell(town: Town, owner: asyncpg.Connection, redis_url: str) -> None:
    grown, channel = await tbank_town(town, owner)
    far = msgspec.structs.replace(channel, allow_networks=("192.0.2.0/24",))
    fake = tbank()
    fake.pay("ls1002-1", 800, MOMENT)
    grown = msgspec.structs.replace(grown, channels=(*grown.channels[:-1], far))
    async with Gateway(grown.settings(redis_url)) as gateway:
        assert {answer.status for answer in await send_all(fake, gateway)} == {403}
    assert await booked_keys(owner) == []


async def test_a_payment_by_sbp_is_one_entry_by_operation_and_by_link(
    town: Town, owner: asyncpg.Connection, redis_url: str
) -> None:
    key = JwtKey(pem=private_pem("tochka"), kid="1")
    fake = TochkaSandbox(TochkaSandboxOptions(key=key, webhook_url=f"{HOST}/tochka/bank"))
    terms = AcquirerTerms(merchants=("300000092",), public_keys=(("", jwk_set(key)),), account_field="account")
    grown = await with_secrets(town, owner, ChannelKind.TOCHKA, terms)
    named = fake.pay(700, MOMENT, fields={"account": "1003"})
    nobodys = fake.pay(400, MOMENT)
    again = {"qrcId": named.qrc_id, "account": "1003"}
    fake.pay(700, MOMENT, kind="incomingSbpB2BPayment", fields=again)
    async with Gateway(grown.settings(redis_url)) as gateway:
        answers = await send_all(fake, gateway)
    assert {answer.status for answer in answers} == {200}
    entries = {entry["external_id"]: entry for entry in await owner.fetch(SQL["list_entries"])}
    assert set(entries) == {named.operation_id, nobodys.operation_id}, "the second webhook names the same one-time link"
    assert entries[named.operation_id]["personal_account"] == town.accounts["1003"]
    assert entries[nobodys.operation_id]["reason"] == SuspenseReason.UNIDENTIFIED


async def test_a_webhook_of_another_key_is_refused(town: Town, owner: asyncpg.Connection, redis_url: str) -> None:
    key, other = JwtKey(pem=private_pem("tochka"), kid="1"), JwtKey(pem=private_pem("other"), kid="1")
    fake = TochkaSandbox(TochkaSandboxOptions(key=other, webhook_url=f"{HOST}/tochka/bank"))
    terms = AcquirerTerms(public_keys=(("", jwk_set(key)),))
    grown = await with_secrets(town, owner, ChannelKind.TOCHKA, terms)
    fake.pay(700, MOMENT)
    async with Gateway(grown.settings(redis_url)) as gateway:
        assert [answer.status for answer in await send_all(fake, gateway)] == [403]
    assert (await owner.fetchrow(SQL["fetch_totals"]))["keys"] == 0
