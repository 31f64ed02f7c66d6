"""What one formula charges one premises, before its accounts share it: the answer of every formula, the engine's material."""

import msgspec

from services.billing.core.lines import Explanation, LineKind


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One sum of one premises and one service; fields as in ``ChargeLine``.

    ``volume`` and ``price`` are millionths; ``price`` is 0 where several were summed. ``of_period`` is 0 for the month's own.
    """

    kind: LineKind
    volume: int
    price: int
    amount_kopecks: int
    explanation: Explanation
    of_period: int = 0
