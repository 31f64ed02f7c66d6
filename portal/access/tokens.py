"""OAuth2 client credentials (RFC 6749 §4.4): a key's holder takes tokens that live for minutes and may do less than the key."""

import base64
import binascii
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote_plus

import asyncpg
import msgspec
from aiohttp import web

from ledger.statements import load_statements
from portal.access.credentials import SECRET_CHARACTERS_MAX, TOKEN_PREFIX, hash_of, make_secret

SQL = load_statements("portal/access/tokens.sql")

TOKEN_LIVES = timedelta(minutes=30)
FORM_FIELDS_MAX = 20


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of RFC 6749 §5.1."""

    access_token: str
    expires_in: int
    scope: str
    token_type: str = "Bearer"

    def __repr__(self) -> str:
        """Leave the token out."""
        return f"Token({self.scope!r})"


class TokenRefused(Exception):
    """An error code of RFC 6749 §5.2, and what it is about in English, as that RFC has it."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(code)
        self.code, self.description = code, description


async def give_token(pool: "asyncpg.Pool[Any]", client: tuple[str, str], wanted: frozenset[str] | None, now: datetime) -> Token:
    """Give a token to (name, secret) with the scopes ``wanted``, all of the client's for None. Raises TokenRefused."""
    name, secret = client
    wrong = TokenRefused("invalid_client", "unknown client or wrong secret")
    if len(name) > SECRET_CHARACTERS_MAX or len(secret) > SECRET_CHARACTERS_MAX or "\0" in name:
        raise wrong
    proof, token = hash_of(secret), make_secret(TOKEN_PREFIX)
    async with pool.acquire() as connection, connection.transaction():
        held = await connection.fetchval(SQL["scopes_of"], name, proof)
        if held is None:
            raise wrong
        scopes = sorted(held if wanted is None else wanted)
        if not scopes or not set(scopes) <= set(held):
            raise TokenRefused("invalid_scope", "the client does not have every scope asked for")
        await connection.execute(SQL["forget_expired"], now)
        if await connection.fetchval(SQL["add_token"], name, proof, hash_of(token), scopes, now + TOKEN_LIVES) is None:
            raise wrong
    return Token(access_token=token, expires_in=TOKEN_LIVES // timedelta(seconds=1), scope=" ".join(scopes))


class TokenRoute:
    """``POST /oauth2/token``, a form as RFC 6749 has it; the client's name and secret come by Basic or in the form."""

    def __init__(self, services: "asyncpg.Pool[Any]", utc_now: Callable[[], datetime]) -> None:
        self._services, self._utc_now = services, utc_now

    async def answer(self, request: web.Request) -> web.Response:
        """Answer with a token, or with the RFC's error."""
        try:
            form = await _form_of(request)
            scope = form.get("scope", "").split()
            told = await give_token(
                self._services, _client_of(request, form), frozenset(scope) if scope else None, self._utc_now()
            )
        except TokenRefused as error:
            body = msgspec.json.encode({"error": error.code, "error_description": error.description})
            status = 401 if error.code == "invalid_client" else 400
            headers = _HEADERS | ({"WWW-Authenticate": 'Basic realm="kopeck"'} if status == 401 else {})
            return web.Response(status=status, body=body, content_type="application/json", headers=headers)
        return web.Response(body=msgspec.json.encode(told), content_type="application/json", headers=_HEADERS)


_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


async def _form_of(request: web.Request) -> dict[str, str]:
    if request.content_type != "application/x-www-form-urlencoded":
        raise TokenRefused("invalid_request", "application/x-www-form-urlencoded is needed")
    try:
        given = await request.post()
    except (ValueError, LookupError) as error:
        raise TokenRefused("invalid_request", "the form cannot be read") from error
    fields = [(name, value) for name, value in given.items() if isinstance(value, str)]
    if len(fields) > FORM_FIELDS_MAX or len({name for name, _ in fields}) < len(fields):
        raise TokenRefused("invalid_request", "a parameter is given twice")
    form = dict(fields)
    if form.get("grant_type") != "client_credentials":
        known = "unsupported_grant_type" if form.get("grant_type") else "invalid_request"
        raise TokenRefused(known, "grant_type must be client_credentials")
    return form


def _client_of(request: web.Request, form: dict[str, str]) -> tuple[str, str]:
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    if "client_secret" in form:
        raise TokenRefused("invalid_request", "the client is told in two ways")
    try:
        name, _, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise TokenRefused("invalid_client", "the Authorization header cannot be read") from error
    return unquote_plus(name), unquote_plus(secret)
