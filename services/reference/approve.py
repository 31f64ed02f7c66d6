"""A new version of a recipient's requisites pays nothing until a second person approves it (design §4).

Checked twice: here, and by the constraint ``requisites_second_person``; the services' role cannot load a version as
approved nor change one that is loaded.
"""

from datetime import datetime

import asyncpg
import msgspec

from ledger.statements import load_statements
from services.reference.loading import Connection

_SQL = load_statements("services/reference/approve.sql")

NAME_CHARACTERS_MAX = 128


class ApprovalRefused(ValueError):
    """The version was not approved; the message says why."""


class WaitingVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version of requisites that nobody has approved; ``valid_from`` is an ISO date."""

    code: str
    version: int
    bank_account: str
    bic: str
    valid_from: str
    loaded_by: str


async def approve_requisites(connection: Connection, code: str, version: int, by: str, moment: datetime) -> bool:
    """Approve one version; False when the same person has approved it before.

    Raises ApprovalRefused for an unknown version, an empty name, the loader's own name in whatever case, and a version
    that someone else has approved.
    """
    name = by.strip()
    if not name or len(name) > NAME_CHARACTERS_MAX or not name.isprintable():
        raise ApprovalRefused("the approver's name is empty or unreadable")
    known = await connection.fetchrow(_SQL["find_version"], code, version)
    if known is None:
        raise ApprovalRefused(f"{code} has no version {version} of requisites")
    if known["approved_by"] == name:
        return False
    if known["approved_by"] is not None:
        raise ApprovalRefused(f"version {version} of {code} is already approved by {known['approved_by']}")
    try:
        status = await connection.execute(_SQL["approve"], code, version, name, moment)
    except asyncpg.CheckViolationError as error:
        if error.constraint_name != "requisites_second_person":
            raise
        raise ApprovalRefused(f"{name} loaded version {version} of {code}: a second person must approve it") from error
    if status != "UPDATE 1":
        raise ApprovalRefused(f"version {version} of {code} has just been approved by someone else")
    return True


async def list_waiting(connection: Connection) -> tuple[WaitingVersion, ...]:
    """Versions that wait for a second person, by recipient and version."""
    return tuple(
        [
            WaitingVersion(
                code=record["code"],
                version=record["version"],
                bank_account=record["bank_account"],
                bic=record["bic"],
                valid_from=record["valid_from"].isoformat(),
                loaded_by=record["loaded_by"],
            )
            for record in await connection.fetch(_SQL["list_waiting"])
        ]
    )
