"""Letters with receipts: what is written, under which Message-ID, and what each answer of a mail server is taken for."""

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

import msgspec
import pytest

from connectors.mail.receipts import ATTEMPTS_MAX, RETRY_AFTER_S, LetterFrom, MailReceipts, is_address, message_id_of
from schemas.delivery import Answer, Closed, Done, NotTaken, OrderNumber, Outgoing, Refused, Unknown
from schemas.exchange import ExchangeFailed
from schemas.letter import Letter, MailAnswer, MailMessage, MailStage
from schemas.receipt import FiscalSign, Operation, Receipt
from tests.services.receipts import RECEIPT, SIGN, receipt

NOW = datetime(2026, 11, 24, 12, 31, tzinfo=UTC)
SENDER = LetterFrom(address="check@example.ru", name="ЖКУ без посредников", domain="mail.example.ru")
PDF = b"%PDF-1.7 not really"
TAKEN = MailAnswer(stage=MailStage.CONTENT, code=250, enhanced="2.0.0")


class Box:
    """A post that remembers what it was given and answers as told; an exception is raised."""

    def __init__(self, said: MailAnswer | ExchangeFailed = TAKEN) -> None:
        self.said = said
        self.taken: list[MailMessage] = []

    async def __call__(self, message: MailMessage) -> MailAnswer:
        self.taken.append(message)
        if isinstance(self.said, ExchangeFailed):
            raise self.said
        return self.said


async def print_pdf(_: Receipt, __: FiscalSign) -> bytes:
    return PDF


def order(paid: Receipt = RECEIPT, attempt: int = 1, recipient: str = "resident@example.ru") -> Outgoing:
    content = msgspec.json.encode(Letter(recipient=recipient, receipt=paid, sign=SIGN))
    return Outgoing(number=OrderNumber(7), key="101-op-1-3-s0-1-1", content=content, attempt=attempt)


async def sent(box: Box, given: Outgoing | None = None) -> Answer:
    return await MailReceipts(box, print_pdf, lambda: NOW, SENDER).send(given or order())


def read(message: MailMessage) -> EmailMessage:
    parsed = message_from_bytes(message.content, policy=policy.SMTP)
    assert isinstance(parsed, EmailMessage)
    return parsed


async def test_the_letter_says_what_was_paid_and_carries_the_paper() -> None:
    box = Box()
    answer = await sent(box)
    (message,) = box.taken
    assert (message.sender, message.recipient) == ("check@example.ru", "resident@example.ru")
    letter = read(message)
    assert letter["Subject"] == "Кассовый чек № 12345 на 5\u202f000,00 ₽"
    assert letter["To"] == "resident@example.ru"
    assert str(letter["From"]) == "ЖКУ без посредников <check@example.ru>"
    assert letter["Date"] == "Tue, 24 Nov 2026 12:31:00 +0000"
    assert answer == Done(reference=letter["Message-ID"], content=b'{"code":250}')
    body = letter.get_body(("plain",))
    assert body is not None
    text = body.get_content()
    for words in ("24.11.2026 15:30", "ООО «УК Север», ИНН 7707083893", "ФН 9960440300000001, ФД 12345", SIGN.link, "приложен"):
        assert words in text
    (paper,) = letter.iter_attachments()
    assert (paper.get_content_type(), paper.get_filename()) == ("application/pdf", "check-9960440300000001-12345.pdf")
    assert paper.get_content() == PDF
    assert message.content.isascii() and b"\r\n" in message.content and max(map(len, message.content.split(b"\r\n"))) <= 998


async def test_the_same_order_gives_the_same_letter_and_another_another_id() -> None:
    box = Box()
    await sent(box)
    await sent(box, order(attempt=2))
    assert box.taken[0] == box.taken[1]
    first, other = message_id_of("key-1", "a.ru"), message_id_of("key-2", "a.ru")
    assert first != other and first == message_id_of("key-1", "a.ru")
    assert first.startswith("<") and first.endswith("@a.ru>") and "key" not in first


async def test_a_refund_is_called_so_and_a_receipt_without_a_link_names_none() -> None:
    box = Box()
    content = Letter(recipient="a@example.ru", receipt=receipt(operation=Operation.SELL_REFUND), sign=SIGN)
    bare = msgspec.structs.replace(content, sign=msgspec.structs.replace(SIGN, link=""))
    await sent(box, msgspec.structs.replace(order(), content=msgspec.json.encode(bare)))
    letter = read(box.taken[0])
    assert letter["Subject"].startswith("Чек возврата № 12345")
    body = letter.get_body(("plain",))
    assert body is not None and "http" not in body.get_content()


STAGES = list(MailStage)
LATER = [(stage, code) for stage in STAGES for code in (421, 450, 451, 452)]


@pytest.mark.parametrize(("stage", "code"), LATER)
async def test_4xx_is_put_off(stage: MailStage, code: int) -> None:
    answer = await sent(Box(MailAnswer(stage=stage, code=code, enhanced="4.7.1")), order(attempt=2))
    assert answer == NotTaken(reason=f"SMTP {code} 4.7.1 at the {stage}", after_ms=RETRY_AFTER_S[1] * 1000)


FINAL = [
    (MailStage.GREETING, 554, Closed),
    (MailStage.LOGIN, 535, Closed),
    (MailStage.SENDER, 530, Closed),
    (MailStage.SENDER, 550, Closed),
    (MailStage.RECIPIENT, 550, Refused),
    (MailStage.RECIPIENT, 553, Refused),
    (MailStage.CONTENT, 552, Refused),
    (MailStage.CONTENT, 554, Refused),
]


@pytest.mark.parametrize(("stage", "code", "kind"), FINAL)
async def test_5xx_ends_the_letter_or_closes_the_server(stage: MailStage, code: int, kind: type[Answer]) -> None:
    answer = await sent(Box(MailAnswer(stage=stage, code=code)))
    assert isinstance(answer, kind) and f"SMTP {code} at the {stage}" in answer.reason


async def test_a_server_that_falls_silent() -> None:
    before = await sent(Box(ExchangeFailed("SMTPConnectError at the greeting", sent=False)))
    after = await sent(Box(ExchangeFailed("SMTPServerDisconnected at the content", sent=True)))
    assert before == NotTaken(reason="SMTPConnectError at the greeting", after_ms=60_000)
    assert after == Unknown(reason="SMTPServerDisconnected at the content")


async def test_a_letter_is_given_up_after_days() -> None:
    box = Box(MailAnswer(stage=MailStage.RECIPIENT, code=451))
    assert isinstance(await sent(box, order(attempt=ATTEMPTS_MAX - 1)), NotTaken)
    answer = await sent(box, order(attempt=ATTEMPTS_MAX))
    assert isinstance(answer, Refused) and answer.code == "exhausted"
    assert sum(RETRY_AFTER_S[:-1]) < 4 * 86_400 and sum(RETRY_AFTER_S) < 5 * 86_400


ADDRESSES = [
    ("resident@example.ru", True),
    ("first.last+tag@sub.example.co", True),
    ("o'neil@example.ru", True),
    ("иван@example.ru", False),
    ("resident@пример.рф", False),
    ("a@b", False),
    ("@example.ru", False),
    ("a b@example.ru", False),
    ("a@example.ru\r\nBcc: b@example.ru", False),
    ("a@example.ru\n", False),
    ("a@example.ru, b@example.ru", False),
    ("<a@example.ru>", False),
    ("a@example.ru> SIZE=1", False),
    (f"{'a' * 65}@example.ru", False),
    (f"a@{'b' * 250}.ru", False),
    ("+79161234567", False),
]


@pytest.mark.parametrize(("text", "good"), ADDRESSES)
async def test_only_plain_addresses_are_written_to(text: str, good: bool) -> None:
    box = Box()
    answer = await sent(box, order(recipient=text))
    assert is_address(text) is good
    assert (len(box.taken) == 1) is good and isinstance(answer, Done if good else Refused)


async def test_the_recipient_stands_in_no_answer_and_no_representation() -> None:
    answers = [
        await sent(Box(said))
        for said in (
            TAKEN,
            MailAnswer(stage=MailStage.RECIPIENT, code=550, enhanced="5.1.1"),
            MailAnswer(stage=MailStage.RECIPIENT, code=450),
        )
    ]
    answers.append(await sent(Box(), order(recipient="bad address@example.ru")))
    box = Box()
    await sent(box)
    letter = Letter(recipient="resident@example.ru", receipt=RECEIPT, sign=SIGN)
    for value in (*answers, box.taken[0], letter):
        assert "example.ru>" not in repr(value).replace("@mail.example.ru>", "") and "resident" not in repr(value)


async def test_a_name_cannot_add_a_header() -> None:
    box = Box()
    company = msgspec.structs.replace(RECEIPT.company, name="ООО\r\nBcc: thief@example.ru")
    await sent(box, order(receipt(company=company)))
    letter = read(box.taken[0])
    assert letter["Bcc"] is None and letter["To"] == "resident@example.ru"


async def test_a_mail_server_cannot_be_asked() -> None:
    sender = MailReceipts(Box(), print_pdf, lambda: NOW, SENDER)
    assert sender.deduplicates and not sender.can_be_asked
    assert isinstance(await sender.ask(order()), NotTaken)
