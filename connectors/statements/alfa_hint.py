"""Alfa API's webhooks, unsigned and so mere hints: whose statement to read again (protocols.md §4a, §15)."""

import msgspec

from connectors.statements.alfa import Operation, own_accounts

HINT_BYTES_MAX = 1_000_000
STATEMENT_OBJECT = "ul_transaction_default"


class _Event(msgspec.Struct, frozen=True, kw_only=True):
    object: str
    data: Operation


_decoder: msgspec.json.Decoder[_Event | list[_Event]] = msgspec.json.Decoder(_Event | list[_Event])


def alfa_hint(body: bytes) -> str | None:
    """Return the first account whose operation is told of; None for anything else. Nothing else of it is believed."""
    if len(body) > HINT_BYTES_MAX:
        return None
    try:
        told = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        # Anybody may call: what is no hint means nothing, and polling goes on without it.
        return None
    events = told if isinstance(told, list) else [told]
    accounts = own_accounts(event.data for event in events if event.object == STATEMENT_OBJECT)
    return next(iter(accounts), None)
