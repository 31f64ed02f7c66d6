"""Organisations, what they are in the ledger, and their keys; kept by the operator."""

from datetime import datetime

import asyncpg
import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements
from portal.access.credentials import KEY_PREFIX, hash_of, make_secret
from portal.access.people import tell
from portal.api.operations import Scope

SQL = load_statements("portal/access/organisations.sql")

_REFUSALS = {
    "organisation_once": "организация с таким кодом уже есть",
    "organisation_code": "код – строчные латинские буквы, цифры, - и _",
    "organisation_name": "название пустое или длиннее 200 знаков",
    "organisation_recipient_pkey": "получатель уже принадлежит другой организации",
    "organisation_transit_pkey": "транзитный счёт уже принадлежит другой организации",
    "client_once": "ключ с таким именем уже был: имена не повторяются",
    "client_name": "имя ключа – от 3 до 64 строчных латинских букв, цифр, - и _",
}
"""Constraint of 0022_access.sql -> what the operator is told."""


class AccessRefused(ValueError):
    """It cannot be done as asked; the message is Russian. Nothing was changed."""


class NewOrganisation(msgspec.Struct, frozen=True, kw_only=True):
    """An organisation to be added: codes of recipients that it is, numbers of transit accounts that a bank keeps."""

    code: str
    name: str
    kind: str
    recipients: tuple[str, ...] = ()
    transits: tuple[str, ...] = ()


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key to be made; ``expires_at`` None: it does not."""

    name: str
    organisation: str
    scopes: tuple[Scope, ...]
    expires_at: datetime | None = None


class OrganisationRow(msgspec.Struct, frozen=True, kw_only=True):
    """An organisation as it is listed."""

    code: str
    name: str
    kind: str
    recipients: tuple[str, ...]
    people: tuple[str, ...]
    keys: tuple[str, ...]


class AuditRow(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the audit trail."""

    at: datetime
    organisation: str
    actor: str
    action: str
    subject: str


async def add_organisation(connection: Connection, new: NewOrganisation, by: str) -> None:
    """Add an organisation; raises AccessRefused."""
    try:
        async with connection.transaction():
            number = await connection.fetchval(SQL["add_organisation"], new.code, new.name, new.kind, by)
            for statement, names in (("give_recipients", new.recipients), ("give_transits", new.transits)):
                if await connection.fetchval(SQL[statement], number, list(names)) != len(set(names)):
                    raise AccessRefused(f"не все есть в справочнике: {', '.join(names)}")
            await tell(connection, number, by, "organisation.added", new.code)
    except asyncpg.IntegrityConstraintViolationError as error:
        raise _refusal(error) from error


async def add_key(connection: Connection, new: NewKey, by: str) -> str:
    """Make a key and return its secret, which is shown once; raises AccessRefused."""
    if not new.scopes:
        raise AccessRefused("ключу нужно хотя бы одно право")
    secret = make_secret(KEY_PREFIX)
    scopes = sorted({scope.value for scope in new.scopes})
    try:
        async with connection.transaction():
            row = new.name, new.organisation, hash_of(secret), scopes, by, new.expires_at
            organisation = await connection.fetchval(SQL["add_client"], *row)
            if organisation is None:
                raise AccessRefused(f"организации {new.organisation} нет")
            await tell(connection, organisation, by, "key.added", new.name)
    except asyncpg.IntegrityConstraintViolationError as error:
        raise _refusal(error) from error
    return secret


async def revoke_key(connection: Connection, name: str, by: str, now: datetime) -> bool:
    """Revoke a key: it opens nothing from its next request on. False where there is no such live key."""
    async with connection.transaction():
        organisation = await connection.fetchval(SQL["revoke_client"], name, by, now)
        if organisation is not None:
            await tell(connection, organisation, by, "key.revoked", name)
    return organisation is not None


async def list_organisations(connection: Connection) -> tuple[OrganisationRow, ...]:
    """Return live organisations by code."""
    rows = await connection.fetch(SQL["list_organisations"])
    return tuple([msgspec.convert(dict(row), OrganisationRow) for row in rows])


async def list_audit(connection: Connection, limit: int) -> tuple[AuditRow, ...]:
    """Return the newest lines of the audit trail."""
    return tuple([msgspec.convert(dict(row), AuditRow) for row in await connection.fetch(SQL["list_audit"], limit)])


def _refusal(error: asyncpg.IntegrityConstraintViolationError) -> AccessRefused:
    told = _REFUSALS.get(error.constraint_name or "")
    if told is None:
        raise error
    return AccessRefused(told)
