"""Detached CMS: what the sandbox's program signs, what verifies, and what never does."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from shutil import which

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs7
from hypothesis import given
from hypothesis import strategies as st

from connectors.transfers.cms import CmsError, claimed_signer, read_signature, verify_detached
from connectors.transfers.multipart import read_parts, write_parts
from connectors.transfers.signing import SigningFailed
from kopeck.clock import utc_now
from kopeck.sandbox_signer import make_sandbox_key, sign_detached
from services.signing import SigningCommand, command_signer
from tests.connectors.transfer_desk import sandbox_key

CONTENT = "Реестр № 12\n".encode() * 100


def certificate() -> x509.Certificate:
    return x509.load_pem_x509_certificate(sandbox_key()[1].encode())


def test_what_is_signed_verifies_with_subject_and_time() -> None:
    signature = sign_detached(CONTENT, sandbox_key()[0])
    signer, signed_at = verify_detached(signature, CONTENT, (certificate(),))
    assert signer == "CN=Подписант песочницы"
    assert abs(utc_now() - signed_at) < timedelta(minutes=5)
    assert claimed_signer(signature, CONTENT) == (signer, signed_at)


def test_other_content_is_refused() -> None:
    signature = sign_detached(CONTENT, sandbox_key()[0])
    with pytest.raises(CmsError, match="of other content"):
        verify_detached(signature, CONTENT + b" ", (certificate(),))
    with pytest.raises(CmsError, match="of other content"):
        claimed_signer(signature, CONTENT + b" ")


def test_an_untrusted_signer_is_refused_whatever_certificate_comes_along(tmp_path: Path) -> None:
    key, _ = make_sandbox_key(tmp_path, subject="Чужой", now=utc_now())
    with pytest.raises(CmsError, match="not among the trusted"):
        verify_detached(sign_detached(CONTENT, key.read_bytes()), CONTENT, (certificate(),))


def test_a_certificate_must_be_valid_when_it_signs(tmp_path: Path) -> None:
    key, path = make_sandbox_key(tmp_path, subject="Позавчера", now=utc_now() - timedelta(days=5_000))
    old = x509.load_pem_x509_certificate(path.read_bytes())
    with pytest.raises(CmsError, match="not valid at the signing time"):
        verify_detached(sign_detached(CONTENT, key.read_bytes()), CONTENT, (old,))


@pytest.mark.parametrize("place", range(0, 600, 7))
def test_a_changed_byte_never_verifies_as_another_signature(place: int) -> None:
    signature = bytearray(sign_detached(CONTENT, sandbox_key()[0]))
    signature[place % len(signature)] ^= 0x01
    try:
        signer, _ = verify_detached(bytes(signature), CONTENT, (certificate(),))
    except CmsError:
        return
    # Parts outside the signature (versions, the certificate that came along) decide nothing.
    assert signer == "CN=Подписант песочницы"


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_in_words(noise: bytes) -> None:
    with pytest.raises(CmsError):
        read_signature(noise)


@given(st.integers(0, 640), st.integers(0, 255))
def test_a_damaged_signature_raises_nothing_else(place: int, value: int) -> None:
    signature = bytearray(SIGNATURE)
    signature[place % len(signature)] = value
    try:
        read_signature(bytes(signature))
        verify_detached(bytes(signature[:place]), CONTENT, (certificate(),))
    except CmsError as error:
        assert str(error)


SIGNATURE = sign_detached(CONTENT, sandbox_key()[0])


def test_rsa_signatures_verify_too() -> None:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "RSA")])
    now = utc_now()
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
    made = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    signing = pkcs7.PKCS7SignatureBuilder().set_data(CONTENT).add_signer(made, key, hashes.SHA512())
    options = [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary]
    signature = signing.sign(serialization.Encoding.DER, options)
    assert verify_detached(signature, CONTENT, (made,))[0] == "CN=RSA"


OPENSSL = which("openssl")
NO_ORACLE = pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed: no second opinion on signatures")


def openssl(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    assert OPENSSL is not None
    return subprocess.run([OPENSSL, *arguments], capture_output=True, check=False, timeout=30)


@NO_ORACLE
def test_openssl_believes_our_signature_and_we_its(tmp_path: Path) -> None:
    key, path = make_sandbox_key(tmp_path, subject="Кто-то", now=utc_now())
    file, ours, theirs = tmp_path / "register", tmp_path / "ours.p7s", tmp_path / "theirs.p7s"
    file.write_bytes(CONTENT)
    ours.write_bytes(sign_detached(CONTENT, key.read_bytes()))
    verify = ("cms", "-verify", "-binary", "-inform", "DER", "-in", str(ours), "-content", str(file), "-CAfile", str(path))
    verified = openssl(*verify, "-purpose", "any", "-out", str(tmp_path / "out"))
    assert verified.returncode == 0, verified.stderr
    sign = ("cms", "-sign", "-binary", "-outform", "DER", "-in", str(file), "-out", str(theirs), "-signer", str(path))
    signed = openssl(*sign, "-inkey", str(key))
    assert signed.returncode == 0, signed.stderr
    trusted = x509.load_pem_x509_certificate(path.read_bytes())
    assert verify_detached(theirs.read_bytes(), CONTENT, (trusted,))[0] == "CN=Кто-то"


@NO_ORACLE
def test_an_enveloping_signature_is_not_taken_for_a_detached_one(tmp_path: Path) -> None:
    key, path = make_sandbox_key(tmp_path, subject="Кто-то", now=utc_now())
    file, theirs = tmp_path / "register", tmp_path / "theirs.p7s"
    file.write_bytes(CONTENT)
    sign = ("cms", "-sign", "-nodetach", "-binary", "-outform", "DER", "-in", str(file), "-out", str(theirs))
    assert openssl(*sign, "-signer", str(path), "-inkey", str(key)).returncode == 0
    with pytest.raises(CmsError, match="stand outside"):
        read_signature(theirs.read_bytes())


def test_the_key_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    key, path = make_sandbox_key(tmp_path, subject="Кто-то", now=utc_now())
    before = key.read_bytes()
    assert make_sandbox_key(tmp_path, subject="Другой", now=utc_now()) == (key, path)
    assert key.read_bytes() == before and key.stat().st_mode & 0o077 == 0


def command(*argv: str, timeout_ms: int = 30_000, content_bytes_max: int = 1_000_000) -> SigningCommand:
    return SigningCommand(argv=argv, timeout_ms=timeout_ms, content_bytes_max=content_bytes_max)


def program(text: str, **limits: int) -> SigningCommand:
    return command(sys.executable, "-c", text, **limits)


async def test_the_sandbox_program_signs_as_a_process_of_its_own(tmp_path: Path) -> None:
    key, path = make_sandbox_key(tmp_path, subject="Кто-то", now=utc_now())
    content = CONTENT * 200
    signed = await command_signer(command(sys.executable, "-m", "kopeck.sandbox_signer", "--key", str(key)))(content)
    trusted = x509.load_pem_x509_certificate(path.read_bytes())
    assert verify_detached(signed.signature, content, (trusted,)) == (signed.signer, signed.signed_at)


FAILURES = [
    (program("import sys; sys.stdin.buffer.read(); sys.exit('нет токена')"), "ended with 1: нет токена"),
    (program("import sys; sys.stdin.buffer.read(); print('x')"), "not a detached CMS signature"),
    (program("pass"), "not a detached CMS signature"),
    (program("import sys; sys.stdout.write('x' * 10_000_000)"), "more than 65536 bytes"),
    (program("import time; time.sleep(60)", timeout_ms=300), "no signature within 300 ms"),
    (program("pass", content_bytes_max=10), "more than 10 bytes"),
    (command("./no-such-program"), "cannot be run"),
]


@pytest.mark.parametrize(("given_command", "reason"), FAILURES)
async def test_a_signing_command_that_fails_says_why(given_command: SigningCommand, reason: str) -> None:
    with pytest.raises(SigningFailed, match=reason):
        await command_signer(given_command)(CONTENT)


async def test_no_shell_reads_the_arguments(tmp_path: Path) -> None:
    with pytest.raises(SigningFailed, match="cannot be run"):
        await command_signer(command(f"touch {tmp_path}/made; cat"))(CONTENT)
    assert not list(tmp_path.iterdir())


async def test_another_files_signature_is_not_passed_on(tmp_path: Path) -> None:
    file = tmp_path / "old.p7s"
    file.write_bytes(sign_detached(b"another file", sandbox_key()[0]))
    text = f"import sys; sys.stdin.buffer.read(); sys.stdout.buffer.write(open({str(file)!r}, 'rb').read())"
    with pytest.raises(SigningFailed, match="of other content"):
        await command_signer(program(text))(CONTENT)


def test_an_empty_command_is_no_signer() -> None:
    with pytest.raises(ValueError, match="empty"):
        command_signer(SigningCommand(argv=()))


@given(st.binary(max_size=500), st.binary(max_size=500))
def test_parts_come_back_byte_for_byte(content: bytes, signature: bytes) -> None:
    content_type, body = write_parts(content, "application/jsonl", signature)
    assert read_parts(content_type, body) == {"register": content, "signature": signature}


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/plain", b"--a\r\n"),
        ("multipart/form-data; boundary=a", b""),
        ("multipart/form-data; boundary=a", b"--a\r\n\r\nx\r\n--a--\r\n"),
        ("multipart/form-data; boundary=a", b'--a\r\nContent-Disposition: form-data; name="x"\r\n\r\n1'),
        ("multipart/form-data; boundary=a", b'--a\r\nContent-Disposition: form-data; name="x"\r\n\r\n1\r\n' * 2 + b"--a--"),
    ],
)
def test_broken_parts_are_no_parts(content_type: str, body: bytes) -> None:
    assert read_parts(content_type, body) == {}
