"""The scalars of a JSON object's root as the text they are written in: nothing is rounded, nothing nested is read."""

import msgspec

FIELDS_MAX = 128


class ScalarsUnreadable(ValueError):
    """No JSON object, or too large a one. The words hold nothing of it."""


def root_scalars(body: bytes) -> dict[str, str]:
    """Return strings decoded, numbers and booleans as written; objects, arrays and null are passed over.

    A body that is not UTF-8 is read as windows-1251, which some senders still write whatever they say.
    """
    try:
        text = body.decode() if _is_utf_8(body) else body.decode("cp1251", "replace")
        raw = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        if len(raw) > FIELDS_MAX:
            raise ScalarsUnreadable("too many fields")
        return {name: value for name, token in raw.items() if (value := _scalar(bytes(token))) is not None}
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        # A parser's words may hold a piece of the message.
        raise ScalarsUnreadable("no JSON object") from error


def _is_utf_8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _scalar(token: bytes) -> str | None:
    token = token.strip()
    if token[:1] in (b"{", b"[", b"n"):
        return None
    return msgspec.json.decode(token, type=str) if token[:1] == b'"' else token.decode("ascii")
