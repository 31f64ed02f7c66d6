"""An operation of the API, declared once: it is served, documented and tested from this one declaration."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from enum import Enum
from typing import Any

import msgspec

from ledger.feed import Connection


class Scope(Enum):
    """What a credential may do; the value is its name in OAuth2 and in the key's list."""

    PROVIDER_READ = "provider:read"
    ACCOUNTS_READ = "accounts:read"
    CHARGES_READ = "charges:read"
    CHARGES_WRITE = "charges:write"
    PAYMENTS_READ = "payments:read"
    READINGS_READ = "readings:read"
    READINGS_WRITE = "readings:write"
    LEDGER_READ = "ledger:read"
    TRANSFERS_READ = "transfers:read"
    RECONCILIATION_READ = "reconciliation:read"
    REFERENCE_WRITE = "reference:write"
    SUSPENSE_READ = "suspense:read"
    SUSPENSE_WRITE = "suspense:write"
    REVERSALS_WRITE = "reversals:write"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks: the tenant's number, code and kind (0022_access.sql); ``credential`` names the key, never its secret.

    ``proof`` is the hash that the database finds the credential by: every transaction enters with it again.
    """

    number: int
    organisation: str
    kind: str
    credential: str
    scopes: frozenset[Scope]
    proof: bytes

    def __repr__(self) -> str:
        """Leave the proof out."""
        return f"Caller({self.organisation!r}, {self.credential!r})"


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request as its handler sees it. ``connection`` sees the caller's rows alone and is inside of a transaction.

    ``query`` and ``body`` are of the operation's types; ``path`` holds the parts named in its path, decoded. A write's
    ``connection`` has the services' rights; its transaction is rolled back when ``is_dry_run``.
    """

    caller: Caller
    connection: Connection
    path: Mapping[str, str]
    query: Any
    body: Any
    now: datetime
    is_dry_run: bool = False


class Created(msgspec.Struct, frozen=True, kw_only=True):
    """An answer of 201 or 202: what was made and where it is."""

    body: msgspec.Struct
    location: str = ""
    status: int = 201


Handler = Callable[[Call], Awaitable[msgspec.Struct | Created]]


class NoQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An operation that takes no query parameters."""


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """One documented call; a test carries it out on the demo's data. ``path`` is whole, with its query."""

    path: str
    body: Mapping[str, Any] | None = None
    status: int = 200
    note: str = ""


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """What the API does at one method and path. ``path`` has its parts in braces: ``/v1/accounts/{account}/balance``.

    ``summary`` and ``description`` are English. ``query`` is a frozen struct of str, int, bool, date and enums that forbids
    unknown fields; ``body`` is None for reads. ``part_notes`` says of each part of the path what it is.
    """

    name: str
    method: str
    path: str
    scope: Scope
    summary: str
    handler: Handler
    answer: type[msgspec.Struct]
    query: type[msgspec.Struct] = NoQuery
    body: type[msgspec.Struct] | None = None
    status: int = 200
    description: str = ""
    tag: str = ""
    part_notes: Mapping[str, str] = {}
    examples: tuple[Example, ...] = ()

    @property
    def is_write(self) -> bool:
        """Writes need an Idempotency-Key and know dry runs."""
        return self.method != "GET"
