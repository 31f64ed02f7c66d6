"""The queue of suspense for people: tables with sums in roubles."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from schemas.money import roubles_for_people
from services.suspense.core.evidence import Suggestion, Told
from services.suspense.core.terms import Term
from services.suspense.queue import Item, ItemTold

REASONS = {
    "NONE": "",
    "ACCOUNT_UNKNOWN": "счёт не найден",
    "ACCOUNT_AMBIGUOUS": "номер принадлежит нескольким счетам",
    "NO_CONTRACT": "нет договора с каналом",
    "ACCOUNT_CLOSED": "счёт закрыт",
    "ADVANCE_NOT_TAKEN": "аванс не принимается",
    "ABOVE_LIMIT": "сумма выше предела канала",
    "UNIDENTIFIED": "плательщик не назвал счёт",
}


class ItemShown(msgspec.Struct, frozen=True, kw_only=True):
    """An item with its decisions, suggestions, and, when asked for, what its line tells of the payer."""

    told: ItemTold
    suggestions: tuple[Suggestion, ...]
    line: Told | None = None
    unread: str = ""


def item_row(item: Item, now: datetime) -> Mapping[str, Any]:
    """An item as the commands' JSON shows it: kopecks, ISO dates, its place and state."""
    fields = {name: getattr(item, name) for name in item.__struct_fields__ if name != "reason"}
    return {
        "place": item.place,
        "state": item.state.value,
        "reason": item.reason.name.lower(),
        "age_days": age_days(item, now),
        **fields,
    }


def shown_row(shown: ItemShown, now: datetime) -> Mapping[str, Any]:
    """The same with everything decided and suggested."""
    told = shown.told
    row = {
        "item": item_row(told.item, now),
        "decisions": told.decisions,
        "releases": told.releases,
        "returns": told.returns,
        "suggestions": shown.suggestions,
        "unread": shown.unread,
    }
    return row if shown.line is None else row | {"payer": shown.line.payer, "purpose": shown.line.purpose}


def age_days(item: Item, now: datetime) -> int:
    """Whole days since the payer's act."""
    return max(0, (now - item.event_at).days)


def print_items(out: Console, items: Iterable[Item], now: datetime) -> None:
    """Print the queue, the oldest first, with its sum."""
    shown = Table("place", "state", "channel", "operation", "account as written", "why", "since")
    for title in ("age, days", "left, ₽"):
        shown.add_column(title, justify="right", no_wrap=True)
    shown.add_column("decide until")
    total = count = 0
    for item in items:
        words = (item.place, item.state.value, item.channel_name, item.external_id, item.account, REASONS[item.reason.name])
        sums = (str(age_days(item, now)), roubles_for_people(item.remains))
        shown.add_row(*words, str(item.bank_day), *sums, _until(item.term))
        total, count = total + item.remains, count + 1
    if not count:
        out.print("Nothing waits in suspense.")
        return
    out.print(shown)
    out.print(f"{count} items, {roubles_for_people(total)} ₽")


def print_item(out: Console, shown: ItemShown, now: datetime) -> None:
    """Print one item, what was decided, and whose it may be."""
    item = shown.told.item
    out.print(
        f"ITEM {item.place} {item.state.value}: {roubles_for_people(item.remains)} of {roubles_for_people(item.amount)} ₽ left"
    )
    out.print(f"  {item.channel_name} {item.external_id}, transit account {item.transit_account}")
    out.print(f"  paid {item.event_at:%Y-%m-%d %H:%M:%S} UTC, {age_days(item, now)} days ago; value date {item.value_date}")
    out.print(f"  {REASONS[item.reason.name]}; account as written: {item.account or 'none'}; named: {item.named or 'nothing'}")
    out.print(f"  to be decided until {_until(item.term)}")
    if item.overdrawn:
        out.print(f"  ALARM: {roubles_for_people(item.overdrawn)} ₽ more were taken than there was: kopeck verify")
    if shown.line is not None:
        out.print(f"  payer: {shown.line.payer or 'not told'}; purpose: {shown.line.purpose or 'not told'}")
    _print_decided(out, shown.told)
    if shown.unread:
        out.print(f"Names and purposes were not read: {shown.unread}")
    _print_suggestions(out, shown.suggestions)


def _print_decided(out: Console, told: ItemTold) -> None:
    for one in told.decisions:
        whom = f" to {one.account}" if one.account else ""
        second = f", approved by {one.approved_by}" if one.approved_by else ""
        when = f"{one.decided_at:%Y-%m-%d %H:%M} UTC"
        out.print(f"{one.what} {roubles_for_people(one.amount)} ₽{whom} by {one.decided_by}{second}, {when}")
    for part in told.releases:
        where = f"entry {told.item.book}:{part.sequence}"
        if part.transfer is not None:
            where += f", through in_transfer:{part.transfer}"
        if part.arrived_sequence is not None:
            where += f", arrived as {part.arrived_book}:{part.arrived_sequence}"
        if part.came_back is not None:
            where += f", came back as {told.item.book}:{part.came_back}: {part.why}"
        out.print(f"part {part.part}: {roubles_for_people(part.amount)} ₽ to {part.account}, {where}")
    for back in told.returns:
        state = f"withdrawn by {back.withdrawn_by}" if back.withdrawn_by else "asked for"
        out.print(
            f"return {back.request}: {roubles_for_people(back.amount)} ₽ to {back.payee_account} at {back.payee_bic}, {state}"
        )


def _print_suggestions(out: Console, suggestions: tuple[Suggestion, ...]) -> None:
    if not suggestions:
        out.print("No suggestion: nothing that is known speaks for any account.")
        return
    shown = Table("account", title="SUGGESTIONS", title_justify="left")
    for title in ("score", "takes, ₽"):
        shown.add_column(title, justify="right", no_wrap=True)
    shown.add_column("why", overflow="fold")
    for one in suggestions:
        why = "\n".join([*one.reasons, *([f"но: {one.taking.why_not}"] if one.taking.why_not else [])])
        shown.add_row(one.name, str(one.score), roubles_for_people(one.taking.kopecks), why)
    out.print(shown)


def _until(term: Term) -> str:
    return f"{term.day}{', OVERDUE' if term.overdue else ''}"
