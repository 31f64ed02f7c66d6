"""What is not believed of an acquirer's callback, whatever its protocol (design §1, station 2)."""

import msgspec


class CallbackRefused(msgspec.Struct, frozen=True, kw_only=True):
    """No event. ``reason`` is for the log and holds nothing of the message; ``forged``: the signature is missing or wrong."""

    reason: str
    forged: bool = False
