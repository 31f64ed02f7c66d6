"""Logging in: a password, a second factor, a session whose cookie changes; wrong tries lock the login for a while.

What a wrong try is answered never says which part was wrong, nor whether the login exists. Every step is in the audit trail.
"""

import asyncio
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements
from portal.access.credentials import hash_of
from portal.access.passwords import hash_password, is_outdated, is_password, totp_step_of
from services.sealing import NotUnsealed, Sealer

SQL = load_statements("portal/access/people.sql")

SESSION_PREFIX = "kps_"
FAILURES_MAX = 5
LOCKED_FOR = timedelta(minutes=15)
HALF_SESSION_LIVES = timedelta(minutes=5)
SESSION_LIVES = timedelta(hours=12)
"""From the last change of its cookie."""
ROTATED_AFTER = timedelta(minutes=30)


class LoginRefused(Exception):
    """Wrong login, password or code, or a locked login: they are told apart for the audit trail alone."""


class NewPerson(msgspec.Struct, frozen=True, kw_only=True):
    """A person to be added. ``role``: viewer, accountant, approver or administrator."""

    organisation: str
    login: str
    name: str
    role: str
    password: str

    def __repr__(self) -> str:
        """Leave the password out."""
        return f"NewPerson({self.login!r})"


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """A session's cookie as its holder gets it. ``needs_code``: it opens nothing until the second factor is done."""

    cookie: str
    ends_at: datetime
    needs_code: bool

    def __repr__(self) -> str:
        """Leave the cookie out."""
        return f"Started(needs_code={self.needs_code})"


async def add_person(connection: Connection, person: NewPerson, by: str) -> int:
    """Add a person; raises WeakPassword, LookupError for an unknown organisation, UniqueViolationError for a taken login."""
    login = person.login.strip().lower()
    kept = await asyncio.to_thread(hash_password, person.password, login)
    row = person.organisation, login, person.name.strip(), person.role, kept, by
    number = await connection.fetchval(SQL["add_person"], *row)
    if number is None:
        raise LookupError(f"organisation {person.organisation!r} is not there")
    await tell(connection, None, by, "person.added", login)
    return int(number)


async def log_in(connection: Connection, login: str, password: str, now: datetime) -> Started:
    """Start a session, half of one where a second factor is set. Raises LoginRefused; its traces stay: do not roll back."""
    row = await connection.fetchrow(SQL["lock_login"], login.strip().lower(), now)
    right = await asyncio.to_thread(is_password, row["password"] if row else None, password)
    if row is None or row["is_locked"] or not right:
        await _count_failure(connection, row, login, now)
        raise LoginRefused
    if is_outdated(row["password"]):
        await connection.execute(SQL["rehash"], row["person"], await asyncio.to_thread(hash_password, password))
    needs_code = row["totp"] is not None
    if not needs_code:
        await connection.execute(SQL["forgive"], row["person"])
    started = _new_session(now, needs_code=needs_code)
    await connection.execute(
        SQL["start_session"], hash_of(started.cookie), row["person"], secrets.token_bytes(32), False, now, started.ends_at
    )
    await tell(connection, row["organisation"], login, "login.password" if needs_code else "login.done")
    return started


async def give_code(connection: Connection, cookie: str, code: str, now: datetime, sealer: Sealer) -> Started:
    """Finish a half session with the second factor: the cookie changes. Raises LoginRefused; its traces stay."""
    row = await connection.fetchrow(SQL["half_session"], hash_of(cookie), now)
    if row is None:
        raise LoginRefused
    try:
        secret = sealer.unseal(row["totp"], totp_bound_to(row["person"])).decode()
    except NotUnsealed as error:
        raise LoginRefused from error
    step = totp_step_of(secret, code.strip(), now)
    used = step is not None and await connection.fetchval(SQL["use_totp_step"], row["person"], step)
    if row["is_locked"] or not used:
        await _count_failure(connection, row, row["login"], now)
        raise LoginRefused
    await connection.execute(SQL["forgive"], row["person"])
    await tell(connection, row["organisation"], row["login"], "login.done")
    return await rotate(connection, cookie, now)


async def rotate(connection: Connection, cookie: str, now: datetime) -> Started:
    """Give a session another cookie: the old one opens nothing any more. Raises LoginRefused where it has ended meanwhile."""
    made = _new_session(now, needs_code=False)
    row = hash_of(cookie), hash_of(made.cookie), secrets.token_bytes(32), True, now, made.ends_at
    if await connection.fetchval(SQL["rotate_session"], *row) is None:
        raise LoginRefused
    return made


async def log_out(connection: Connection, cookie: str, now: datetime) -> None:
    """End the session; a cookie that opens nothing changes nothing."""
    await connection.execute(SQL["end_session"], hash_of(cookie), now)


async def change_password(connection: Connection, person: int, password: str, now: datetime) -> None:
    """Give a person another password and end their sessions; raises WeakPassword."""
    kept = await asyncio.to_thread(hash_password, password)
    await connection.execute(SQL["change_password"], person, kept, now)


async def set_totp(connection: Connection, person: int, secret: str | None, sealer: Sealer) -> None:
    """Set the second factor once its first code was shown to be right, or take it away with None."""
    sealed = None if secret is None else sealer.seal(secret.encode(), totp_bound_to(person))
    await connection.execute(SQL["set_totp"], person, sealed)


async def tell(connection: Connection, organisation: int | None, actor: str, action: str, subject: str = "") -> None:
    """Write a line of the audit trail."""
    await connection.execute(SQL["tell"], organisation, actor.strip()[:128] or "?", action, subject[:500], "")


def totp_bound_to(person: int) -> bytes:
    """Return the name of the row that a sealed second factor belongs to."""
    return f"access.person/{person}/totp".encode()


def _new_session(now: datetime, *, needs_code: bool) -> Started:
    lives = HALF_SESSION_LIVES if needs_code else SESSION_LIVES
    return Started(cookie=SESSION_PREFIX + secrets.token_urlsafe(32), ends_at=now + lives, needs_code=needs_code)


async def _count_failure(connection: Connection, row: Mapping[str, Any] | None, login: str, now: datetime) -> None:
    if row is not None:
        await connection.fetchval(SQL["count_failure"], row["person"], FAILURES_MAX, now + LOCKED_FOR)
    await tell(connection, None if row is None else row["organisation"], login, "login.refused")
