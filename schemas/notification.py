"""What a channel sent, decoded (design §1, station 2). Only business content: no names, no raw message."""

from datetime import datetime

import msgspec

from schemas.allocation import Kind, Pool
from schemas.ids import ExternalId
from schemas.outcome import Refusal


class NamedBasketItem(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A chosen line in the counterparty's words; ``period`` is YYYY-MM."""

    pool: str
    period: str
    kind: str
    service: str
    recipient: str
    amount: int


class NamedDesignation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the payer named, in the counterparty's words (split-vectors.json, ``designation``); one field is set."""

    period: str | None = None
    pool: str | None = None
    penalty: int | None = None
    court_order: str | None = None
    basket: tuple[NamedBasketItem, ...] | None = None


class PaymentNotification(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A payment as its channel reported it.

    ``form_refusal`` is set when the message could be read but a field is not in the promised form: an asking channel
    remembers that refusal by the key. ``amount_kopecks`` is then 0 when the amount itself was unreadable, and
    ``raw_amount`` keeps the text so that a repeat compares equal. ``aliases`` are other ids by which the same counterparty
    may tell of the same payment (another message, an evening register). ``unidentified``: ``account_number`` holds what was
    written instead (an order's number, nothing at all) and names no account; a reporting channel's money then waits in
    suspense (UNIDENTIFIED), and so it does when ``account_number`` is empty.
    """

    external_id: ExternalId
    account_number: str
    amount_kopecks: int
    raw_amount: str
    event_at: datetime
    designation: NamedDesignation | None = None
    form_refusal: Refusal = Refusal.NONE
    aliases: tuple[ExternalId, ...] = ()
    unidentified: bool = False


class StatementLine(msgspec.Struct, frozen=True, kw_only=True):
    """A believed credit of a transit account that covers one operation space's promises, gross, in kopecks."""

    external_id: ExternalId
    transit_account: str
    space: str
    amount_kopecks: int
    event_at: datetime


POOL_NAMES = {"main": Pool.MAIN, "capital_repair": Pool.CAPITAL_REPAIR, "voluntary": Pool.VOLUNTARY}
KIND_NAMES = {"principal": Kind.PRINCIPAL, "penalty": Kind.PENALTY, "costs": Kind.COSTS}
