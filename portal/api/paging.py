"""Pages by cursor: a list is read in its own order from a place on, so that what is added meanwhile neither shifts nor repeats.

A cursor is opaque to callers: the list's name and the last row's sort key. It gives no right: rows are the caller's own anyway.
"""

import base64
import binascii
from typing import Annotated, Any, Generic, TypeVar

import msgspec

from portal.api.problems import Problem, ProblemType

Item = TypeVar("Item")
Key = TypeVar("Key")

PAGE_DEFAULT, PAGE_MAX = 100, 1_000
CURSOR_CHARACTERS_MAX = 1_000

Limit = Annotated[int, msgspec.Meta(ge=1, le=PAGE_MAX, description="How many items a page has at most.")]
Cursor = Annotated[str, msgspec.Meta(max_length=CURSOR_CHARACTERS_MAX, description="next_cursor of the page before.")]


class Page(msgspec.Struct, Generic[Item], frozen=True, kw_only=True):
    """One page; ``next_cursor`` is null on the last one."""

    items: tuple[Item, ...]
    next_cursor: str | None = None


class PageQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every list takes."""

    limit: Limit = PAGE_DEFAULT
    cursor: Cursor = ""


def cursor_of(name: str, key: Any) -> str:
    """Make the cursor of the list ``name`` after the row with this sort key (anything that JSON holds)."""
    return base64.urlsafe_b64encode(msgspec.json.encode([name, key])).decode().rstrip("=")


def key_of(cursor: str, name: str, wanted: type[Key]) -> Key | None:
    """Return the sort key to read after, None for a list's beginning; raises Problem for a cursor of another list or form."""
    if not cursor:
        return None
    try:
        content = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        told, key = msgspec.json.decode(content, type=tuple[str, msgspec.Raw])
        if told == name:
            return msgspec.json.decode(key, type=wanted)
    except (ValueError, binascii.Error, RecursionError) as error:
        raise Problem(ProblemType.CURSOR_INVALID) from error
    raise Problem(ProblemType.CURSOR_INVALID)


def page_of(rows: list[Item], limit: int, name: str, keys: list[Any]) -> Page[Item]:
    """Make a page of ``limit`` from rows read with one more than it, and their sort keys."""
    cursor = cursor_of(name, keys[limit - 1]) if len(rows) > limit else None
    return Page(items=tuple(rows[:limit]), next_cursor=cursor)
