"""What the tests of transfer connectors share: batches, a signer in the process, a clock, and delivery by its contract."""

import functools
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

import msgspec

from connectors.sandbox.bank import FakeBank
from connectors.sandbox.bank_orders import BankOptions, Credit
from connectors.sandbox.faults import FaultProfile, FaultyExchange
from connectors.transfers.cms import claimed_signer
from connectors.transfers.signing import Signed
from kopeck.clock import utc_now
from kopeck.sandbox_signer import make_sandbox_key, sign_detached
from schemas.delivery import Accepted, Answer, Closed, Counterparty, Done, NotTaken, OrderNumber, Outgoing, Refused, Unknown
from schemas.exchange import HttpAnswer, HttpRequest
from schemas.transfer import BankParty, BudgetFields, PurposeClass, Transfer, TransferBatch, TransferReport

START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
DAY = date(2026, 11, 24)
TRANSIT = "40911810101850000000"
PAYEE = "40702810400000000002"
BANK = BankParty(
    name="АО «Альфа-Банк»",
    inn="7728168971",
    kpp="770801001",
    account=TRANSIT,
    bic="044525593",
    bank_name="АО «АЛЬФА-БАНК», г. Москва",
    correspondent="30101810200000000593",
)
HEAT = BankParty(
    name="ООО «Тепло»",
    inn="7707083893",
    kpp="770801001",
    account=PAYEE,
    bic="044525225",
    bank_name="ПАО Сбербанк, г. Москва",
    correspondent="30101810400000000225",
)
BUDGET = BudgetFields(drawer_status="01", kbk="18201061201010000510", oktmo="45382000", document_date="0")
CREDIT = Credit(id="cover-1", account=TRANSIT, amount_kopecks=10**12, payer=HEAT, purpose="Покрытие по реестру 1")
FAULTS = FaultProfile(refused=100, lost_before=120, lost_after=160, broken=120, busy=80)
STEPS_MAX = 400


def transfer(number: int = 1, amount_kopecks: int = 432_150, /, **changes: object) -> Transfer:
    """An order of the day with made-up requisites."""
    made = Transfer(
        key=f"transfer-{number}",
        number=str(number),
        day=DAY,
        amount_kopecks=amount_kopecks,
        payer=BANK,
        payee=HEAT,
        purpose=f"Перечисление платежей населения за тепло по реестру 12 строка {number}. НДС не облагается",
        purpose_class=PurposeClass.SERVICES,
    )
    return msgspec.structs.replace(made, **changes)


def batch_of(*transfers: Transfer, register: str = "12") -> TransferBatch:
    """A batch with right control totals."""
    total = sum(one.amount_kopecks for one in transfers)
    return TransferBatch(
        register=register, transit_account=TRANSIT, day=DAY, transfers=transfers, total_kopecks=total, count=len(transfers)
    )


def outgoing(batch: TransferBatch, *, reference: str = "", key: str = "") -> Outgoing:
    """The order that carries a batch."""
    content = msgspec.json.encode(batch)
    return Outgoing(number=OrderNumber(1), key=key or f"register-{batch.register}", content=content, reference=reference)


@functools.cache
def sandbox_key() -> tuple[bytes, str]:
    """A signing key with its certificate (PEM), and the certificate alone."""
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = make_sandbox_key(Path(folder), subject="Подписант песочницы", now=utc_now())
        return key.read_bytes(), certificate.read_text("utf-8")


async def sign(content: bytes) -> Signed:
    """Sign as the configured command would, in the process."""
    signature = sign_detached(content, sandbox_key()[0])
    signer, signed_at = claimed_signer(signature, content)
    return Signed(signature=signature, signer=signer, signed_at=signed_at)


class Clock:
    """Time that tests move."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def pass_ms(self, ms: int) -> None:
        """Let time pass."""
        self.now += timedelta(milliseconds=ms)


class Stage:
    """A fake bank, a clock and the way between them and a connector."""

    def __init__(self, seed: int = 0, faults: FaultProfile | None = None, **options: object) -> None:
        self.clock = Clock()
        self.requests: list[HttpRequest] = []
        chosen = BankOptions(accounts=(TRANSIT,), certificates=(sandbox_key()[1],), seed=seed)
        self.bank = FakeBank(msgspec.structs.replace(chosen, **options))
        chance = Random(seed)
        self._exchange = FaultyExchange(self.bank, faults or FaultProfile(), draw=chance.randrange, now=self.clock)

    def heal(self) -> None:
        """From now on the network loses nothing."""
        self._exchange = FaultyExchange(self.bank, FaultProfile(), draw=Random(0).randrange, now=self.clock)

    async def exchange(self, request: HttpRequest) -> HttpAnswer:
        """Pass a request on, remembering it."""
        self.requests.append(request)
        return await self._exchange(request)

    async def deliver(self, counterparty: Counterparty, order: Outgoing) -> Answer:
        """Carry an order out as delivery does: unknown is asked before anything else, and nothing new is invented."""
        asking = False
        for _ in range(STEPS_MAX):
            answer = await (counterparty.ask(order) if asking else counterparty.send(order))
            match answer:
                case Done() | Refused() | Closed():
                    return answer
                case Accepted():
                    order, asking = msgspec.structs.replace(order, reference=answer.reference), True
                    self.clock.pass_ms(answer.ask_after_ms)
                case NotTaken():
                    asking = False
                    self.clock.pass_ms(1_000 + answer.after_ms)
                case Unknown():
                    asking = True
                    self.clock.pass_ms(1_000)
        return answer


class Told:
    """An exchange that gives answers written beforehand, one after another."""

    def __init__(self, *answers: HttpAnswer | Exception) -> None:
        self._answers = list(answers)
        self.requests: list[HttpRequest] = []

    async def __call__(self, request: HttpRequest) -> HttpAnswer:
        self.requests.append(request)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def report_of(answer: Answer) -> TransferReport:
    """The report that an answer carries."""
    assert isinstance(answer, Done | Accepted | Refused) and answer.content, answer
    return msgspec.json.decode(answer.content, type=TransferReport)
