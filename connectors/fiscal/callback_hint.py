"""An operator's unsigned callback: it only says which order to ask about at once (protocols.md §15)."""

import msgspec

CALLBACK_BYTES_MAX = 65_536
_NAME_CHARACTERS_MAX = 128


class CallbackHint(msgspec.Struct, frozen=True, kw_only=True):
    """An order's key or its reference, or both; what the callback says of its fate is not kept, for anybody may send one."""

    key: str
    reference: str


def hint_of(key: str, reference: str) -> CallbackHint | None:
    """Return a hint when it names an order by short printable words."""
    if not key and not reference:
        return None
    if not all(len(word) <= _NAME_CHARACTERS_MAX and word.isprintable() for word in (key, reference)):
        return None
    return CallbackHint(key=key, reference=reference)
