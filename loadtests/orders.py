"""``python -m loadtests.orders``: how soon a committed payment's receipt and transfer order follow, under a fixed rate.

The bench's system and town (loadtests/bench.py) with the orders process: receipts go to a till that answers at once, covers
follow every promise, cuts are made every second. Moments are the database's own: the entry's commit, the order's row, the
operator's acceptance, the transfer order's entry in book 0.
"""

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import click
import msgspec
import uvloop

from kopeck.child_log import start_log
from kopeck.clock import utc_now
from ledger.statements import load_statements
from loadtests.bench import data_folder, in_another_process
from loadtests.covers import SPACE_NAMES, keep_covering
from loadtests.cpu import cpu_ms
from loadtests.generator import Load, LoadReport, Verdict
from loadtests.latency import Latencies, latencies_from, milliseconds
from loadtests.stage import Stage, StageOptions, on_stage
from loadtests.till import Till, orders_house, till_beside
from loadtests.town import Town
from loadtests.traffic import Plan, Source

CANONICAL = "kopeck-orders v1"
CONNECTIONS = 64
WARM_UP_S = 4
CUT_EVERY_S = 1
DRAIN_TIMEOUT_S = 180
POLL_S = 0.2
FINAL = (Verdict.ACCEPTED, Verdict.REFUSED)
PARTS = ("gateways", "workers", "orders", "postgresql", "till", "generator")

_SQL = load_statements("loadtests/statements/orders.sql")


class NotDrained(RuntimeError):
    """What had to follow from the payments has not; the message names what is left."""


class OrdersOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The command's options; ``bank`` is the percentage of payments that come through a bank and need a receipt of ours."""

    accounts: int
    lines: int
    creditors: int
    seed: int
    processes: int
    rate: int
    seconds: int
    bank: int
    folder: Path


class OrdersReport(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run. CPU in microseconds a payment, by part, over the seconds of the load alone.

    ``backlog`` is what was behind when the load ended: entries of fiscal and settlement, receipts not accepted.
    """

    options: OrdersOptions
    payments_a_second: int
    answered: Latencies
    created: Latencies
    accepted: Latencies
    transferred: Latencies
    cpu: dict[str, int]
    backlog: dict[str, int]
    drained_ms: int
    receipts: int
    faults: tuple[str, ...]


class OrdersRun:
    """One run; ``report`` is set at the end."""

    def __init__(self, options: OrdersOptions, tell: Callable[[str], None]) -> None:
        self._options = options
        self._tell = tell
        self._town = Town(seed=options.seed, accounts=options.accounts, lines=options.lines, creditors=options.creditors)
        self.report: OrdersReport | None = None

    async def run(self) -> None:
        """Start everything, load it, wait until every consequence is there, and measure."""
        options = self._options
        with till_beside() as till:
            stage = StageOptions(
                folder=options.folder,
                town=self._town,
                processes=options.processes,
                books=1,
                warm=True,
                orders=orders_house(till, options.creditors, cut_every_s=CUT_EVERY_S),
            )
            await on_stage(stage, lambda stage: self._play(stage, till), self._tell)

    async def _play(self, stage: Stage, till: Till) -> None:
        stop = asyncio.Event()
        spaces = {stage.spaces[source]: name for source, name in zip((Source.TERMINAL, Source.BANK), SPACE_NAMES, strict=True)}
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(keep_covering(stage.owner_dsn, stage.base_url, spaces, stop))
            try:
                await self._load(stage, phase=0, seconds=WARM_UP_S)
                await self._drain(stage)
                await self._measure(stage, till)
            finally:
                stop.set()

    async def _measure(self, stage: Stage, till: Till) -> None:
        connection = stage.connection
        after = await connection.fetchval(_SQL["fetch_head"])
        before = _cpu(stage, till)
        load = await self._load(stage, phase=1, seconds=self._options.seconds)
        spent = {part: (ms - before[part]) * 1_000 // max(1, load.answered) for part, ms in _cpu(stage, till).items()}
        backlog = await _backlog(stage)
        self._tell(f"load ended: {load.answered} answered; behind: {backlog}")
        drained_ms = await self._drain(stage)
        upto = await connection.fetchval(_SQL["fetch_head"])
        receipts = await connection.fetch(_SQL["list_receipt_times"], after, upto)
        transfers = await connection.fetch(_SQL["list_transfer_times"], after, upto)
        self.report = OrdersReport(
            options=self._options,
            payments_a_second=load.answered * 1_000_000 // max(1, load.elapsed_us),
            answered=latencies_from(
                took for took, verdict in zip(load.latencies, load.verdicts, strict=True) if verdict in FINAL
            ),
            created=latencies_from(row["created"] for row in receipts),
            accepted=latencies_from(row["accepted"] for row in receipts),
            transferred=latencies_from(row["created"] for row in transfers),
            cpu={**spent, "generator": load.cpu_us // max(1, load.answered)},
            backlog=backlog,
            drained_ms=drained_ms,
            receipts=len(receipts),
            faults=tuple(await self._faults(stage, till, load)),
        )

    async def _load(self, stage: Stage, *, phase: int, seconds: int) -> LoadReport:
        options = self._options
        plan = Plan(town=self._town, phase=phase, count=seconds * options.rate, bank=options.bank * 100)
        load = Load(plan=plan, doors=stage.doors, at=utc_now(), connections=CONNECTIONS, rate=options.rate, duration_s=seconds)
        return await in_another_process(load)

    async def _drain(self, stage: Stage) -> int:
        """Wait until every payment has its orders and every receipt is registered; how long, in milliseconds."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while any((left := await _backlog(stage)).values()):
            if loop.time() - began > DRAIN_TIMEOUT_S:
                raise NotDrained(f"after {DRAIN_TIMEOUT_S} s there is still left: {left}")
            await asyncio.sleep(POLL_S)
        return int((loop.time() - began) * 1000)

    async def _faults(self, stage: Stage, till: Till, load: LoadReport) -> list[str]:
        """Every payment that needs a receipt has one, registered once; each answer of the load was final."""
        counts = dict(await stage.connection.fetchrow(_SQL["fetch_counts"]))
        taken, _ = await asyncio.to_thread(till.count)
        faults = []
        if counts["payments"] != counts["owed"] or len({counts["receipts"], counts["registered"], counts["orders"], taken}) > 1:
            faults.append(f"receipts differ: {counts}, {taken} at the till")
        left = sum(1 for verdict in load.verdicts if verdict not in (Verdict.UNSENT, *FINAL))
        if left:
            faults.append(f"{left} payments without a final answer: {', '.join(load.samples)}")
        return faults


async def _backlog(stage: Stage) -> dict[str, int]:
    return dict(await stage.connection.fetchrow(_SQL["fetch_backlog"]))


def _cpu(stage: Stage, till: Till) -> dict[str, int]:
    return {**msgspec.structs.asdict(stage.cpu()), "till": cpu_ms([till.pid])}


def canonical_line(report: OrdersReport) -> str:
    """The one line by which runs are compared."""
    options = report.options
    return " | ".join(
        (
            f"{CANONICAL} accounts={options.accounts} creditors={options.creditors} seed={options.seed} rate={options.rate}"
            f" seconds={options.seconds} bank={options.bank}%",
            f"{report.payments_a_second}/s answered {_took(report.answered)}",
            f"receipt created {_took(report.created)}",
            f"receipt accepted {_took(report.accepted)}",
            f"transfer created {_took(report.transferred)}",
            f"CPU us {' '.join(f'{part} {report.cpu[part]}' for part in PARTS)}",
            f"receipts={report.receipts} drained {report.drained_ms}ms",
            "FAILED" if report.faults else "ok",
        )
    )


def _took(took: Latencies) -> str:
    return " ".join(
        f"{name} {milliseconds(value)}ms" for name, value in (("p50", took.p50), ("p99", took.p99), ("max", took.largest))
    )


@click.command()
@click.option("--rate", default=1_000, show_default=True, type=click.IntRange(1, 20_000), help="Payments a second.")
@click.option("--seconds", default=20, show_default=True, type=click.IntRange(1, 600), help="Seconds of the measured load.")
@click.option("--accounts", default=20_000, show_default=True, type=click.IntRange(1, 1_000_000), help="Personal accounts.")
@click.option("--lines", default=10, show_default=True, type=click.IntRange(3, 60), help="Charge lines an account.")
@click.option("--creditors", default=4, show_default=True, type=click.IntRange(1, 200), help="Who issues the receipts.")
@click.option("--bank", default=100, show_default=True, type=click.IntRange(0, 100), help="Percent that need a receipt of ours.")
@click.option("--seed", default=1, show_default=True, type=int)
@click.option("--processes", default=2, show_default=True, type=click.IntRange(1, 64), help="Gateway processes.")
@click.option("--data", type=click.Path(path_type=Path), help="A new data folder to keep; a temporary one without it.")
def main(data: Path | None, **options: int) -> None:
    """Measure how soon orders follow payments. Exit code 1 when a receipt is missing or doubled."""
    start_log("warning")
    with data_folder(data) as folder:
        run = OrdersRun(OrdersOptions(folder=folder, **options), click.echo)
        with suppress(KeyboardInterrupt):
            uvloop.run(run.run())
    if run.report is None:
        raise click.Abort
    click.echo(f"behind when the load ended: {run.report.backlog}")
    for fault in run.report.faults:
        click.echo(f"FAULT {fault}", err=True)
    click.echo(canonical_line(run.report))
    sys.exit(1 if run.report.faults else 0)


if __name__ == "__main__":
    main()
