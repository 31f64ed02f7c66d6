"""What must not be read in the database: AES-256-GCM under keys that never enter it, bound to the row whose content it is.

Webhook secrets (services/webhooks/sealing.py) and payers' names and purposes (152-ФЗ, services/clearing) are sealed so. Erasing
is setting the sealed column to NULL; losing the key erases everything that was sealed with it.
"""

import secrets
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16
_FORM = b"\x01"
"""First byte of what is sealed: the form, so that another may follow."""


class NotUnsealed(RuntimeError):
    """What was sealed was changed or moved, or none of the given keys sealed it."""


class Sealer:
    """Seals with the first key and unseals with any: a new key goes in front of the old ones.

    ``bound_to`` names the row, so that sealed content moved to another does not open. ``chance(n)`` gives n random bytes.
    """

    def __init__(self, keys: tuple[bytes, ...], chance: Callable[[int], bytes] = secrets.token_bytes) -> None:
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise ValueError(f"the keys that seal have {KEY_BYTES} bytes each")
        self._ciphers = [AESGCM(key) for key in keys]
        self.chance = chance

    def seal(self, content: bytes, bound_to: bytes) -> bytes:
        """Return form, nonce and ciphertext with its tag."""
        nonce = self.chance(_NONCE_BYTES)
        return _FORM + nonce + self._ciphers[0].encrypt(nonce, content, bound_to)

    def unseal(self, sealed: bytes, bound_to: bytes) -> bytes:
        """Return the content; raises NotUnsealed naming what it is bound to."""
        if len(sealed) <= len(_FORM) + _NONCE_BYTES + _TAG_BYTES or not sealed.startswith(_FORM):
            raise NotUnsealed(f"{bound_to.decode()} is not in the sealed form")
        nonce, content = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(nonce, content, bound_to)
            except InvalidTag:
                continue
        raise NotUnsealed(f"no key unseals {bound_to.decode()}")
