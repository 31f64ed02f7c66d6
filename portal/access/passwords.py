"""Passwords by argon2id, and the second factor by TOTP (RFC 6238): what is right, never what is wrong about it.

Hashing takes tens of milliseconds and memory on purpose: call it in a thread.
"""

from datetime import datetime

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

PASSWORD_CHARACTERS = range(12, 201)
TOTP_STEP_S = 30
TOTP_DRIFT_STEPS = 1
"""A phone's clock may be half a minute off either way."""
ISSUER = "Kopeck"

_HASHER = PasswordHasher()
_NOBODYS = _HASHER.hash("a password that nobody has")


class WeakPassword(ValueError):
    """A password that is not taken; the message is Russian and says why."""


def hash_password(password: str, login: str = "") -> str:
    """Return the hash that is kept. Length is what counts (NIST SP 800-63B); raises WeakPassword."""
    if len(password) not in PASSWORD_CHARACTERS:
        raise WeakPassword(f"пароль – от {PASSWORD_CHARACTERS.start} до {PASSWORD_CHARACTERS.stop - 1} знаков")
    if len(set(password)) < 5 or (login and login.lower() in password.lower()):
        raise WeakPassword("такой пароль легко угадать")
    return _HASHER.hash(password)


def is_password(kept: str | None, password: str) -> bool:
    """Check a password; for a login that does not exist (None) it takes as long and is False."""
    if len(password) >= PASSWORD_CHARACTERS.stop:
        return False
    try:
        return _HASHER.verify(kept or _NOBODYS, password) and kept is not None
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(kept: str) -> bool:
    """Say whether a hash was made by parameters that are not today's."""
    return _HASHER.check_needs_rehash(kept)


def make_totp_secret() -> str:
    """Return a new secret for an authenticator, base32."""
    return pyotp.random_base32()


def totp_address(secret: str, login: str) -> str:
    """Return the otpauth:// address that a QR code shows."""
    return pyotp.TOTP(secret).provisioning_uri(name=login, issuer_name=ISSUER)


def totp_step_of(secret: str, code: str, now: datetime) -> int | None:
    """Return the time step whose code this is, within the drift; None for a wrong one. A step may be accepted once only."""
    if not (code.isascii() and code.isdigit() and len(code) == 6):
        return None
    totp, step = pyotp.TOTP(secret), int(now.timestamp()) // TOTP_STEP_S
    for near in range(step - TOTP_DRIFT_STEPS, step + TOTP_DRIFT_STEPS + 1):
        if totp.verify(code, for_time=datetime.fromtimestamp(near * TOTP_STEP_S, now.tzinfo)):
            return near
    return None
