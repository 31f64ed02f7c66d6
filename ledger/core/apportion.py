"""Station 4, the arithmetic: whole kopecks shared by weights, exact first and rounded once (design §3, law.md 1.7).

The rules are ``format.fill`` and ``format.ties`` of the split vectors. Exact shares are pairs of integers
(amount * weight, sum of weights), never rounded on the way.
"""

from collections.abc import Sequence
from hashlib import sha256
from operator import ge, sub

import msgspec


class Tie(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What decides between equal remainders; nothing is computed until a tie is met.

    ``order`` lists the line indexes sorted by (recipient, service) as UTF-8 bytes, empty when the lines stand so.
    """

    personal_account: str
    version: int
    order: tuple[int, ...] = ()


def tie_ring(tie: Tie, lines: int) -> list[int]:
    """Return the indexes of a tier's ``lines`` in the order in which equal remainders get their kopecks.

    The sorted lines are read cyclically from h mod lines; h = the first 8 bytes of SHA-256(account '/' version).
    """
    seed = sha256(f"{tie.personal_account}/{tie.version}".encode()).digest()
    start = int.from_bytes(seed[:8], "big") % lines
    order = tie.order or range(lines)
    return [*order[start:], *order[:start]]


def caps_of(weights: Sequence[int], paid: Sequence[int]) -> Sequence[int]:
    """Return what each line may still take, in kopecks; a line not above zero or above what was paid takes nothing."""
    caps = [*map(sub, weights, paid)] if any(paid) else weights
    if min(caps, default=0) >= 0 and min(weights, default=0) > 0:
        return caps
    return [cap if cap > 0 and weight > 0 else 0 for cap, weight in zip(caps, weights, strict=True)]


def settle(amount_kopecks: int, weights: Sequence[int], caps: Sequence[int]) -> tuple[int, list[int]]:
    """Fix at its cap every line whose exact share reaches it, until none does; ``amount_kopecks`` is below the caps' sum.

    Returns what is left for the lines still open and their weights, 0 for a line that is fixed or has no cap.
    A floor reaches a whole cap exactly when the exact share does, so floors decide without fractions.
    """
    open_weights = [weight if cap else 0 for weight, cap in zip(weights, caps, strict=True)]
    while True:
        total = sum(open_weights)
        full = [index for index, weight in enumerate(open_weights) if weight and amount_kopecks * weight // total >= caps[index]]
        if not full:
            return amount_kopecks, open_weights
        for index in full:
            amount_kopecks -= caps[index]
            open_weights[index] = 0


def round_once(amount_kopecks: int, weights: Sequence[int], tie: Tie) -> Sequence[int]:
    """Share by ``weights`` (none negative, their sum positive): round down, then a kopeck to each largest remainder."""
    floors, remainders = _exact(amount_kopecks, weights)
    return _hand_out(amount_kopecks, floors, remainders, tie)


def _exact(amount_kopecks: int, weights: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the exact shares amount * weight / sum of weights: whole kopecks, and remainders over that sum."""
    total = sum(weights)
    floors, remainders = zip(*[divmod(amount_kopecks * weight, total) for weight in weights], strict=True)
    return floors, remainders


def _hand_out(amount_kopecks: int, floors: Sequence[int], remainders: Sequence[int], tie: Tie) -> Sequence[int]:
    """Give what the floors leave of the amount, a kopeck each to the largest remainders."""
    missing = amount_kopecks - sum(floors)
    if not missing:
        return floors
    ranked = sorted(remainders)
    # The remainders are below one and sum to `missing` whole kopecks, so more than `missing` lines have one.
    last = ranked[-missing]
    if ranked[-missing - 1] == last:
        return _round_tied(floors, remainders, missing, tie)
    return [floor + 1 if rest >= last else floor for floor, rest in zip(floors, remainders, strict=True)]


def _round_tied(floors: Sequence[int], remainders: Sequence[int], missing: int, tie: Tie) -> list[int]:
    """Give ``missing`` kopecks to the largest remainders, equal ones in the order of the tie ring."""
    shares = [*floors]
    ring = tie_ring(tie, len(shares))
    # A stable sort keeps the ring's order among equals.
    for index in sorted(ring, key=remainders.__getitem__, reverse=True)[:missing]:
        shares[index] += 1
    return shares


def fill(amount_kopecks: int, weights: Sequence[int], paid: Sequence[int], tie: Tie) -> tuple[int, ...]:
    """Credit a tier: each line's part of ``amount_kopecks``, in kopecks, none above its cap (weight - paid).

    Gives less than the amount only when it is more than the tier can take, and then every line exactly its cap.
    """
    caps = caps_of(weights, paid)
    if amount_kopecks >= sum(caps):
        return tuple(caps)
    if caps is weights:  # nothing was paid and every weight counts: shares of less than the whole stay below their caps
        return tuple(round_once(amount_kopecks, weights, tie))
    if min(caps):
        floors, remainders = _exact(amount_kopecks, weights)
        if not any(map(ge, floors, caps)):
            return tuple(_hand_out(amount_kopecks, floors, remainders, tie))
    rest, open_weights = settle(amount_kopecks, weights, caps)
    parts = round_once(rest, open_weights, tie)
    return tuple([part if weight else cap for part, weight, cap in zip(parts, open_weights, caps, strict=True)])


def share(amount_kopecks: int, weights: Sequence[int], tie: Tie) -> tuple[int, ...]:
    """Share an advance without caps; empty when no weight is above zero, so that nobody can be given it."""
    open_weights = [weight if weight > 0 else 0 for weight in weights]
    if not any(open_weights):
        return ()
    return tuple(round_once(amount_kopecks, open_weights, tie))
