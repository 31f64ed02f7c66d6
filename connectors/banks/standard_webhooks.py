"""Standard Webhooks signatures: HMAC-SHA256 over ``id.timestamp.body`` (design §1, station 2; standardwebhooks.com, v1)."""

import binascii
import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from enum import IntEnum
from typing import NewType

import msgspec

HEADER_ID = "webhook-id"
HEADER_TIMESTAMP = "webhook-timestamp"
HEADER_SIGNATURE = "webhook-signature"

SIGNATURES_MAX = 8
SIGNATURE_CHARACTERS_MAX = 1024
SECRET_PREFIX = "whsec_"

Secret = NewType("Secret", bytes)

_ID = re.compile(r"[!-\-/-~]{1,256}", re.ASCII)
"""Visible ASCII without the full stop, which separates the signed parts."""
_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)
_VERSION = "v1,"
_DIGEST_BYTES = 32


class Verdict(IntEnum):
    """What a signature is worth, in the order checked. STALE has a right signature and a moment outside the window."""

    VALID = 0
    MISSING = 1
    MALFORMED = 2
    WRONG_SIGNATURE = 3
    STALE = 4


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """The three headers of a message; None for one that did not come."""

    message_id: str | None
    timestamp: str | None
    signature: str | None


def signed_headers(headers: Mapping[str, str]) -> Signed:
    """Pick the three headers from a mapping that is case-insensitive or has lower-case names."""
    return Signed(
        message_id=headers.get(HEADER_ID), timestamp=headers.get(HEADER_TIMESTAMP), signature=headers.get(HEADER_SIGNATURE)
    )


def parse_secret(text: str) -> Secret:
    """Read a secret: ``whsec_`` and base64, or any other text as its UTF-8 bytes. Empty or bad base64 is a ValueError."""
    if not text.startswith(SECRET_PREFIX):
        secret = text.encode()
    else:
        try:
            secret = b64decode(text.removeprefix(SECRET_PREFIX).encode("ascii"), validate=True)
        except (binascii.Error, UnicodeEncodeError) as error:
            raise ValueError("a webhook secret is not whsec_ and base64") from error
    if not secret:
        raise ValueError("a webhook secret is empty")
    return Secret(secret)


def sign(secret: Secret, *, message_id: str, timestamp: int, body: bytes) -> str:
    """Return one signature, ``v1,<base64>``, for the message; ``timestamp`` is whole seconds of UTC since 1970."""
    return _VERSION + b64encode(_digest(secret, f"{message_id}.{timestamp}.".encode() + body)).decode()


def sign_headers(secrets: tuple[Secret, ...], *, message_id: str, timestamp: int, body: bytes) -> tuple[tuple[str, str], ...]:
    """Return the three headers of an outgoing message, signed with every secret in use (several during a rotation).

    ``message_id`` stays the same at every repeat, ``timestamp`` is the attempt's. An id that a verifier would refuse, no
    secret and more than SIGNATURES_MAX secrets are a programmer's errors (AssertionError).
    """
    assert _ID.fullmatch(message_id) is not None, message_id
    assert 0 < len(secrets) <= SIGNATURES_MAX, len(secrets)
    signatures = [sign(secret, message_id=message_id, timestamp=timestamp, body=body) for secret in secrets]
    return ((HEADER_ID, message_id), (HEADER_TIMESTAMP, str(timestamp)), (HEADER_SIGNATURE, " ".join(signatures)))


def verify(signed: Signed, body: bytes, secrets: tuple[Secret, ...], *, now: int, window_s: int) -> Verdict:
    """Check a message against every secret in use (several during a rotation).

    ``now`` is whole seconds of UTC since 1970. One right signature among those given is enough; versions other than
    v1 are passed over. The time taken does not depend on where a wrong signature differs.
    """
    if not signed.message_id or not signed.timestamp or not signed.signature:
        return Verdict.MISSING
    given = _signatures(signed.signature)
    if _ID.fullmatch(signed.message_id) is None or _TIMESTAMP.fullmatch(signed.timestamp) is None or not given:
        return Verdict.MALFORMED
    content = f"{signed.message_id}.{signed.timestamp}.".encode() + body
    matched = False
    for secret in secrets:
        expected = _digest(secret, content)
        for signature in given:
            matched |= hmac.compare_digest(expected, signature)
    if not matched:
        return Verdict.WRONG_SIGNATURE
    return Verdict.VALID if abs(now - int(signed.timestamp)) <= window_s else Verdict.STALE


def _digest(secret: Secret, content: bytes) -> bytes:
    return hmac.digest(secret, content, "sha256")


def _signatures(header: str) -> tuple[bytes, ...]:
    """Return the digests of the v1 signatures; empty when the header is over a limit or holds none in the right form."""
    parts = header.split(" ")
    if len(header) > SIGNATURE_CHARACTERS_MAX or len(parts) > SIGNATURES_MAX:
        return ()
    return tuple(digest for part in parts if part.startswith(_VERSION) and (digest := _decoded(part[len(_VERSION) :])))


def _decoded(text: str) -> bytes | None:
    try:
        digest = b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return None
    return digest if len(digest) == _DIGEST_BYTES else None
