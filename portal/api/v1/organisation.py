"""Who the caller is, and the recipients whose money it may see."""

import msgspec

from ledger.statements import load_statements
from portal.api.operations import Call, Example, Operation, Scope
from portal.api.paging import Page, PageQuery, key_of, page_of

SQL = load_statements("portal/api/v1/organisation.sql")
TAG = "Organisation"


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """The organisation of the credential. ``kind``: operator, provider, supplier or bank."""

    organisation: str
    name: str
    kind: str
    credential: str
    scopes: tuple[str, ...]


class Recipient(msgspec.Struct, frozen=True, kw_only=True):
    """A recipient of money. ``kind``: management, supplier, service, fund or budget; ``inn`` and ``kpp`` are tax numbers."""

    code: str
    kind: str
    name: str
    inn: str
    kpp: str


async def read_me(call: Call) -> Me:
    """Tell the caller what its credential is good for."""
    row = await call.connection.fetchrow(SQL["me"])
    return Me(
        organisation=row["code"],
        name=row["name"],
        kind=row["kind"],
        credential=call.caller.credential,
        scopes=tuple(sorted(scope.value for scope in call.caller.scopes)),
    )


async def list_recipients(call: Call) -> Page[Recipient]:
    """List recipients by code."""
    query: PageQuery = call.query
    after = key_of(query.cursor, "recipients", str) or ""
    rows = await call.connection.fetch(SQL["recipients"], after, query.limit + 1)
    items = [msgspec.convert(dict(row), Recipient) for row in rows]
    return page_of(items, query.limit, "recipients", [one.code for one in items])


OPERATIONS = (
    Operation(
        name="readMe",
        method="GET",
        path="/v1/me",
        scope=Scope.PROVIDER_READ,
        tag=TAG,
        summary="The organisation and the scopes of the credential.",
        handler=read_me,
        answer=Me,
        examples=(Example(path="/v1/me"),),
    ),
    Operation(
        name="listRecipients",
        method="GET",
        path="/v1/recipients",
        scope=Scope.PROVIDER_READ,
        tag=TAG,
        summary="Recipients whose charges, payments and transfers the organisation sees.",
        handler=list_recipients,
        answer=Page[Recipient],
        query=PageQuery,
        examples=(Example(path="/v1/recipients?limit=10"),),
    ),
)
