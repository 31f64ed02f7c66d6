"""A premises' parts shared between its personal accounts: by largest remainder, so that no kopeck is lost or made."""

from collections.abc import Sequence
from math import lcm

from msgspec.structs import replace

from services.billing.core.lines import ChargeLine
from services.billing.core.month import AccountShare, Premises, ServiceKind, ServiceTerms
from services.billing.core.parts import Part


def sharers(terms: ServiceTerms, premises: Premises) -> tuple[AccountShare, ...]:
    """Return the accounts that are charged for the service, ordered by account: those that do not exclude it."""
    charged = [row for row in premises.accounts if terms.service not in row.excluded and row.numerator > 0]
    return tuple(sorted(charged, key=lambda row: row.account))


def weights_of(terms: ServiceTerms, accounts: Sequence[AccountShare]) -> tuple[int, ...]:
    """Return whole weights of the accounts: their shares among those charged; a price an account weighs all alike."""
    if terms.kind is ServiceKind.FIXED and not terms.by_area:
        return (1,) * len(accounts)
    whole = lcm(*(row.denominator for row in accounts))
    return tuple(row.numerator * (whole // row.denominator) for row in accounts)


def share_out(quantity: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Share a whole quantity, which may be negative: rounded towards zero, the rest one each to the largest remainders.

    Equal remainders: the earlier first. Weights are positive.
    """
    total = sum(weights)
    divided = [divmod(abs(quantity) * weight, total) for weight in weights]
    missing = abs(quantity) - sum(floor for floor, _ in divided)
    ranked = sorted(range(len(weights)), key=lambda place: (-divided[place][1], place))
    lucky = set(ranked[:missing])
    sign = -1 if quantity < 0 else 1
    shares = tuple(sign * (floor + (place in lucky)) for place, (floor, _) in enumerate(divided))
    assert sum(shares) == quantity, "shares sum to what is shared"
    return shares


def shared_lines(terms: ServiceTerms, premises: Premises, parts: Sequence[Part]) -> list[ChargeLine]:
    """Return every account's lines of one service, account by account; nothing where no account is charged for it.

    A line that is only a share says which: its inputs end with ``share_part`` of ``share_whole``.
    """
    accounts = sharers(terms, premises)
    if not accounts or not parts:
        return []
    weights = weights_of(terms, accounts)
    volumes = [share_out(part.volume, weights) for part in parts]
    amounts = [share_out(part.amount_kopecks, weights) for part in parts]
    total = sum(weights)
    lines = []
    for place, row in enumerate(accounts):
        marks = () if len(accounts) == 1 else (("share_part", weights[place]), ("share_whole", total))
        for part, volume, amount in zip(parts, volumes, amounts, strict=True):
            explanation = replace(part.explanation, inputs=(*part.explanation.inputs, *marks)) if marks else part.explanation
            lines.append(
                ChargeLine(
                    account=row.account,
                    premises=premises.premises,
                    service=terms.service,
                    kind=part.kind,
                    volume=volume[place],
                    price=part.price,
                    amount_kopecks=amount[place],
                    explanation=explanation,
                    of_period=part.of_period,
                )
            )
    return lines
