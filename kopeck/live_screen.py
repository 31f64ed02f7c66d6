"""How the live view looks: a screen on a terminal, a line now and then elsewhere."""

import asyncio
import sys
from collections.abc import Callable

import structlog
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from kopeck.endpoints import Endpoints
from kopeck.live import PERIOD_S, LatestEntry, Snapshot, Watcher
from kopeck.supervisor import Supervisor
from schemas.money import roubles_for_people

LINE_EVERY_S = 10.0
NAME_CHARACTERS_MAX = 26

_log = structlog.get_logger("kopeck.run")


async def show_house(endpoints: Endpoints, supervisor: Supervisor, stop: asyncio.Event) -> None:
    """Show the house until ``stop``."""
    watcher = Watcher(endpoints.postgres, endpoints.metrics)
    console = Console()
    if not console.is_terminal:
        await watcher.run(stop, _line_writer())
        return
    with Live(Text("…"), console=console, screen=True, auto_refresh=False) as live:
        await watcher.run(stop, lambda seen: live.update(_screen(seen, endpoints, supervisor), refresh=True))


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
    return f"{seen.per_second:.1f} payments/s | {answers} | owed {owed} ₽ | lag {lag} | trial balance {seen.trial_balance}{fault}"


def _screen(seen: Snapshot, endpoints: Endpoints, supervisor: Supervisor) -> RenderableType:
    columns = Table.grid(expand=True, padding=(0, 1))
    columns.add_column(ratio=3)
    columns.add_column(ratio=2)
    columns.add_row(_latest(seen), Group(_recipients(seen), _numbers(seen, supervisor)))
    return Group(columns, _hints(seen, endpoints))


def _latest(seen: Snapshot) -> RenderableType:
    table = Table(title="Last entries", expand=True, title_justify="left")
    for name, justify in (("time", "left"), ("channel / id", "left"), ("account", "left"), ("₽", "right"), ("split", "left")):
        table.add_column(name, justify=justify, no_wrap=name != "split")  # type: ignore[arg-type]
    for entry in seen.latest:
        table.add_row(
            entry.at,
            f"{entry.channel}\n{entry.external_id}",
            entry.account_number or "—",
            roubles_for_people(entry.amount),
            _split(entry),
        )
    return table


def _split(entry: LatestEntry) -> str:
    shares = [f"{name[:NAME_CHARACTERS_MAX]} {roubles_for_people(amount)}" for name, amount in entry.split.items()]
    head = f"[{entry.kind}{': ' + entry.reason if entry.reason else ''}] " if entry.kind != "payment" else ""
    return Text(head + "; ".join(shares)).plain


def _recipients(seen: Snapshot) -> RenderableType:
    table = Table(title="Owed to recipients", expand=True, title_justify="left")
    table.add_column("recipient")
    table.add_column("₽", justify="right")
    for name, amount in seen.by_recipient.items():
        table.add_row(name, roubles_for_people(amount))
    return table


def _numbers(seen: Snapshot, supervisor: Supervisor) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_row("payments/s", f"{seen.per_second:.1f}")
    table.add_row("answers", ", ".join(f"{name} {count}" for name, count in sorted(seen.answers.items())))
    for kind, amount in seen.by_kind.items():
        table.add_row(kind, roubles_for_people(amount))
    table.add_row("trial balance", Text(str(seen.trial_balance), style="bold red" if seen.trial_balance else "green"))
    table.add_row("lag, entries", ", ".join(f"{name} {count}" for name, count in sorted(seen.lag_entries.items())))
    for child in supervisor.children:
        state = "ready" if child.ready.is_set() else "starting"
        table.add_row(child.spec.name, f"pid {child.pid}, {state}, started {child.starts}×")
    if seen.fault:
        table.add_row("fault", Text(seen.fault, style="bold red"))
    return Panel(table, title="House")


def _hints(seen: Snapshot, endpoints: Endpoints) -> RenderableType:
    lines = [f"Ctrl-C stops. Addresses and secrets: {endpoints.data}/endpoints.json"]
    if command := pay_by_curl(endpoints):
        lines.append(f"Pay:     {command}")
    if payments := [entry for entry in seen.latest if entry.kind == "payment"]:
        lines.append(f"Explain: kopeck explain --data {endpoints.data} {payments[0].external_id}")
    return Panel(Text("\n".join(lines)), title="Try it")


def pay_by_curl(endpoints: Endpoints) -> str:
    """A command that pays one document of the sample through the terminals' channel; empty without a demo."""
    terminals = next((one for one in endpoints.channels if one.kind == "osmp" and one.basic_user), None)
    if terminals is None or not endpoints.accounts.open:
        return ""
    account = endpoints.accounts.open[0]
    roubles = f"{account.total // 100}.{account.total % 100:02d}"
    return (
        f"curl -u {terminals.basic_user}:{terminals.basic_password} '{terminals.url}?command=pay&txn_id=1001"
        f"&txn_date=20261116120000&account={account.number}&sum={roubles}'"
    )
