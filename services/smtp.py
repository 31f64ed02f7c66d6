"""The real post: one conversation with a mail server a letter (aiosmtplib), told apart by the stage at which it ended."""

import re
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import StrEnum

import aiosmtplib
import msgspec

from schemas.exchange import ExchangeFailed
from schemas.letter import MailAnswer, MailMessage, MailStage

_ENHANCED = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?:\s|$)", re.ASCII)
TAKEN = 250
LEAST_CODE = 200
"""What cannot be read as an answer has a code of its own below."""


class Encryption(StrEnum):
    """How the conversation is encrypted: TLS from its start (port 465), STARTTLS (587), or not at all (our own relay)."""

    TLS = "tls"
    STARTTLS = "starttls"
    NONE = "none"


class MailServer(msgspec.Struct, frozen=True, kw_only=True):
    """A mail server and how to be let in; without a user name nobody logs in. ``name`` is ours in the greeting (EHLO)."""

    host: str
    port: int
    encryption: Encryption = Encryption.STARTTLS
    user: str = ""
    password: str = ""
    name: str = "localhost"
    timeout_s: int = 30

    def __post_init__(self) -> None:
        """Refuse to send a password in the clear (ValueError)."""
        if self.user and self.encryption is Encryption.NONE:
            raise ValueError("a mail server's password is never sent unencrypted")

    def __repr__(self) -> str:
        """Name the server without its password."""
        return f"MailServer({self.host}:{self.port}, {self.encryption})"


class _Ended(Exception):
    """The server said no; carries its answer."""

    def __init__(self, answer: MailAnswer) -> None:
        super().__init__()
        self.answer = answer


class SmtpPost:
    """A schemas.letter.Post. ``tls`` is the context to verify the server with, the system's when None."""

    def __init__(self, server: MailServer, tls: ssl.SSLContext | None = None) -> None:
        self._server = server
        self._tls = tls

    async def __call__(self, message: MailMessage) -> MailAnswer:
        """Hand a message over; raises ExchangeFailed, ``sent`` once the content may have been."""
        client = aiosmtplib.SMTP(
            hostname=self._server.host,
            port=self._server.port,
            local_hostname=self._server.name,
            timeout=self._server.timeout_s,
            use_tls=self._server.encryption is Encryption.TLS,
            start_tls=self._server.encryption is Encryption.STARTTLS,
            tls_context=self._tls,
        )
        try:
            await _at(MailStage.GREETING, client.connect)
            if self._server.user:
                await _at(MailStage.LOGIN, lambda: client.login(self._server.user, self._server.password))
            await _at(MailStage.SENDER, lambda: client.mail(message.sender))
            await _at(MailStage.RECIPIENT, lambda: client.rcpt(message.recipient))
            answer = await _at(MailStage.CONTENT, lambda: client.data(message.content))
        except _Ended as ended:
            answer = ended.answer
        finally:
            await _leave(client)
        return answer


async def _at(stage: MailStage, step: Callable[[], Awaitable[object]]) -> MailAnswer:
    """Take one step; raises _Ended for a refusal, ExchangeFailed when the server fell silent."""
    try:
        await step()
    except aiosmtplib.SMTPResponseException as error:
        if error.code < LEAST_CODE:
            raise ExchangeFailed(f"no SMTP answer at the {stage}", sent=stage is MailStage.CONTENT) from None
        raise _Ended(_answer(stage, error.code, error.message)) from None
    except (aiosmtplib.SMTPException, OSError) as error:
        # The error's words may repeat the recipient.
        raise ExchangeFailed(f"{type(error).__name__} at the {stage}", sent=stage is MailStage.CONTENT) from None
    return MailAnswer(stage=stage, code=TAKEN)


def _answer(stage: MailStage, code: int, words: str) -> MailAnswer:
    found = _ENHANCED.match(words)
    return MailAnswer(stage=stage, code=code, enhanced=found[1] if found else "")


async def _leave(client: aiosmtplib.SMTP) -> None:
    """Say goodbye when there is somebody to say it to; the letter's fate is known, so a broken goodbye changes nothing."""
    if client.is_connected:
        with suppress(aiosmtplib.SMTPException, OSError):
            await client.quit()
    client.close()
