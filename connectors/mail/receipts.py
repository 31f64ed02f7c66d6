"""Receipts to payers by e-mail (54-ФЗ ст. 1.2 п. 2): a short letter with the receipt as a PDF, over an injected post.

The counterparty is declared to deduplicate: a letter sent again carries the same ``Message-ID``, by which mail programs and
people know a repeat, and a doubled letter is harmless where a lost one is not. So an attempt that was cut off after the content
had been sent is made again.
"""

import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from hashlib import sha256

import msgspec

from schemas.delivery import Answer, Closed, Done, NotTaken, Outgoing, Refused, Unknown
from schemas.exchange import ExchangeFailed
from schemas.letter import Letter, MailAnswer, MailMessage, MailStage, Post
from schemas.money import roubles_for_people
from schemas.receipt import FiscalSign, Operation, Receipt

RETRY_AFTER_S = (60, 300, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 43_200, 43_200, 86_400, 86_400)
"""Delays after an attempt that the server put off: 30 minutes and more, given up after 4 to 5 days (RFC 5321 4.5.4.1)."""
ATTEMPTS_MAX = len(RETRY_AFTER_S) + 1
ADDRESS_CHARACTERS_MAX = 254
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z0-9-]{2,63}", re.ASCII)
_ABOUT_US = frozenset({MailStage.GREETING, MailStage.LOGIN, MailStage.SENDER})
"""A final refusal at these stages meets every letter, not this one."""

_TITLES = {
    Operation.SELL: "Кассовый чек",
    Operation.SELL_REFUND: "Чек возврата",
    Operation.SELL_CORRECTION: "Кассовый чек коррекции",
    Operation.SELL_REFUND_CORRECTION: "Кассовый чек коррекции (возврат)",
}

PrintReceipt = Callable[[Receipt, FiscalSign], Awaitable[bytes]]
"""Makes the PDF."""


class LetterFrom(msgspec.Struct, frozen=True, kw_only=True):
    """Who sends. ``address`` is the envelope's and the header's; ``domain`` is the right side of Message-ID."""

    address: str
    name: str
    domain: str


class MailReceipts:
    """Counterparty of ``what='letter'``."""

    deduplicates = True
    can_be_asked = False

    def __init__(self, post: Post, print_receipt: PrintReceipt, now: Callable[[], datetime], sender: LetterFrom) -> None:
        self._post = post
        self._print = print_receipt
        self._now = now
        self._sender = sender

    async def send(self, order: Outgoing) -> Answer:
        """Send the letter; the recipient never stands in what is answered."""
        letter = msgspec.json.decode(order.content, type=Letter)
        if not is_address(letter.recipient):
            return Refused(code="address", reason="the payer's e-mail address cannot be used")
        message_id = message_id_of(order.key, self._sender.domain)
        pdf = await self._print(letter.receipt, letter.sign)
        content = letter_of(letter, self._sender, message_id, (self._now(), pdf))
        message = MailMessage(sender=self._sender.address, recipient=letter.recipient, content=content)
        try:
            answer = await self._post(message)
        except ExchangeFailed as failed:
            return Unknown(reason=failed.reason) if failed.sent else _put_off(order, failed.reason)
        return _read(order, answer, message_id)

    async def ask(self, order: Outgoing) -> Answer:
        """Say that the letter may be sent: a mail server cannot be asked, and a repeat carries the same Message-ID."""
        return NotTaken(reason="a mail server cannot be asked")


def is_address(text: str) -> bool:
    """Tell whether a text is an e-mail address in plain letters, such as every server takes, and nothing more."""
    return len(text) <= ADDRESS_CHARACTERS_MAX and _ADDRESS.fullmatch(text) is not None


def message_id_of(key: str, domain: str) -> str:
    """Return the Message-ID of an order: the same at every attempt, and telling nothing of the payment."""
    return f"<{sha256(key.encode()).hexdigest()[:32]}@{domain}>"


def letter_of(letter: Letter, sender: LetterFrom, message_id: str, made: tuple[datetime, bytes]) -> bytes:
    """Return the message: headers, a text in Russian, the receipt as a PDF (``made``: moment of sending and the file).

    The same arguments give the same bytes.
    """
    moment, pdf = made
    receipt, sign = letter.receipt, letter.sign
    title = f"{_TITLES[receipt.operation]} № {sign.fd} на {roubles_for_people(sign.total_kopecks)} ₽"
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = Address(sender.name, addr_spec=sender.address)
    message["To"] = letter.recipient
    message["Subject"] = title
    message["Date"] = format_datetime(moment)
    message["Message-ID"] = message_id
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_text_of(title, receipt, sign))
    message.add_attachment(pdf, maintype="application", subtype="pdf", filename=f"check-{sign.fn}-{sign.fd}.pdf")
    message.set_boundary(f"=_{sha256(message_id.encode()).hexdigest()[:32]}")
    return message.as_bytes()


def _text_of(title: str, receipt: Receipt, sign: FiscalSign) -> str:
    lines = [
        "Здравствуйте!",
        "",
        f"{title} от {sign.registered_at:%d.%m.%Y %H:%M}.",
        f"Продавец: {' '.join(receipt.company.name.split())}, ИНН {receipt.company.inn}.",
        f"ФН {sign.fn}, ФД {sign.fd}, ФПД {sign.fpd}.",
    ]
    if sign.link:
        lines.append(f"Чек на сайте оператора фискальных данных: {sign.link}")
    lines += ["", "Чек приложен к письму. Отвечать на письмо не нужно.", ""]
    return "\n".join(lines)


def _read(order: Outgoing, answer: MailAnswer, message_id: str) -> Answer:
    said = f"SMTP {answer.code} {answer.enhanced}".rstrip() + f" at the {answer.stage}"
    if 200 <= answer.code < 300:
        return Done(reference=message_id, content=msgspec.json.encode({"code": answer.code}))
    if 400 <= answer.code < 500:
        return _put_off(order, said)
    if answer.stage in _ABOUT_US:
        return Closed(reason=f"the mail server takes nothing from us: {said}")
    return Refused(code=str(answer.code), reason=said)


def _put_off(order: Outgoing, reason: str) -> Answer:
    if order.attempt >= ATTEMPTS_MAX:
        return Refused(code="exhausted", reason=f"{order.attempt} attempts failed, the last with: {reason}")
    return NotTaken(reason=reason, after_ms=RETRY_AFTER_S[order.attempt - 1] * 1000)
