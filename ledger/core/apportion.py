"""Station 4, the arithmetic: whole kopecks shared by weights, exact first and rounded once (design §3, law.md 1.7).

The rules are ``format.fill`` and ``format.ties`` of the split vectors. Exact shares are pairs of integers
(amount * weight, sum of weights), never rounded on the way.
"""

from collections.abc import Sequence
from hashlib import sha256

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


def caps_of(weights: Sequence[int], paid: Sequence[int]) -> list[int]:
    """Return what each line may still take, in kopecks; a line not above zero or above what was paid takes nothing."""
    return [weight - done if weight > done and weight > 0 else 0 for weight, done in zip(weights, paid, strict=True)]


def settle(amount_kopecks: int, weights: Sequence[int], caps: Sequence[int]) -> tuple[int, list[int]]:
    """Fix at its cap every line whose exact share reaches it, until none does; ``amount_kopecks`` is below the caps' sum.

    Returns what is left for the lines still open and their weights, 0 for a line that is fixed or has no cap.
    A floor reaches a whole cap exactly when the exact share does, so floors decide without fractions.
    """
    open_weights = [weight if cap else 0 for weight, cap in zip(weights, caps, strict=True)]
    while True:
        total = sum(open_weights)
        full = [
            index
            for index, weight in enumerate(open_weights)
            if weight and amount_kopecks * weight // total >= caps[index]
        ]
        if not full:
            return amount_kopecks, open_weights
        for index in full:
            amount_kopecks -= caps[index]
            open_weights[index] = 0


def round_once(amount_kopecks: int, weights: Sequence[int], tie: Tie) -> list[int]:
    """Share by ``weights`` (none negative, their sum positive): round down, then a kopeck to each largest remainder."""
    total = sum(weights)
    products = [amount_kopecks * weight for weight in weights]
    shares = [product // total for product in products]
    missing = amount_kopecks - sum(shares)
    if not missing:
        return shares
    remainders = [product % total for product in products]
    ranked = sorted(remainders, reverse=True)
    last = ranked[missing - 1]
    # The remainders sum to `missing` whole kopecks, each below one, so more than `missing` of them are above zero.
    if ranked[missing] < last:
        return [share + 1 if rest >= last else share for share, rest in zip(shares, remainders, strict=True)]
    return _round_tied(shares, remainders, missing, tie)


def _round_tied(shares: list[int], remainders: list[int], missing: int, tie: Tie) -> list[int]:
    """Give ``missing`` kopecks to the largest remainders, equal ones in the order of the tie ring."""
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
    if not any(paid):
        return tuple(round_once(amount_kopecks, caps, tie))  # caps are the weights, and none can be reached
    rest, open_weights = settle(amount_kopecks, weights, caps)
    parts = round_once(rest, open_weights, tie)
    if rest == amount_kopecks:
        return tuple(parts)
    return tuple([part if weight else cap for part, weight, cap in zip(parts, open_weights, caps, strict=True)])


def share(amount_kopecks: int, weights: Sequence[int], tie: Tie) -> tuple[int, ...]:
    """Share an advance without caps; empty when no weight is above zero, so that nobody can be given it."""
    open_weights = [weight if weight > 0 else 0 for weight in weights]
    if not any(open_weights):
        return ()
    return tuple(round_once(amount_kopecks, open_weights, tie))
