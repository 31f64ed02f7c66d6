"""Secrets of suppliers' endpoints at rest (services/sealing.py), bound to the endpoint whose secret it is."""

import secrets
from collections.abc import Callable

from services import sealing
from services.sealing import KEY_BYTES, NotUnsealed

__all__ = ["KEY_BYTES", "NotUnsealed", "Sealer"]

SECRET_BYTES = 32
"""Standard Webhooks: 24 to 64 random bytes."""


class Sealer:
    """Seals secrets by endpoint: with the first key; unseals with any. ``chance(n)`` gives n random bytes."""

    def __init__(self, keys: tuple[bytes, ...], chance: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self._sealer = sealing.Sealer(keys, chance)

    def new_secret(self) -> bytes:
        """Return a new random secret."""
        return self._sealer.chance(SECRET_BYTES)

    def seal(self, secret: bytes, endpoint: int) -> bytes:
        """Return the secret sealed for its endpoint."""
        return self._sealer.seal(secret, _bound_to(endpoint))

    def unseal(self, sealed: bytes, endpoint: int) -> bytes:
        """Return the secret; raises NotUnsealed."""
        return self._sealer.unseal(sealed, _bound_to(endpoint))


def _bound_to(endpoint: int) -> bytes:
    return f"kopeck webhook secret of endpoint {endpoint}".encode()
