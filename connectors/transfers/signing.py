"""What connectors know of signing: content goes out, a detached signature comes back; the key lives outside the process."""

from collections.abc import Awaitable, Callable
from datetime import datetime

import msgspec


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """A detached CMS signature in DER, the subject of the signer's certificate (RFC 4514) and the moment of signing, aware."""

    signature: bytes
    signer: str
    signed_at: datetime


class SigningFailed(Exception):
    """Nothing was signed, so nothing may be sent; the reason is for the operator and holds no content."""


Sign = Callable[[bytes], Awaitable[Signed]]
"""Signs exactly these bytes; raises SigningFailed."""
