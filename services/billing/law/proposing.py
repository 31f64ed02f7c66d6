"""Proposing and approving rows of law: a change is a new row, in force only when a second person has approved it.

Checked twice: here, and by the constraints of migration 0014. Rows of a release come the same way, proposed by the release and
approved as shipped; a release never overrules people: where their row stands, its own waits for them.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import asyncpg
import msgspec

from ledger.feed import Connection
from services.billing.law.files import SHIPPED, LawDraft, read_law_file
from services.billing.law.reading import SQL, find_rule

NAME_CHARACTERS_MAX = 128
SHIPPED_BY = "kopeck "
"""What the proposer of a shipped row begins with; the version follows."""
SHIPPED_APPROVAL = "release"

_REFUSALS = {
    "rule_second_person": "whoever proposed a row does not approve it: a second person must",
    "rule_slot_once": "another row of this table, key, region and day is in force: propose one that replaces it",
    "rule_replaced_once": "the row that it replaces was replaced by another one: propose it anew",
    "rule_replaces_approved": "the row that it replaces is not approved itself",
    "rule_replaces": "the row that it replaces is not of the same table, key, region and day",
    "rule_never_changes": "a row of law never changes",
}


class LawRefused(ValueError):
    """Nothing was proposed or approved; the message says why."""


class Shipped(msgspec.Struct, frozen=True, kw_only=True):
    """What loading a release's rows did: rows added or replaced, and rows that wait because people's rows stand there."""

    added: int
    waiting: tuple[int, ...]


async def propose(connection: Connection, drafts: Sequence[LawDraft], by: str, moment: datetime) -> tuple[int, ...]:
    """Propose rows, all or none; their numbers. Raises LawRefused."""
    person = _person(by)
    async with connection.transaction():
        return tuple([await _insert(connection, draft, person, moment) for draft in drafts])


async def approve(connection: Connection, rule: int, by: str, moment: datetime) -> bool:
    """Approve one row; False when the same person has approved it before.

    Raises LawRefused for an unknown row, the proposer himself in whatever case, a row that someone else has approved, and one
    whose place another row has taken meanwhile.
    """
    person = _person(by)
    known = await find_rule(connection, rule)
    if known is None:
        raise LawRefused(f"there is no row {rule} of law")
    if known.approved_by is not None:
        if known.approved_by == person:
            return False
        raise LawRefused(f"row {rule} is already approved by {known.approved_by}")
    await _approve(connection, rule, person, moment)
    return True


async def load_shipped(connection: Connection, version: str, moment: datetime, path: Path = SHIPPED) -> Shipped:
    """Bring the rows that this release ships into the database; a repeat adds nothing.

    A row for a free slot is added and approved; where an earlier release's row stands with other figures, it is replaced; where
    people's row stands with other figures, ours is proposed, once, and waits for them.
    """
    person, added, waiting = f"{SHIPPED_BY}{version}", 0, []
    async with connection.transaction():
        await connection.execute(SQL["lock"])
        for draft in read_law_file(path):
            standing = await connection.fetchrow(SQL["find_in_slot"], *_slot(draft))
            if standing is not None and (standing["ends"], _decoded(standing["figures"])) == (draft.ends, dict(draft.figures)):
                continue
            is_ours = standing is None or standing["proposed_by"].startswith(SHIPPED_BY)
            if not is_ours and await _was_shipped(connection, draft):
                continue
            taken = None if standing is None else standing["rule"]
            rule = await _insert(connection, msgspec.structs.replace(draft, replaces=taken), person, moment)
            if is_ours:
                await _approve(connection, rule, SHIPPED_APPROVAL, moment)
                added += 1
            else:
                waiting.append(rule)
    return Shipped(added=added, waiting=tuple(waiting))


def _person(by: str) -> str:
    name = by.strip()
    if not name or len(name) > NAME_CHARACTERS_MAX or not name.isprintable():
        raise LawRefused("the person's name is empty or unreadable")
    if name.lower() == SHIPPED_APPROVAL or name.lower().startswith(SHIPPED_BY):
        raise LawRefused(f"{name!r} stands for what a release ships: give a person's name")
    return name


def _slot(draft: LawDraft) -> tuple[object, ...]:
    return draft.table, draft.key, draft.region, draft.valid_from


def _encoded(draft: LawDraft) -> str:
    return msgspec.json.encode(dict(draft.figures)).decode()


def _decoded(figures: str) -> dict[str, int]:
    return msgspec.json.decode(figures, type=dict[str, int])


async def _was_shipped(connection: Connection, draft: LawDraft) -> bool:
    """Whether people have seen this row of a release before: they have put theirs in its place, or leave it waiting."""
    return bool(await connection.fetchval(SQL["was_shipped"], *_slot(draft), draft.ends, _encoded(draft), SHIPPED_BY))


async def _insert(connection: Connection, draft: LawDraft, person: str, moment: datetime) -> int:
    facts = (draft.ends, _encoded(draft), draft.source, draft.certainty, draft.note, draft.replaces, person, moment)
    try:
        return int(await connection.fetchval(SQL["propose"], *_slot(draft), *facts))
    except asyncpg.IntegrityConstraintViolationError as error:
        raise LawRefused(_told(error)) from error


async def _approve(connection: Connection, rule: int, person: str, moment: datetime) -> None:
    try:
        status = await connection.execute(SQL["approve"], rule, person, moment)
    except asyncpg.IntegrityConstraintViolationError as error:
        raise LawRefused(_told(error)) from error
    if status != "UPDATE 1":
        raise LawRefused(f"row {rule} has just been approved by someone else")


def _told(error: asyncpg.IntegrityConstraintViolationError) -> str:
    """What a constraint that people can run into means; any other is a programmer's error and goes on as it is."""
    if error.constraint_name not in _REFUSALS:
        raise error
    return _REFUSALS[error.constraint_name]
