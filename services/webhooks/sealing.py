"""Secrets at rest: AES-256-GCM under a key that never enters the database, bound to the endpoint whose secret it is."""

import secrets
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
SECRET_BYTES = 32
"""Standard Webhooks: 24 to 64 random bytes."""
_NONCE_BYTES = 12
_TAG_BYTES = 16
_FORM = b"\x01"
"""First byte of what is sealed: the form, so that another may follow."""


class NotUnsealed(RuntimeError):
    """A sealed secret was changed, or none of the given keys sealed it."""


class Sealer:
    """Seals with the first key and unseals with any: a new key goes in front of the old ones.

    ``chance(n)`` gives n random bytes.
    """

    def __init__(self, keys: tuple[bytes, ...], chance: Callable[[int], bytes] = secrets.token_bytes) -> None:
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise ValueError(f"the keys that seal webhook secrets have {KEY_BYTES} bytes each")
        self._ciphers = [AESGCM(key) for key in keys]
        self._chance = chance

    def new_secret(self) -> bytes:
        """Return a new random secret."""
        return self._chance(SECRET_BYTES)

    def seal(self, secret: bytes, endpoint: int) -> bytes:
        """Return form, nonce and ciphertext with its tag."""
        nonce = self._chance(_NONCE_BYTES)
        return _FORM + nonce + self._ciphers[0].encrypt(nonce, secret, _bound_to(endpoint))

    def unseal(self, sealed: bytes, endpoint: int) -> bytes:
        """Return the secret; raises NotUnsealed."""
        if len(sealed) <= len(_FORM) + _NONCE_BYTES + _TAG_BYTES or not sealed.startswith(_FORM):
            raise NotUnsealed(f"the secret of endpoint {endpoint} is not in the sealed form")
        nonce, content = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(nonce, content, _bound_to(endpoint))
            except InvalidTag:
                continue
        raise NotUnsealed(f"no key unseals the secret of endpoint {endpoint}")


def _bound_to(endpoint: int) -> bytes:
    return f"kopeck webhook secret of endpoint {endpoint}".encode()
