"""Transfer orders for people's eyes: tables and sentences of the commands ``transfers``, ``settle`` and ``explain``."""

import csv
from collections.abc import Iterable, Mapping
from typing import TextIO

import msgspec
from rich.console import Console
from rich.table import Table

from ledger.names import Names
from schemas.ids import LedgerAccount
from schemas.money import roubles_for_people
from services.settlement.inspection import HistoryView, PartView, TransferTold, TransferView
from services.settlement.lines import OrderRegister, RegisterLine
from services.settlement.statement import UnrecognisedMovement
from services.settlement.waiting import CarriedMoney, Waiting, WaitingOrder
from services.suspense.queue import SuspendedSum

FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""First characters of a cell that a spreadsheet would take for a formula."""
LINE_COLUMNS = ("order", "place", "space", "operation", "personal_account", "value_date", "service", "period")
LINE_SUMS = ("gross_kopecks", "commission_kopecks", "net_kopecks")


def state_in_words(order: TransferView) -> str:
    """Say where an order stands, and for whom it waits."""
    reason = f": {order.reason}" if order.reason else ""
    match order.state:
        case "created":
            return f"waits for approval, {order.approvals} of {order.approvals_needed} given"
        case "approved":
            return "approved, leaves with the next register"
        case "sent" | "accepted":
            return f"{order.state} in register {order.register}"
        case "executed":
            return f"executed by the bank's order {order.bank_number or '—'} of {order.bank_day or '—'}"
        case "held":
            return f"held by the bank since {order.since:%Y-%m-%d}{reason}"
        case _:
            paid = "its money is to be paid anew" if order.awaits_reissue else "its money was paid anew"
            return f"{order.state}{reason}; {paid}"


def print_transfers(out: Console, orders: Iterable[TransferView]) -> None:
    """Print orders, one a row, with their sum."""
    found = list(orders)
    shown = Table(show_footer=True)
    for title in ("day", "number", "recipient", "class"):
        shown.add_column(title, overflow="fold")
    shown.add_column("amount", footer=roubles_for_people(sum(one.amount_kopecks for one in found)), justify="right", no_wrap=True)
    for title in ("register", "state"):
        shown.add_column(title, overflow="fold")
    shown.add_column("key", no_wrap=True)
    for one in found:
        place = (str(one.day), str(one.number), one.recipient, one.purpose_class.value, roubles_for_people(one.amount_kopecks))
        shown.add_row(*place, one.register, state_in_words(one), one.key)
    out.print(shown)


def print_transfer(out: Console, told: TransferTold, names: Names) -> None:
    """Print one order with all that is kept of it."""
    order, made = told.order, told.particulars
    out.print(f"ORDER {order.number} of {order.day}: {roubles_for_people(order.amount_kopecks)} ₽, {order.purpose_class.value}")
    out.print(f"  key {order.key}")
    out.print(f"  to {order.recipient}: {made.payee_name}, ИНН {made.inn}, {made.bank_account} at {made.bic}")
    out.print(f"  from {order.transit_account}, requisites version {made.requisites}, contract {made.contract or 'none'}")
    out.print(f"  «{order.purpose}»")
    out.print(f"  {state_in_words(order)}")
    if order.register:
        signed = f", signed by {made.signer} at {made.signed_at:%Y-%m-%d %H:%M:%S} UTC" if made.signed_at else ""
        reason = f" ({made.delivery_reason})" if made.delivery_reason else ""
        out.print(f"  register {order.register}, delivery: {made.delivery}{reason}{signed}")
    if made.reissues or made.reissued_by:
        out.print(f"  pays anew {made.reissues or 'nothing'}; paid anew by {made.reissued_by or 'nothing'}")
    if order.awaits_reissue:
        same = "the same requisites may be tried" if made.same_requisites else "other requisites, or kopeck transfers reissue"
        out.print(f"  waits to be paid anew ({made.reissue_reason}): {same}")
    _print_parts(out, told.parts, names)
    for one in told.ranges:
        out.print(
            f"  cut {one.cut} of {one.day}: entries {one.book}:{one.after + 1} … {one.book}:{one.upto} of {one.space or '—'}"
        )
    _print_history(out, told.history)
    for approval in told.approvals:
        out.print(f"  approved by {approval.person} at {approval.at:%Y-%m-%d %H:%M:%S} UTC")


def _print_parts(out: Console, parts: Iterable[PartView], names: Names) -> None:
    shown = Table("ledger account", "creditor", title="PARTS", title_justify="left")
    for title in ("gross", "claimed", "commission", "recovered", "net"):
        shown.add_column(title, justify="right", no_wrap=True)
    for one in parts:
        sums = (one.gross_kopecks, one.claimed_kopecks, one.commission_kopecks, one.recovered_kopecks, one.net_kopecks)
        shown.add_row(names.name_of(one.account), one.creditor, *map(roubles_for_people, sums))
    out.print(shown)


def _print_history(out: Console, history: Iterable[HistoryView]) -> None:
    shown = Table("at (UTC)", "state", "told by", "reason", "bank's order", "entry", title="HISTORY", title_justify="left")
    for one in history:
        bank = f"{one.bank_number} of {one.bank_day}" if one.bank_number else ""
        entry = f"0:{one.sequence}" if one.sequence is not None else ""
        shown.add_row(f"{one.at:%Y-%m-%d %H:%M:%S}", one.state, one.told_by, one.reason, bank, entry)
    out.print(shown)


def told_with_names(told: TransferTold, names: Names) -> Mapping[str, object]:
    """Return an order for JSON, with names in the place of ledger accounts' numbers."""
    parts = [{**msgspec.structs.asdict(part), "account": names.name_of(part.account)} for part in told.parts]
    return {**msgspec.structs.asdict(told), "parts": parts}


def register_rows(registers: Iterable[OrderRegister], names: Names) -> Iterable[dict[str, object]]:
    """Yield the lines of registers as rows of LINE_COLUMNS and LINE_SUMS."""
    for register in registers:
        for line in register.lines:
            yield _line_row(register.key, line, names)


def _line_row(key: str, line: RegisterLine, names: Names) -> dict[str, object]:
    year, month = divmod(line.period, 100)
    return {
        "order": key,
        "place": f"{line.book}:{line.sequence}",
        "space": names.spaces.get(line.space, "") if line.space else "",
        "operation": line.external_id,
        "personal_account": line.account_number,
        "value_date": line.value_date,
        "service": line.service,
        "period": f"{year:04d}-{month:02d}" if year else "",
        "gross_kopecks": line.gross,
        "commission_kopecks": line.commission,
        "net_kopecks": line.net,
    }


def register_totals(registers: Iterable[OrderRegister]) -> dict[str, int]:
    """Return control totals, kopecks: gross + claimed - commission - recovered = amount."""
    found = list(registers)
    names = ("gross", "claimed", "commission", "recovered", "amount")
    sums = {f"{name}_kopecks": sum(getattr(one, name) for one in found) for name in names}
    return {"orders": len(found), "lines": sum(len(one.lines) for one in found), **sums}


def print_registers(out: Console, registers: Iterable[OrderRegister], names: Names) -> None:
    """Print lines and control totals."""
    found = list(registers)
    shown = Table(*LINE_COLUMNS)
    for title in ("gross", "commission", "net"):
        shown.add_column(title, justify="right", no_wrap=True)
    for row in register_rows(found, names):
        texts = ["" if row[name] is None else str(row[name]) for name in LINE_COLUMNS]
        shown.add_row(*texts, *[roubles_for_people(int(str(row[name]))) for name in LINE_SUMS])
    out.print(shown)
    totals = register_totals(found)
    sums = ", ".join(f"{name.removesuffix('_kopecks')} {roubles_for_people(totals[name])} ₽" for name in list(totals)[2:])
    out.print(f"CONTROL TOTALS {totals['orders']} orders, {totals['lines']} lines: {sums}")


def write_registers(file: TextIO, registers: Iterable[OrderRegister], names: Names) -> None:
    """Write lines as CSV, amounts in kopecks, and the control totals as the last row.

    Texts come from outside: one that a spreadsheet would run as a formula gets an apostrophe in front of it.
    """
    found = list(registers)
    writer = csv.writer(file)
    writer.writerow((*LINE_COLUMNS, *LINE_SUMS))
    for row in register_rows(found, names):
        writer.writerow([*(_cell(row[name]) for name in LINE_COLUMNS), *(row[name] for name in LINE_SUMS)])
    totals = register_totals(found)
    kept = f"claimed {totals['claimed_kopecks']}, recovered {totals['recovered_kopecks']}"
    told = ("total", f"{totals['lines']} lines", f"{totals['orders']} orders", kept)
    sums = (totals["gross_kopecks"], totals["commission_kopecks"], totals["amount_kopecks"])
    writer.writerow([*told, *[""] * (len(LINE_COLUMNS) - len(told)), *sums])


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULAS) else text


def print_waiting(out: Console, waiting: Waiting, names: Names) -> None:
    """Print what waits, each group only when there is any of it."""
    for one in waiting.uncut:
        out.print(f"{one.transit_account}: {roubles_for_people(one.amount_kopecks)} ₽ confirmed, waiting for the next cut")
    _print_orders(out, "NOT SENT", waiting.unsent)
    _print_orders(out, "UNDER WAY", waiting.under_way)
    _print_orders(out, "CAME BACK, TO BE PAID ANEW", waiting.came_back)
    if waiting.carried:
        print_carried(out, waiting.carried, names)
    for result in waiting.parked_results:
        told = f"{result.result.state.name.lower()} of {result.key}, told by {result.told_by}"
        out.print(f"PARKED RESULT {result.number}: {told}: {result.reason}")
    for register in waiting.parked_registers:
        out.print(f"PARKED REGISTER {register.number} ({register.key} to {register.counterparty}): {register.reason}")
    out.print(f"OVERDUE {waiting.overdue}" if waiting.overdue else "Nothing is overdue.")


def print_suspended(out: Console, suspended: Iterable[SuspendedSum]) -> None:
    """Print money without an owner by bank day, only when there is any: it may not stay in transit for ever either."""
    sums = tuple(suspended)
    if not sums:
        return
    shown = Table("transit account", "bank day", "items", "until", title="IN SUSPENSE", title_justify="left")
    shown.add_column("amount", justify="right", no_wrap=True)
    for one in sums:
        terms = [one.promise] if one.law is None else [one.promise, one.law]
        term = min(terms, key=lambda each: each.day)
        until = _until(term.day.isoformat(), term.rule, overdue=term.overdue)
        account = f"{one.transit_account} (47416)" if one.held else one.transit_account
        shown.add_row(account, one.bank_day.isoformat(), str(one.items), until, roubles_for_people(one.amount))
    out.print(shown)


def print_carried(out: Console, carried: Iterable[CarriedMoney], names: Names) -> None:
    """Print the lots that wait and why."""
    shown = Table("ledger account", "creditor", "since", "until", "why", title="CARRIED", title_justify="left")
    shown.add_column("amount", justify="right", no_wrap=True)
    for one in carried:
        until = _until(one.due.day.isoformat(), one.due.rule, overdue=one.due.overdue)
        account = names.name_of(one.account)
        shown.add_row(account, one.creditor, str(one.since), until, one.reason, roubles_for_people(one.amount_kopecks))
    out.print(shown)


def _print_orders(out: Console, title: str, waiting: tuple[WaitingOrder, ...]) -> None:
    if not waiting:
        return
    shown = Table("order", "recipient", "state", "until", title=title, title_justify="left")
    shown.add_column("amount", justify="right", no_wrap=True)
    for one in waiting:
        order, due = one.order, one.due
        until = _until(due.day.isoformat(), due.rule, overdue=due.overdue)
        shown.add_row(order.key, order.recipient, state_in_words(order), until, roubles_for_people(order.amount_kopecks))
    out.print(shown)


def _until(day: str, rule: str, *, overdue: bool) -> str:
    return f"{day} ({rule}){' OVERDUE' if overdue else ''}"


def waiting_with_names(waiting: Waiting, names: Names) -> Mapping[str, object]:
    """Return what waits for JSON, with names in the place of ledger accounts' numbers."""
    carried = [{**msgspec.structs.asdict(one), "account": names.name_of(one.account)} for one in waiting.carried]
    return {**msgspec.structs.asdict(waiting), "carried": carried, "overdue": waiting.overdue}


def print_unrecognised(out: Console, movements: Iterable[UnrecognisedMovement]) -> None:
    """Print statement lines that are no order's."""
    shown = Table("day", "line", "number", "counterparty's account", "purpose", "why")
    shown.add_column("amount", justify="right", no_wrap=True)
    for one in movements:
        line = one.movement
        amount = line.amount_kopecks if line.is_credit else -line.amount_kopecks
        place = (str(line.day), one.bank_id, line.number, line.counterparty_account)
        shown.add_row(*place, line.purpose, one.reason, roubles_for_people(amount))
    out.print(shown)


def name_or_number(names: Names, account: LedgerAccount) -> str:
    """Return ``recipient:service`` of a payable account, the whole name of any other."""
    name = names.name_of(account)
    kind, _, rest = name.partition(":")
    return rest.partition(":")[2] if kind == "payable" else name
