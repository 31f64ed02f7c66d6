"""The real post against a mail server that speaks, refuses, falls silent and hangs up at every stage."""

import asyncio
from email import message_from_bytes, policy
from pathlib import Path

import msgspec
import pytest

from connectors.mail.receipts import LetterFrom, MailReceipts
from kopeck.clock import utc_now
from schemas.delivery import Done, NotTaken, OrderNumber, Outgoing, Refused, Unknown
from schemas.exchange import ExchangeFailed
from schemas.letter import Letter, MailAnswer, MailMessage, MailStage
from services.paper.receipt import print_receipt, receipt_pdf
from services.smtp import Encryption, MailServer, SmtpPost
from tests.services.mail_server import GARBAGE, HANG_UP, certificate, mail_server
from tests.services.receipts import RECEIPT, SIGN

MESSAGE = MailMessage(sender="check@example.ru", recipient="resident@example.ru", content=b"Subject: x\r\n\r\n.dot\r\nend\r\n")


def server_at(port: int, **more: object) -> MailServer:
    given = {"encryption": Encryption.NONE, "timeout_s": 5, "name": "kopeck.example.ru"} | more
    return MailServer(host="127.0.0.1", port=port, **given)  # type: ignore[arg-type]


async def test_a_letter_is_handed_over_byte_for_byte() -> None:
    async with mail_server() as fake:
        answer = await SmtpPost(server_at(fake.port))(MESSAGE)
    assert answer == MailAnswer(stage=MailStage.CONTENT, code=250)
    # The dot at a line's start is doubled on the way (RFC 5321 4.5.2).
    assert fake.taken == [MESSAGE.content.replace(b"\r\n.dot", b"\r\n..dot")]
    assert fake.lines == [
        "EHLO kopeck.example.ru",
        "MAIL FROM:<check@example.ru>",
        "RCPT TO:<resident@example.ru>",
        "DATA",
        "QUIT",
    ]


REFUSALS = [
    ("CONNECT", "554 5.3.2 not you", MailStage.GREETING, 554, "5.3.2"),
    ("CONNECT", "421 4.3.2 later", MailStage.GREETING, 421, "4.3.2"),
    ("MAIL", "530 5.7.0 log in first", MailStage.SENDER, 530, "5.7.0"),
    ("RCPT", "550 5.1.1 <resident@example.ru> is not here", MailStage.RECIPIENT, 550, "5.1.1"),
    ("RCPT", "450 4.2.0 greylisted", MailStage.RECIPIENT, 450, "4.2.0"),
    ("RCPT", "550 no such user resident@example.ru", MailStage.RECIPIENT, 550, ""),
    ("DATA", "451 4.3.0 no room", MailStage.CONTENT, 451, "4.3.0"),
    (".", "554 5.6.0 spam", MailStage.CONTENT, 554, "5.6.0"),
    (".", "452 4.2.2 mailbox full", MailStage.CONTENT, 452, "4.2.2"),
]


@pytest.mark.parametrize(("word", "said", "stage", "code", "enhanced"), REFUSALS)
async def test_a_refusal_is_told_with_its_stage(word: str, said: str, stage: MailStage, code: int, enhanced: str) -> None:
    async with mail_server({word: said}) as fake:
        answer = await SmtpPost(server_at(fake.port))(MESSAGE)
    assert answer == MailAnswer(stage=stage, code=code, enhanced=enhanced)


SILENCES = [
    ("CONNECT", False),
    ("EHLO", False),
    ("MAIL", False),
    ("RCPT", False),
    ("DATA", True),
    (".", True),
]


@pytest.mark.parametrize("said", [HANG_UP, GARBAGE])
@pytest.mark.parametrize(("word", "sent"), SILENCES)
async def test_only_after_the_content_is_the_outcome_unknown(word: str, sent: bool, said: str) -> None:
    async with mail_server({word: said}) as fake:
        with pytest.raises(ExchangeFailed) as failed:
            await SmtpPost(server_at(fake.port))(MESSAGE)
    assert failed.value.sent is sent and "resident" not in failed.value.reason
    assert len(fake.taken) == (word == ".")


async def test_a_server_that_says_nothing_is_not_waited_for_for_ever() -> None:
    left = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        left.set()

    async with asyncio.timeout(10), await asyncio.start_server(listen, "127.0.0.1", 0) as silent:
        with pytest.raises(ExchangeFailed) as failed:
            await SmtpPost(server_at(silent.sockets[0].getsockname()[1], timeout_s=1))(MESSAGE)
        await left.wait()
    assert not failed.value.sent


async def test_nobody_listens() -> None:
    async with mail_server() as fake:
        port = fake.port
    with pytest.raises(ExchangeFailed) as failed:
        await SmtpPost(server_at(port))(MESSAGE)
    assert not failed.value.sent


async def test_a_broken_goodbye_changes_nothing() -> None:
    async with mail_server({"QUIT": HANG_UP}) as fake:
        assert (await SmtpPost(server_at(fake.port))(MESSAGE)).code == 250


@pytest.mark.parametrize("encryption", [Encryption.TLS, Encryption.STARTTLS])
async def test_logged_in_over_tls(encryption: Encryption, tmp_path: Path) -> None:
    ours, theirs = certificate(str(tmp_path))
    async with mail_server(context=ours, from_start=encryption is Encryption.TLS) as fake:
        server = server_at(fake.port, encryption=encryption, user="kopeck", password="right")
        assert (await SmtpPost(server, theirs)(MESSAGE)).code == 250
    assert [line for line in fake.lines if line.startswith("AUTH")] != [] and len(fake.taken) == 1


async def test_a_wrong_password_is_told(tmp_path: Path) -> None:
    ours, theirs = certificate(str(tmp_path))
    async with mail_server({"AUTH": "535 5.7.8 wrong"}, context=ours, from_start=True) as fake:
        server = server_at(fake.port, encryption=Encryption.TLS, user="kopeck", password="wrong")
        answer = await SmtpPost(server, theirs)(MESSAGE)
    assert answer == MailAnswer(stage=MailStage.LOGIN, code=535, enhanced="5.7.8") and fake.taken == []


@pytest.mark.parametrize("encryption", [Encryption.TLS, Encryption.STARTTLS])
async def test_a_certificate_that_is_not_trusted_gets_no_letter(encryption: Encryption, tmp_path: Path) -> None:
    ours, _ = certificate(str(tmp_path))
    async with mail_server(context=ours, from_start=encryption is Encryption.TLS) as fake:
        with pytest.raises(ExchangeFailed) as failed:
            await SmtpPost(server_at(fake.port, encryption=encryption))(MESSAGE)
    assert not failed.value.sent and fake.taken == []


async def test_a_server_without_starttls_gets_no_letter() -> None:
    async with mail_server({"EHLO": "250 mail.example.ru"}) as fake:
        with pytest.raises(ExchangeFailed) as failed:
            await SmtpPost(server_at(fake.port, encryption=Encryption.STARTTLS))(MESSAGE)
    assert not failed.value.sent and fake.taken == []


def test_a_password_is_never_sent_in_the_clear_nor_printed() -> None:
    with pytest.raises(ValueError, match="unencrypted"):
        server_at(25, user="kopeck", password="secret")
    assert "secret" not in repr(server_at(465, encryption=Encryption.TLS, user="kopeck", password="secret"))


async def test_from_a_receipt_to_a_letter_with_its_paper() -> None:
    content = msgspec.json.encode(Letter(recipient="resident@example.ru", receipt=RECEIPT, sign=SIGN))
    order = Outgoing(number=OrderNumber(1), key="101-op-1", content=content)
    sender = LetterFrom(address="check@example.ru", name="Kopeck", domain="example.ru")
    async with mail_server() as fake:
        connector = MailReceipts(SmtpPost(server_at(fake.port)), print_receipt, utc_now, sender)
        assert isinstance(await connector.send(order), Done)
        fake.answers["."] = HANG_UP
        assert isinstance(await connector.send(order), Unknown)
        fake.answers["."] = "451 4.3.0 later"
        assert isinstance(await connector.send(order), NotTaken)
        fake.answers["RCPT"] = "550 5.1.1 unknown"
        assert isinstance(await connector.send(order), Refused)
    letters = [message_from_bytes(letter, policy=policy.SMTP) for letter in fake.taken]
    assert len(letters) == 3 and len({letter["Message-ID"] for letter in letters}) == 1
    (paper,) = letters[0].iter_attachments()
    assert paper.get_content() == receipt_pdf(RECEIPT, SIGN)
