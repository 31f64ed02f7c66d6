"""Who looks into the demo town: its organisations, with a key each for people to try the API with.

The keys are made at random for the folder and kept in DIR/portal.json (0600), as the demo's other credentials are.
"""

from pathlib import Path

import msgspec

from kopeck.demo.recipients import OPERATOR, TRANSIT_ACCOUNT, list_recipients
from kopeck.embedded.folder import write_private
from portal.access.organisations import NewKey, NewOrganisation, add_key, add_organisation, list_organisations
from portal.api.operations import Scope
from services.reference.loading import Connection

FILE_NAME = "portal.json"
BANK = "verhnerechensky-bank"
SHOWN = ("teploset", "uk-zarechye", OPERATOR)
"""A supplier, a provider and the operator: whose keys are made."""
_BY = "demo"


class PortalKey(msgspec.Struct, frozen=True, kw_only=True):
    """An organisation of the town and its key."""

    organisation: str
    kind: str
    key: str

    def __repr__(self) -> str:
        """Leave the key out."""
        return f"PortalKey({self.organisation!r})"


async def let_look_in(connection: Connection, folder: Path) -> tuple[PortalKey, ...]:
    """Add the town's organisations and their keys, once; the keys of the folder otherwise."""
    path = folder / FILE_NAME
    known = {one.code: one for one in await list_organisations(connection)}
    for new in _organisations():
        if new.code not in known:
            await add_organisation(connection, new, _BY)
    if path.exists():
        return msgspec.json.decode(path.read_bytes(), type=tuple[PortalKey, ...])
    kinds = {one.code: one.kind for one in _organisations()}
    keys = []
    for code in SHOWN:
        # A start that was cut off may have made keys that nobody has: a further one gets another name.
        name = f"{code}-{len(known[code].keys) + 1 if code in known else 1}"
        secret = await add_key(connection, NewKey(name=name, organisation=code, scopes=tuple(Scope)), _BY)
        keys.append(PortalKey(organisation=code, kind=kinds[code], key=secret))
    write_private(path, msgspec.json.format(msgspec.json.encode(keys)))
    return tuple(keys)


def _organisations() -> tuple[NewOrganisation, ...]:
    recipients = [
        NewOrganisation(
            code=one.code,
            name=one.name,
            kind="operator" if one.code == OPERATOR else "provider" if one.kind == "management" else "supplier",
            recipients=(one.code,),
        )
        for one in list_recipients()
    ]
    bank = NewOrganisation(code=BANK, name="АО «Верхнереченский банк»", kind="bank", transits=(TRANSIT_ACCOUNT,))
    return (*recipients, bank)
