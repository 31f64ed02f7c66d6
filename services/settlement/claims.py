"""Claims and decisions as people look at them, and stopping a claim from being kept back. See settlement.claim."""

from datetime import date, datetime

import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements

_SQL = load_statements("services/settlement/refunds.sql")


class ClaimView(msgspec.Struct, frozen=True, kw_only=True):
    """What a party owes us and for what; the entry is what it arose from, 0:0 where there is none."""

    claim: int
    transit_account: str
    recipient: str
    why: str
    amount_kopecks: int
    left_kopecks: int
    arisen_on: date
    due_on: date
    book: int
    sequence: int
    space: str
    stopped: bool
    stopped_by: str
    stop_reason: str


class RefundView(msgspec.Struct, frozen=True, kw_only=True):
    """A decision and how far it has come. ``covered``: nothing is owed for it any more; ``order`` gives it back to the payer."""

    refund: int
    what: str
    book: int
    sequence: int
    nth: int
    correction: int
    amount_kopecks: int
    guarantor: str
    decided_by: str
    approved_by: str
    decided_at: datetime
    covered: bool
    owed_kopecks: int
    deducted: bool
    order: str
    asked: bool


async def list_claims(
    connection: Connection, recipient: str | None, claims_max: int, *, paid_too: bool = False
) -> tuple[ClaimView, ...]:
    """Return open claims, the oldest first, all or of one debtor."""
    rows = await connection.fetch(_SQL["list_claims"], recipient, paid_too, claims_max)
    return tuple([msgspec.convert(dict(row), ClaimView) for row in rows])


async def list_refunds(connection: Connection, refunds_max: int) -> tuple[RefundView, ...]:
    """Return decisions, the newest first."""
    return tuple([msgspec.convert(dict(row), RefundView) for row in await connection.fetch(_SQL["list_refunds"], refunds_max)])


async def stop_claim(connection: Connection, claim: int, told: tuple[str, str, datetime], *, stopped: bool) -> bool:
    """Stop keeping a claim back from its debtor's orders, or let it again; ``told``: by whom, why, when. False for no claim."""
    by, why, at = told
    return await connection.fetchval(_SQL["stop_claim"], claim, stopped, by, at, why) is not None
