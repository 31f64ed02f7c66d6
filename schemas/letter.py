"""Letters to payers: what is kept for delivery, and what a mail server says of one."""

from collections.abc import Awaitable, Callable
from enum import StrEnum

import msgspec

from schemas.receipt import FiscalSign, Receipt


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A registered receipt to be sent to the payer. ``recipient`` is an e-mail address: personal data, never logged."""

    recipient: str
    receipt: Receipt
    sign: FiscalSign

    def __repr__(self) -> str:
        """Name the letter by its receipt alone."""
        return f"Letter(fn={self.sign.fn}, fd={self.sign.fd})"


class MailStage(StrEnum):
    """Which part of the conversation an answer belongs to (RFC 5321)."""

    GREETING = "greeting"
    LOGIN = "login"
    SENDER = "sender"
    RECIPIENT = "recipient"
    CONTENT = "content"


class MailAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The server's last answer: 250 at CONTENT means that it has the letter. ``enhanced`` is its RFC 3463 code, or empty.

    The answer's words are not kept: servers repeat the recipient in them.
    """

    stage: MailStage
    code: int
    enhanced: str = ""


class MailMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A whole message (RFC 5322, lines end with CR LF) and its envelope."""

    sender: str
    recipient: str
    content: bytes

    def __repr__(self) -> str:
        """Name neither the recipient nor the content."""
        return f"MailMessage({len(self.content)} bytes)"


Post = Callable[[MailMessage], Awaitable[MailAnswer]]
"""Hands a message to a mail server; raises schemas.exchange.ExchangeFailed when no answer came."""
