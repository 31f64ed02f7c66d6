"""Secrets that people and programs show: 256 bits of chance, shown once, kept as their SHA-256 alone."""

import hashlib
import secrets

KEY_PREFIX, TOKEN_PREFIX = "kpk_", "kpt_"
"""Of an API key or client secret, and of an access token: scanners of repositories find them by it."""
_BYTES = 32
SECRET_CHARACTERS_MAX = 200


def make_secret(prefix: str) -> str:
    """Return a new secret; it is shown to its holder and never kept."""
    return prefix + secrets.token_urlsafe(_BYTES)


def hash_of(secret: str) -> bytes:
    """Return what the database finds a secret by. No salt: what has 256 bits of chance cannot be guessed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
