"""Checksums of RBS callbacks: HMAC-SHA256 and RSA PKCS#1 v1.5 over ``name;value;…`` (protocols.md §2)."""

import hmac
import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Annotated

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate

CHECKSUM, SIGN_ALIAS = "checksum", "sign_alias"
RSA_BITS_MIN = 2048
KEYS_REMEMBERED = 64

_HMAC = re.compile(r"[0-9A-Fa-f]{64}", re.ASCII)
_SIGNATURE = re.compile(r"(?:[0-9A-Fa-f]{2}){64,1024}", re.ASCII)
_CERTIFICATE = "-----BEGIN CERTIFICATE-----"


class SignHash(StrEnum):
    """The hash that an RSA key signs; the key's name at the bank does not always tell it."""

    SHA_256 = "sha256"
    SHA_512 = "sha512"


class RsaKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A bank's public key or certificate in PEM, and the ``sign_alias`` it signs under; an empty alias is any.

    The certificate's dates are not asked: the bank's cabinet says which keys are in use, and an old one stays until the last
    callback under it has come.
    """

    pem: Annotated[str, msgspec.Meta(min_length=1)]
    alias: str = ""
    hash: SignHash = SignHash.SHA_512

    def __post_init__(self) -> None:
        """Refuse what is no RSA key of RSA_BITS_MIN bits or more: ValueError."""
        public_key(self.pem)


@lru_cache(maxsize=KEYS_REMEMBERED)
def public_key(pem: str) -> RSAPublicKey:
    """Return the RSA key of a PEM public key or certificate; ValueError for anything else."""
    try:
        content = pem.encode("ascii")
        key = load_pem_x509_certificate(content).public_key() if _CERTIFICATE in pem else load_pem_public_key(content)
    except ValueError as error:
        raise ValueError("expected a public key or a certificate in PEM") from error
    if not isinstance(key, RSAPublicKey) or key.key_size < RSA_BITS_MIN:
        raise ValueError(f"expected an RSA key of at least {RSA_BITS_MIN} bits")
    return key


def signed_text(parameters: Mapping[str, str], *, keeps_empty: bool = True) -> bytes:
    """Return what the checksum is over: every parameter but ``checksum`` and ``sign_alias``, by name in byte order.

    ``keeps_empty``: an empty value stands as ``name;;`` [from memory]; a bank may leave it out.
    """
    pairs = [(_bytes(name), _bytes(value)) for name, value in parameters.items() if name not in (CHECKSUM, SIGN_ALIAS)]
    return b"".join(name + b";" + value + b";" for name, value in sorted(pairs) if value or keeps_empty)


def symmetric_checksum(secret: str, text: bytes) -> str:
    """Return HMAC-SHA256 in upper-case hex."""
    return hmac.digest(secret.encode(), text, "sha256").hex().upper()


def is_symmetric(secrets: Iterable[str], text: bytes, checksum: str) -> bool:
    """Whether a checksum is right under one of the secrets; the time does not depend on where it differs."""
    if _HMAC.fullmatch(checksum) is None:
        return False
    given = checksum.upper()
    return any([hmac.compare_digest(symmetric_checksum(secret, text), given) for secret in secrets])


def is_asymmetric(keys: Iterable[RsaKey], text: bytes, checksum: str) -> bool:
    """Whether a checksum is a signature by one of the keys."""
    if _SIGNATURE.fullmatch(checksum) is None:
        return False
    signature = bytes.fromhex(checksum)
    return any(_verifies(key, text, signature) for key in keys)


def _verifies(key: RsaKey, text: bytes, signature: bytes) -> bool:
    algorithm = hashes.SHA256() if key.hash is SignHash.SHA_256 else hashes.SHA512()
    try:
        public_key(key.pem).verify(signature, text, PKCS1v15(), algorithm)
    except InvalidSignature:
        return False
    return True


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
