"""Refunds, their previews and claims for people's eyes (``kopeck refunds``)."""

from collections.abc import Iterable, Mapping
from datetime import date

import msgspec
from rich.console import Console
from rich.table import Table

from ledger.names import Names
from schemas.money import roubles_for_people
from services.settlement.claims import ClaimView, RefundView
from services.settlement.preview import LegPreview, RefundPreview


def print_preview(out: Console, found: RefundPreview, names: Names) -> None:
    """Print what a refund would do, a leg a row, and who would owe."""
    what = "REFUND, the bank has confirmed the money" if found.covered else "REVERSAL, the bank has not confirmed the money yet"
    sums = f"{roubles_for_people(found.amount_kopecks)} ₽ of {roubles_for_people(found.left_kopecks)} ₽ left"
    out.print(f"{what}: {sums} of {found.book}:{found.sequence}")
    shown = Table("ledger account", "stands", "who would owe", "due")
    for title in ("put there", "taken before", "would go back"):
        shown.add_column(title, justify="right", no_wrap=True)
    for leg in found.legs:
        kopecks = (leg.put_kopecks, leg.taken_kopecks, leg.back_kopecks)
        due = "" if leg.due is None else str(leg.due)
        shown.add_row(names.name_of(leg.account), leg.stands.value, _debtor(leg), due, *map(roubles_for_people, kopecks))
    out.print(shown)
    if found.owed_kopecks:
        out.print(f"{roubles_for_people(found.owed_kopecks)} ₽ would be owed; the payer is paid when they are covered")
    else:
        out.print("Nobody would owe: nothing of it was ordered.")


def _debtor(leg: LegPreview) -> str:
    if not leg.debtor:
        return "nobody"
    return f"{leg.debtor}, {'kept back from its next transfer' if leg.nets else 'a debt'}"


def preview_with_names(found: RefundPreview, names: Names) -> Mapping[str, object]:
    """Return a preview for JSON, with names in the place of ledger accounts' numbers."""
    legs = [{**msgspec.structs.asdict(leg), "account": names.name_of(leg.account)} for leg in found.legs]
    return {**msgspec.structs.asdict(found), "legs": legs, "owed_kopecks": found.owed_kopecks}


def print_refunds(out: Console, found: Iterable[RefundView]) -> None:
    """Print decisions, one a row."""
    shown = Table("number", "what", "of", "entry", "decided by", "at (UTC)", "how far")
    shown.add_column("amount", justify="right", no_wrap=True)
    for one in found:
        people = f"{one.decided_by}, {one.approved_by}" if one.approved_by else one.decided_by
        entry = f"{one.book}:{one.correction}"
        at = f"{one.decided_at:%Y-%m-%d %H:%M}"
        shown.add_row(
            *(str(one.refund), one.what, f"{one.book}:{one.sequence}", entry, people, at, _how_far(one)),
            roubles_for_people(one.amount_kopecks),
        )
    out.print(shown)


def _how_far(one: RefundView) -> str:
    if one.what != "refund":
        return "done"
    owed = f", {roubles_for_people(one.owed_kopecks)} ₽ still owed for it" if one.owed_kopecks else ""
    if one.deducted:
        return f"kept by the counterparty{owed}"
    if one.order:
        return f"ordered: {one.order}"
    waits = "waits to be covered" if one.asked else "waits for the payer's account: kopeck refunds pay"
    return f"{waits}{owed}"


def print_claims(out: Console, found: Iterable[ClaimView], today: date) -> None:
    """Print claims with their age in days, and what is past its term."""
    shown = Table("claim", "debtor", "why", "entry", "since", "age", "due")
    for title in ("amount", "left"):
        shown.add_column(title, justify="right", no_wrap=True)
    total = 0
    for one in found:
        late = " OVERDUE" if one.left_kopecks and one.due_on < today else ""
        stopped = f", stopped by {one.stopped_by}: {one.stop_reason}" if one.stopped else ""
        entry = f"{one.book}:{one.sequence}" if one.sequence else "—"
        days = f"{(today - one.arisen_on).days} d"
        place = (str(one.claim), one.recipient, f"{one.why}{stopped}", entry, str(one.arisen_on), days, f"{one.due_on}{late}")
        shown.add_row(*place, roubles_for_people(one.amount_kopecks), roubles_for_people(one.left_kopecks))
        total += one.left_kopecks
    out.print(shown)
    out.print(f"{roubles_for_people(total)} ₽ are owed")
