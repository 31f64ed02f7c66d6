"""Acquirers of the month: fakes whose callbacks are doubled, reordered, lost, signed by old keys; asked in the evening."""

import asyncio
from datetime import date, timedelta
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from connectors.acquiring.callback_refused import CallbackRefused
from connectors.acquiring.rbs_answers import Registered
from connectors.acquiring.rbs_client import RbsClient
from connectors.acquiring.rbs_settings import NewOrder
from connectors.sandbox.callbacks import CallbackFaults, DueCallback
from connectors.sandbox.rbs import RbsSandbox, RbsSandboxOptions, SigningKey
from connectors.sandbox.tbank import TBankSandbox, TBankSandboxOptions
from connectors.sandbox.tochka import JwtKey, TochkaSandbox, TochkaSandboxOptions, jwk_set
from gateway.decoders import TAKEN, Decode, decoder_of
from kopeck.acquirer_sections import rbs_settings
from loadtests.month_house import MOSCOW, Diverged, House
from loadtests.month_parties import CUSTOMER, PARTIES, RBS_SECRETS, RBS_USER, TBANK_PASSWORDS, TERMINAL_KEY, Party
from loadtests.month_record import Paid
from loadtests.month_traffic import Payers, fee_of
from loadtests.town import number_of
from schemas.acquiring import AcquirerAct, AcquirerEvent
from schemas.channel import Channel, ChannelKind
from schemas.exchange import HttpAnswer, HttpRequest
from schemas.outcome import Answer
from services.acquiring.asking import Asked, Asker
from services.acquiring.orders import Started, Wanted, start_payment

OWN, WRONG, DECLINED, LEFT, BUSY = 150, 6, 15, 10, 8
"""Of a thousand: orders that our own page made, numbers that name nobody, payments declined at first, pages left, callbacks that
the gateway could not take when they came."""
AT_ONCE = 256
SEED = "month"
FAULTS = CallbackFaults(lost=20, duplicated=40, reordered=120, reorder_s=120, slow=20, slow_s=300, old_key=30, wrong_encoding=20)
NO_FAULTS = CallbackFaults()
ASKED_ROUNDS_MAX = 200
RETURN_URL = "https://payer.example/back"


class Keys:
    """The webhooks' signing keys, made anew for every run: the present one and the one before it."""

    def __init__(self) -> None:
        self.present, self.old = (JwtKey(pem=_pem(), kid=kid) for kid in ("new", "old"))

    @property
    def jwks(self) -> str:
        """The public keys as the bank publishes them."""
        return jwk_set(self.present, self.old)


def _pem() -> str:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


class Acquirers:
    """The three fakes and the ways between them and the house."""

    def __init__(self, house: House, payers: Payers, keys: Keys, *, faults: bool) -> None:
        self.house = house
        self.payers = payers
        self.record = payers.record
        self.faults = faults
        happens = FAULTS if faults else NO_FAULTS
        key, old = (SigningKey(secret=secret) for secret in RBS_SECRETS)
        self.rbs = RbsSandbox(
            RbsSandboxOptions(user_name=RBS_USER, password=RBS_USER, key=key, old_key=old, faults=happens, seed=SEED)
        )
        password, old_password = TBANK_PASSWORDS
        self.tbank = TBankSandbox(
            TBankSandboxOptions(
                terminal_key=TERMINAL_KEY, password=password, old_password=old_password, faults=happens, seed=SEED
            )
        )
        self.tochka = TochkaSandbox(
            TochkaSandboxOptions(key=keys.present, old_key=keys.old, customer_code=CUSTOMER, faults=happens, seed=SEED)
        )
        self._ways: dict[str, tuple[Any, Channel, Decode]] = {}
        for party in PARTIES:
            fake = {"rbs": self.rbs, "tbank": self.tbank, "tochka": self.tochka}.get(party.kind)
            if fake is not None:
                channel = house.channels[party.space]
                self._ways[party.space] = (fake, channel, decoder_of(channel.kind, channel.acquirer, channel.secrets))
        self._web = house.channels["alfa"]
        self.client = RbsClient(rbs_settings(self._web.acquirer), self._exchange)
        self._asker = Asker(self._web, self.client, house.intake)

    async def _exchange(self, request: HttpRequest) -> HttpAnswer:
        return self.rbs.handle(request, self.house.now)

    async def play(self, party: Party, count: int) -> None:
        """Let so many payments be made now."""
        for _ in range(count):
            match ChannelKind(party.kind):
                case ChannelKind.RBS:
                    await self._pay_rbs(party)
                case ChannelKind.TBANK:
                    self._pay_tbank(party)
                case _:
                    self._pay_tochka(party)

    def _draw(self, party: Party) -> Paid:
        wrong = WRONG if self.faults else 0
        return self.payers.payment(party.space, "", self.house.now.astimezone(MOSCOW), wrong)

    async def _pay_rbs(self, party: Party) -> None:
        paid = self._draw(party)
        number = f"ls{paid.written}-{self.payers.number()}"
        if paid.written == number_of(paid.account) and self.payers.happens(OWN):
            number = f"K{self.payers.number():015d}"
            wanted = Wanted(number=number, account=paid.written, amount_kopecks=paid.amount, return_url=RETURN_URL)
            started = await start_payment(self.house.services, self.client, self._web, wanted, self.house.now)
            if not isinstance(started, Started):
                raise Diverged(f"order {number} was not started: {started}")
        else:
            order = NewOrder(number=number, amount_kopecks=paid.amount, return_url=RETURN_URL)
            if not isinstance(await self.client.register(order), Registered):
                raise Diverged(f"order {number} was not registered")
        order_id = self.rbs.book.find("", number).order_id
        if self.faults and self.payers.happens(LEFT):
            return
        if self.faults and self.payers.happens(DECLINED):
            self.rbs.pay(order_id, self.house.now, is_declined=True)
        self.rbs.pay(order_id, self.house.now)
        self._note(party, paid, order_id)

    def _pay_tbank(self, party: Party) -> None:
        paid = self._draw(party)
        order = f"ls{paid.written}-{self.payers.number()}"
        if self.faults and self.payers.happens(DECLINED):
            self.tbank.decline(f"{order}0", paid.amount, self.house.now)
        self._note(party, paid, str(self.tbank.pay(order, paid.amount, self.house.now)))

    def _pay_tochka(self, party: Party) -> None:
        paid = self._draw(party)
        fields = {"account": paid.written, "purpose": "Оплата ЖКУ", "payerName": self.payers.name()}
        self._note(party, paid, self.tochka.pay(paid.amount, self.house.now, fields=fields).operation_id)

    def _note(self, party: Party, paid: Paid, key: str) -> None:
        self.record.pay(msgspec.structs.replace(paid, key=key), fee_of(paid.amount, party.rate))

    async def deliver(self) -> None:
        """Bring to the house whatever callback is due."""
        for space in self._ways:
            fake, *_ = self._ways[space]
            while due := fake.callbacks_due(self.house.now):
                for start in range(0, len(due), AT_ONCE):
                    batch = due[start : start + AT_ONCE]
                    answers = await asyncio.gather(*[self._answer(space, one) for one in batch])
                    for one, answer in zip(batch, answers, strict=True):
                        fake.callback_answered(one.number, answer, self.house.now)

    async def _answer(self, space: str, due: DueCallback) -> HttpAnswer | None:
        """Take a callback as the route does."""
        _, channel, decode = self._ways[space]
        self.record.counts["callbacks"] += 1
        if self.faults and self.payers.happens(BUSY):
            self.record.counts["callbacks not taken at first"] += 1
            return HttpAnswer(status=503)
        event = decode(due.request.body)
        if isinstance(event, CallbackRefused):
            raise Diverged(f"a callback of {space} is refused: {event.reason}")
        outcome = await self.house.intake.take(channel, event)
        self._check(space, event, outcome.answer)
        return HttpAnswer(status=200, body=TAKEN[channel.kind])

    def _check(self, space: str, event: AcquirerEvent, answer: Answer) -> None:
        if answer not in (Answer.RECORDED, Answer.DUPLICATE):
            raise Diverged(f"{event} of {space} is answered {answer.name}")
        if answer is Answer.DUPLICATE:
            self.record.counts["callbacks repeated"] += 1
        if event.act is AcquirerAct.PAID:
            self.record.hear(space, event.payment)

    async def ask(self, day: date) -> None:
        """Ask the bank about orders that are not at rest, and about all orders of a day and of the night before it."""
        services, now = self.house.services, self.house.now
        asked = Asked()
        for _ in range(ASKED_ROUNDS_MAX):
            one = await self._asker.ask_due(services, now)
            asked += one
            if not one.orders and not one.again:
                break
        asked += await self._asker.sweep(services, now - timedelta(hours=26), now)
        self.record.counts["found by asking"] += asked.found
        for row in self.rbs.evening_register(day):
            self.record.hear("alfa", row.order_id)
