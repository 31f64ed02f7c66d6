"""Writing what a cut decided about claims, moves, deductions and money kept, inside its transaction."""

from datetime import timedelta

from ledger.feed import Connection
from ledger.statements import load_statements
from services.settlement.backlots import NO_ENTRY, NO_LOT
from services.settlement.composing import CutFacts, Draft
from services.settlement.rules.claims import CLAIM_DAYS

_SQL = load_statements("services/settlement/claim_writing.sql")


async def write_claims(connection: Connection, draft: Draft, facts: CutFacts, cut: int) -> bool:
    """Write it; False when something that the draft rests on has changed since: then the whole cut is to be rolled back."""
    transit = facts.transit
    await _add_moved(connection, draft, transit, cut)
    numbers = await _add_claims(connection, draft, facts)
    paid = [(one.claim or numbers[one.nth], one.how, one.amount, one.claim is None) for one in draft.payments]
    columns = [list(column) for column in zip(*paid, strict=True)] or [[]] * 4
    if await connection.fetchval(_SQL["pay_claims"], cut, *columns) != len({claim for claim, _, _, new in paid if not new}):
        return False
    deposits = _deposits(draft)
    columns = [list(deposits), list(deposits.values())]
    if await connection.fetchval(_SQL["spend_deposits"], transit, *columns) != len(deposits):
        return False
    for one in draft.deducted:
        if await connection.fetchval(_SQL["count_deduction"], transit, one.book, one.sequence, cut) is None:
            return False
        await connection.execute(_SQL["place_claims"], transit, one.book, one.refund, one.space)
    kept: dict[tuple[object, ...], int] = {}
    for part in draft.kept:
        of_part = (part.transfer, *part.key)
        kept[of_part] = kept.get(of_part, 0) + part.amount
    for own, amount in kept.items():
        await connection.execute(_SQL["add_kept"], *own, cut, amount)
    for transfer in sorted({one.transfer for one in draft.kept}):
        await connection.execute(_SQL["end_reissue"], transfer)
    return True


async def _add_moved(connection: Connection, draft: Draft, transit: int, cut: int) -> None:
    sums: dict[tuple[int, int, int, int], int] = {}
    for one in draft.moved:
        place = (*one.at, one.place, one.original_cut)
        sums[place] = sums.get(place, 0) + one.amount
    rows = [(*place, amount) for place, amount in sums.items()]
    columns = [list(column) for column in zip(*rows, strict=True)] or [[]] * 5
    await connection.execute(_SQL["add_moved"], cut, transit, *columns)
    done = [[move.book for move in draft.finished], [move.sequence for move in draft.finished]]
    await connection.execute(_SQL["end_moves"], transit, *done)


async def _add_claims(connection: Connection, draft: Draft, facts: CutFacts) -> list[int]:
    """Add the claims that arose, and those for commission that is invoiced; the numbers of the first, in order."""
    day, due = facts.day, facts.day + timedelta(days=CLAIM_DAYS)
    numbers = []
    for one in draft.claims:
        row = (one.recipient, one.why, one.space, *one.key, one.original_cut, one.book, one.sequence, one.amount, one.left)
        numbers.append(int(await connection.fetchval(_SQL["add_claim"], facts.transit, *row, day, due)))
    for borne in draft.borne:
        if borne.claimed:
            invoiced = (borne.bearer, "commission", 0, *NO_LOT, 0, *NO_ENTRY, borne.claimed, borne.claimed)
            await connection.fetchval(_SQL["add_claim"], facts.transit, *invoiced, day, due)
    return numbers


def _deposits(draft: Draft) -> dict[int, int]:
    """Kopecks of deposits that the cut spends, by recipient."""
    known = {one.claim: one.recipient for one in draft.known}
    spent: dict[int, int] = {}
    for one in draft.payments:
        if one.how == "deposit":
            recipient = known[one.claim] if one.claim is not None else draft.claims[one.nth].recipient
            spent[recipient] = spent.get(recipient, 0) + one.amount
    return spent
