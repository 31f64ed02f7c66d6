"""The real exchange: what came back, what surely was not sent, what may have been; and what is never logged."""

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
import structlog
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from structlog.testing import capture_logs

from kopeck.clock import utc_now
from schemas.exchange import ExchangeFailed, HttpAnswer, HttpRequest
from services.delivery.http import HttpExchange, HttpTerms, TlsFiles, client_tls

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def raw_server(talk: Talk, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server that does with a connection what it is told; its address."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    scheme = "http" if tls is None else "https"
    yield f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


@asynccontextmanager
async def web_server(answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """A server of aiohttp's; its address."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def hear(reader: asyncio.StreamReader) -> bytes:
    """The request's head."""
    return await reader.readuntil(b"\r\n\r\n")


def saying(reply: bytes) -> Talk:
    """Hear a request, say this, hang up."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await hear(reader)
        writer.write(reply)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    return talk


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Hear everything and never answer."""
    await reader.read()


async def exchanged(url: str, terms: HttpTerms | None = None, **request: object) -> HttpAnswer:
    """One exchange on a connection of its own."""
    async with HttpExchange(terms) as exchange:
        return await exchange(HttpRequest(**{"method": "POST", "url": url, "body": b"x", "timeout_ms": 5_000, **request}))  # type: ignore[arg-type]


async def failed(url: str, terms: HttpTerms | None = None, **request: object) -> ExchangeFailed:
    """How one exchange failed."""
    with pytest.raises(ExchangeFailed) as raised:
        await exchanged(url, terms, **request)
    return raised.value


async def test_a_request_arrives_as_it_was_built_and_the_answer_as_it_was_given() -> None:
    seen: list[tuple[str, str, dict[str, str], bytes]] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append((request.method, request.raw_path, {k.lower(): v for k, v in request.headers.items()}, await request.read()))
        return web.Response(status=404, body=b"no", headers=[("X-One", "1"), ("X-One", "2"), ("Set-Cookie", "a=b")])

    async with web_server(answer) as url:
        path = "/orders/%2Fa%3D?sign=%2b+&x=%D0%B0"
        got = await exchanged(url + path, headers=(("token", "t"), ("content-type", "application/json")))
    method, raw_path, headers, body = seen[0]
    assert (method, raw_path, body) == ("POST", path, b"x")
    assert headers["token"] == "t" and headers["content-type"] == "application/json" and headers["user-agent"] == "Kopeck"
    assert (got.status, got.body) == (404, b"no")
    assert [value for name, value in got.headers if name == "x-one"] == ["1", "2"]


async def test_nothing_is_followed_and_nothing_is_kept() -> None:
    paths: list[tuple[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        paths.append((request.path, request.headers.get("Cookie", "")))
        return web.Response(status=302, headers={"Location": "/elsewhere", "Set-Cookie": "a=b"})

    async with web_server(answer) as url, HttpExchange() as exchange:
        for _ in range(2):
            assert (await exchange(HttpRequest(method="GET", url=f"{url}/here"))).status == 302
    assert paths == [("/here", ""), ("/here", "")]


async def test_a_refused_connection_was_surely_not_sent(unused_tcp_port: int) -> None:
    assert not (await failed(f"http://127.0.0.1:{unused_tcp_port}")).sent


@pytest.fixture
async def unused_tcp_port() -> int:
    """A port on which nobody listens."""
    server = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


async def test_without_tls_nothing_was_sent() -> None:
    async with raw_server(saying(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as url:
        assert not (await failed(url.replace("http:", "https:"), timeout_ms=500)).sent


async def test_without_a_free_connection_nothing_was_sent() -> None:
    async with raw_server(silent) as url, HttpExchange(HttpTerms(connections_max=1, connect_ms=100)) as exchange:
        first = asyncio.create_task(exchange(HttpRequest(method="POST", url=url, timeout_ms=1_000)))
        await asyncio.sleep(0.05)
        with pytest.raises(ExchangeFailed) as second:
            await exchange(HttpRequest(method="POST", url=url, timeout_ms=1_000))
        assert not second.value.sent
        with pytest.raises(ExchangeFailed) as held:
            await first
        assert held.value.sent and held.value.reason == "timed out"


@pytest.mark.parametrize("url", ["http://[::1?x", "http://127.0.0.1:99999999/", "no-address", "ftp://127.0.0.1/", ""])
async def test_what_is_no_address_was_surely_not_sent(url: str) -> None:
    assert not (await failed(url)).sent


LOST = [
    (b"", "nothing"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "half an answer"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal", "half a chunk"),
    (b"SMTP ready\r\n\r\n", "another language"),
]


@pytest.mark.parametrize(("reply", "_what"), LOST)
async def test_after_a_lost_answer_it_may_have_been_sent(reply: bytes, _what: str) -> None:
    async with raw_server(saying(reply)) as url:
        assert (await failed(url)).sent


async def test_silence_ends_in_time_and_may_have_been_sent() -> None:
    began = asyncio.get_running_loop().time()
    async with raw_server(silent) as url:
        failure = await failed(url, timeout_ms=200)
    assert failure.sent and failure.reason == "timed out"
    assert asyncio.get_running_loop().time() - began < 2


async def test_a_connection_that_died_while_it_was_kept_may_have_been_sent() -> None:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await hear(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await hear(reader)

    async with raw_server(once) as url, HttpExchange() as exchange:
        request = HttpRequest(method="POST", url=url)
        assert (await exchange(request)).status == 200
        with pytest.raises(ExchangeFailed) as lost:
            await exchange(request)
        assert lost.value.sent


@pytest.mark.parametrize("packed", [False, True])
async def test_an_answer_is_bounded(packed: bool) -> None:
    async def answer(_request: web.Request) -> web.Response:
        body = bytes(5_000_000)
        return web.Response(body=gzip.compress(body), headers={"Content-Encoding": "gzip"}) if packed else web.Response(body=body)

    async with web_server(answer) as url:
        failure = await failed(url, HttpTerms(answer_bytes_max=100_000))
        assert len((await exchanged(url, HttpTerms(answer_bytes_max=5_000_000))).body) == 5_000_000
    assert failure.sent and "more than 100000 bytes" in failure.reason


async def test_neither_bodies_nor_queries_nor_headers_are_logged(unused_tcp_port: int) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=b"SECRET-IN-ANSWER", headers={"X": "SECRET-IN-ANSWER"})

    structlog.reset_defaults()
    secret = {"body": b"SECRET", "headers": (("token", "SECRET"),)}
    with capture_logs() as logs:
        async with web_server(answer) as url:
            await exchanged(f"{url}/path?token=SECRET", **secret)
        failure = await failed(f"http://127.0.0.1:{unused_tcp_port}/path?token=SECRET", **secret)
    assert len(logs) == 2 and all(entry["event"] == "exchange" for entry in logs)
    assert "SECRET" not in repr(logs) and "/path" in repr(logs)
    assert "SECRET" not in str(failure)


class Authority:
    """Makes certificates for 127.0.0.1 and for clients, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "root")])
        self.root = self._write("root", self._sign(self._name, self._key, is_root=True))

    def issue(self, name: str) -> tuple[Path, Path]:
        """Paths of a certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return self._write(name, self._sign(subject, key, is_root=False)), self._write(f"{name}.key", private)

    def _sign(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, is_root: bool) -> bytes:
        now = utc_now()
        made = (
            x509.CertificateBuilder(self._name, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        )
        return made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def _write(self, name: str, content: bytes) -> Path:
        path = self.folder / f"{name}.pem"
        path.write_bytes(content)
        return path


async def test_certificates_are_checked_on_both_sides(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_tls.load_cert_chain(*authority.issue("server"))
    server_tls.load_verify_locations(authority.root)
    server_tls.verify_mode = ssl.CERT_REQUIRED
    # With TLS 1.3 a client learns only after the handshake that its certificate was wanted.
    server_tls.maximum_version = ssl.TLSVersion.TLSv1_2
    certificate, key = authority.issue("client")
    async with raw_server(saying(b"HTTP/1.1 204 No Content\r\n\r\n"), server_tls) as url:
        known = HttpTerms(tls=client_tls(TlsFiles(certificate=certificate, key=key, roots=authority.root)))
        assert (await exchanged(url, known)).status == 204
        stranger = HttpTerms(tls=client_tls(TlsFiles(roots=authority.root)))
        assert not (await failed(url, stranger)).sent
        assert not (await failed(url)).sent, "a root that nobody trusts"
    with pytest.raises(OSError):
        client_tls(TlsFiles(certificate=authority.root, key=key))
