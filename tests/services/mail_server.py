"""A tiny mail server for tests: speaks as much SMTP as a client needs, and says what it was told to say."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kopeck.clock import utc_now

HANG_UP = ""
"""In place of an answer: close the connection."""
GARBAGE = "what?"
ANSWERS = {
    "CONNECT": "220 mail.example.ru ESMTP",
    "EHLO": "250-mail.example.ru\r\n250-AUTH PLAIN\r\n250 STARTTLS",
    "STARTTLS": "220 go on",
    "AUTH": "235 2.7.0 welcome",
    "MAIL": "250 2.1.0 ok",
    "RCPT": "250 2.1.5 ok",
    "DATA": "354 go on",
    ".": "250 2.0.0 queued",
    "QUIT": "221 bye",
}


class FakeMailServer:
    """Answers each command by its first word; ``taken`` are the letters whose end was seen, whatever was answered."""

    def __init__(self, answers: dict[str, str], context: ssl.SSLContext | None) -> None:
        self.answers = ANSWERS | answers
        self.port = 0
        self.lines: list[str] = []
        self.taken: list[bytes] = []
        self.talks: set[asyncio.Task[None] | None] = set()
        self._context = context

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk to one client until it leaves or is hung up on."""
        self.talks.add(asyncio.current_task())
        try:
            going = await self._say(writer, "CONNECT")
            while going and (line := (await reader.readline()).decode().rstrip("\r\n")):
                self.lines.append(line)
                word = line.split(" ")[0].upper()
                going = await self._say(writer, word)
                if going and word == "STARTTLS":
                    assert self._context is not None
                    await writer.start_tls(self._context)
                if going and word == "DATA" and self.answers[word].startswith("354"):
                    self.taken.append((await reader.readuntil(b"\r\n.\r\n"))[: -len(b".\r\n")])
                    going = await self._say(writer, ".")
        except (ConnectionError, asyncio.IncompleteReadError):
            self.lines.append("(the client left)")
        finally:
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    async def _say(self, writer: asyncio.StreamWriter, word: str) -> bool:
        answer = self.answers.get(word, "502 5.5.1 no")
        if answer == HANG_UP:
            return False
        writer.write(answer.encode() + b"\r\n")
        await writer.drain()
        return word != "QUIT"


@asynccontextmanager
async def mail_server(
    answers: dict[str, str] | None = None, *, context: ssl.SSLContext | None = None, from_start: bool = False
) -> AsyncIterator[FakeMailServer]:
    """A server on loopback; ``context`` is its certificate, used from the start or after STARTTLS."""
    fake = FakeMailServer(answers or {}, context)
    server = await asyncio.start_server(fake.talk, "127.0.0.1", 0, ssl=context if from_start else None)
    fake.port = server.sockets[0].getsockname()[1]
    async with server:
        yield fake
        await asyncio.gather(*[talk for talk in fake.talks if talk is not None])


def certificate(folder: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Contexts of a server at 127.0.0.1 and of a client that trusts it; the files are written to the folder."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = utc_now()
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = f"{folder}/server.pem"
    with open(path, "wb") as file:
        file.write(made.public_bytes(serialization.Encoding.PEM))
        file.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(path)
    return server, ssl.create_default_context(cafile=path)
