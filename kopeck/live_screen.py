"""How the live view looks: a screen on a terminal, a line now and then elsewhere."""

import asyncio
import sys
from collections.abc import Callable

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from kopeck.endpoints import Endpoints
from kopeck.live import PERIOD_S, Coming, LatestEntry, Leaving, Snapshot, Watcher
from kopeck.supervisor import Supervisor
from schemas.money import roubles_for_people, roubles_from_kopecks

LINE_EVERY_S = 10.0
NAME_CHARACTERS, AMOUNT_CHARACTERS = 24, 12
SHARE_CHARACTERS = NAME_CHARACTERS + AMOUNT_CHARACTERS + 3
PAYMENT_CHARACTERS = 26
HINT_LINES, ENTRY_LINES, ENTRIES_MIN = 12, 6, 2


async def show_house(endpoints: Endpoints, supervisor: Supervisor, stop: asyncio.Event) -> None:
    """Show the house until ``stop``."""
    watcher = Watcher(endpoints.postgres, endpoints.metrics)
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        _write_hint(endpoints)
        await watcher.run(stop, _line_writer())
        return
    screen = Screen(endpoints, supervisor, console)
    with Live(Text("…"), console=console, screen=True, auto_refresh=False) as live:
        await watcher.run(stop, lambda seen: live.update(screen.draw(seen), refresh=True))


def _write_hint(endpoints: Endpoints) -> None:
    """Tell how to pay and ask, credentials and all, on standard output only: the log goes elsewhere and is kept longer."""
    if command := pay_by_curl(endpoints):
        sys.stdout.write(f"Pay: {command}\n")
    for words in api_hints(endpoints):
        sys.stdout.write(words + "\n")
    sys.stdout.flush()


def _line_writer() -> Callable[[Snapshot], None]:
    skipped = LINE_EVERY_S

    def write(seen: Snapshot) -> None:
        nonlocal skipped
        skipped += PERIOD_S
        if skipped >= LINE_EVERY_S:
            skipped = 0.0
            sys.stdout.write(_line(seen) + "\n")
            sys.stdout.flush()

    return write


def _line(seen: Snapshot) -> str:
    answers = " ".join(f"{name}={count}" for name, count in sorted(seen.answers.items()))
    lag = " ".join(f"{name}={count}" for name, count in sorted(seen.lag_entries.items()))
    owed = roubles_for_people(sum(seen.by_recipient.values()))
    fault = f" fault={seen.fault}" if seen.fault else ""
    paid = f"ordered {roubles_for_people(seen.leaving.ordered)} ₽ settled {roubles_for_people(seen.leaving.settled)} ₽"
    coming = seen.coming
    covered = roubles_for_people(sum(one.covered for one in coming.spaces))
    promised = roubles_for_people(sum(one.promised for one in coming.spaces))
    came = f"promised {promised} ₽ covered {covered} ₽ suspense {coming.waiting} unclear {coming.unclear}"
    spaces = " ".join(f"{one.space}={one.payments}" for one in coming.spaces)
    parts = [f"{seen.per_second:.1f} payments/s", answers, f"by space {spaces}", came, f"owed {owed} ₽", paid]
    parts += [f"receipts {seen.leaving.done}", f"lag {lag}"]
    return " | ".join([*parts, f"trial balance {seen.trial_balance}{fault}"])


class Screen:
    """Draws a snapshot to the size of the console."""

    def __init__(self, endpoints: Endpoints, supervisor: Supervisor, console: Console) -> None:
        self._endpoints = endpoints
        self._supervisor = supervisor
        self._console = console

    def draw(self, seen: Snapshot) -> RenderableType:
        """The whole screen; what does not fit below is cut off by the terminal."""
        columns = Table.grid(expand=True, padding=(0, 1))
        columns.add_column(ratio=2)
        columns.add_column(ratio=1)
        columns.add_row(
            self._latest(seen), Group(self._numbers(seen), _coming(seen.coming), _leaving(seen.leaving), _recipients(seen))
        )
        return Group(self._hints(seen), columns)

    def _latest(self, seen: Snapshot) -> RenderableType:
        abreast = max(1, (self._console.width * 2 // 3 - PAYMENT_CHARACTERS) // SHARE_CHARACTERS)
        room = max(ENTRIES_MIN, (self._console.height - HINT_LINES) // ENTRY_LINES)
        table = Table(title="Last entries", expand=True, title_justify="left", show_lines=True)
        table.add_column("payment", width=PAYMENT_CHARACTERS - 4)
        table.add_column("split by recipient, ₽", no_wrap=True, ratio=1)
        for entry in seen.latest[:room]:
            head = f"{entry.at} {entry.channel}\n{entry.external_id}\n"
            body = f"{entry.account_number or '—'}\n{roubles_for_people(entry.amount)} ₽"
            table.add_row(Text(head + body), Text(_split(entry, abreast)))
        return table

    def _numbers(self, seen: Snapshot) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        table.add_row("payments/s", f"{seen.per_second:.1f}")
        table.add_row("answers", ", ".join(f"{name} {count}" for name, count in sorted(seen.answers.items())))
        table.add_row("by channel", ", ".join(f"{name} {count}" for name, count in sorted(seen.coming.answered.items())))
        table.add_row("trial balance", Text(str(seen.trial_balance), style="bold red" if seen.trial_balance else "green"))
        table.add_row("lag, entries", ", ".join(f"{name} {count}" for name, count in sorted(seen.lag_entries.items())))
        for child in self._supervisor.children:
            state = "ready" if child.ready.is_set() else "starting"
            table.add_row(child.spec.name, f"pid {child.pid}, {state}, started {child.starts}×")
        for kind, amount in seen.by_kind.items():
            table.add_row(kind, f"{roubles_for_people(abs(amount))} {'credit' if amount >= 0 else 'debit'}")
        if seen.fault:
            table.add_row("fault", Text(seen.fault, style="bold red"))
        return Panel(table, title="House", title_align="left")

    def _hints(self, seen: Snapshot) -> RenderableType:
        folder = self._endpoints.data
        lines = [f"Ctrl-C stops. Addresses and secrets: {folder}/endpoints.json"]
        if command := pay_by_curl(self._endpoints):
            lines.append(f"Pay:     {command}")
        lines += api_hints(self._endpoints)[:2]
        if payments := [entry for entry in seen.latest if entry.kind == "payment"]:
            lines.append(f"Explain: kopeck explain --data {folder} {payments[0].external_id}")
        return Panel(Text("\n".join(lines)), title="Try it", title_align="left")


def _split(entry: LatestEntry, abreast: int) -> str:
    """Shares in columns, the largest first, a reason before them when the money waits."""
    shares = sorted(entry.split.items(), key=lambda share: -share[1])
    cells = [
        f"{name[:NAME_CHARACTERS]:<{NAME_CHARACTERS}} {roubles_for_people(amount):>{AMOUNT_CHARACTERS}}"
        for name, amount in shares
    ]
    lines = ["  ".join(cells[first : first + abreast]) for first in range(0, len(cells), abreast)]
    if entry.kind != "payment":
        lines.insert(0, f"{entry.kind}{': ' + entry.reason if entry.reason else ''}")
    return "\n".join(lines)


def _coming(coming: Coming) -> RenderableType:
    """Operation spaces with what they promised and what the statement has covered, and what waits for a person."""
    waits = f"suspense {coming.waiting}: {roubles_for_people(coming.waiting_kopecks)} ₽, lines not booked {coming.unclear}"
    table = Table(title=f"Coming in; {waits}", expand=True, title_justify="left")
    table.add_column("space", no_wrap=True, ratio=1)
    for name in ("payments", "promised, ₽", "covered, ₽"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in coming.spaces:
        table.add_row(one.space, str(one.payments), roubles_for_people(one.promised), roubles_for_people(one.covered))
    return table


def _leaving(leaving: Leaving) -> RenderableType:
    """Receipts at the tills and transfers at the bank: what is under way and the newest of each."""
    table = Table(title="Leaving the house", expand=True, title_justify="left", show_header=False)
    table.add_column("what", no_wrap=True, ratio=1)
    table.add_column("₽", justify="right", no_wrap=True, width=AMOUNT_CHARACTERS)
    waiting = ", ".join(f"{state} {count}" for state, count in sorted(leaving.orders.items()) if count)
    table.add_row(f"receipts registered {leaving.done}{', ' + waiting if waiting else ''}", "")
    for receipt in leaving.receipts:
        table.add_row(f"  {receipt.at} ФД {receipt.fd} {receipt.issuer}", roubles_for_people(receipt.total))
    table.add_row("transfers ordered", roubles_for_people(leaving.ordered))
    table.add_row("  executed or come back", roubles_for_people(leaving.settled))
    for transfer in leaving.transfers:
        table.add_row(f"  {transfer.number} {transfer.state} {transfer.recipient}", roubles_for_people(transfer.amount))
    return table


def _recipients(seen: Snapshot) -> RenderableType:
    table = Table(title="Owed to recipients", expand=True, title_justify="left")
    table.add_column("recipient", no_wrap=True, ratio=1)
    table.add_column("₽", justify="right", no_wrap=True, width=AMOUNT_CHARACTERS)
    for name, amount in seen.by_recipient.items():
        table.add_row(name, roubles_for_people(amount))
    return table


def api_hints(endpoints: Endpoints) -> list[str]:
    """Commands that ask the API as each organisation of the demo; none without a demo."""
    if not endpoints.portal:
        return []
    asked = [
        f"API, as {one.organisation}: curl -H 'Authorization: Bearer {one.key}' {endpoints.portal}/v1/me"
        for one in endpoints.portal_keys
    ]
    return [f"API explorer: {endpoints.portal}/v1/docs", *asked] if asked else []


def pay_by_curl(endpoints: Endpoints) -> str:
    """A command that pays one document of the sample through the terminals' channel; empty without a demo."""
    terminals = next((one for one in endpoints.channels if one.kind == "osmp" and one.basic_user), None)
    if terminals is None or not endpoints.accounts.open:
        return ""
    account = endpoints.accounts.open[0]
    return (
        f"curl -u {terminals.basic_user}:{terminals.basic_password} '{terminals.url}?command=pay&txn_id=1001"
        f"&txn_date=20261116120000&account={account.number}&sum={roubles_from_kopecks(account.total)}'"
    )
