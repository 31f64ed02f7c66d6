"""``make bench`` = ``python -m loadtests.bench``: seeded load on the whole system, figures, and the proof at the end."""

import asyncio
import gc
import multiprocessing
import re
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import click
import msgspec
import uvloop

from kopeck.child_log import start_log
from kopeck.clock import utc_now
from kopeck.embedded.clean import clean_folder
from loadtests import ceiling
from loadtests.channels import doors_at
from loadtests.generator import Load, LoadReport, run_load
from loadtests.proof import Claim, claims_of, prove
from loadtests.report import BenchReport, PhaseFigures, Spent, canonical_line, counts_of, figures_of, phase_line
from loadtests.stage import Cpu, Stage, StageOptions, on_stage
from loadtests.till import orders_house, till_beside
from loadtests.town import Town
from loadtests.traffic import Doors, Plan, payments_of

PAYMENTS_A_SECOND_MAX = 20_000
"""A closed loop is given so many payments a second of its duration; one that is faster ends early."""
CEILING_CONNECTIONS = 256
CEILING_SECONDS_MAX = 2
CEILING_A_SECOND_MAX = 60_000
METRICS_TIMEOUT_S = 5

_BATCH = re.compile(rb"^kopeck_batch_entries_(sum|count) ([0-9]+)", re.MULTILINE)


class Phase(msgspec.Struct, frozen=True, kw_only=True):
    """``rate`` is payments a second, 0 for a closed loop; only a measured phase stands in the report."""

    name: str
    connections: int
    rate: int
    seconds: int
    measured: bool = True


class BenchOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The command's options."""

    accounts: int
    lines: int
    seed: int
    processes: int
    books: int
    duration: int
    rate: int
    warm: bool
    orders: bool
    folder: Path


class Bench:
    """One run: what was measured and claimed so far."""

    def __init__(self, options: BenchOptions, tell: Callable[[str], None]) -> None:
        self._options = options
        self._tell = tell
        self._town = Town(seed=options.seed, accounts=options.accounts, lines=options.lines)
        self._phases: list[PhaseFigures] = []
        self._claims: list[Claim] = []
        self._faults: list[str] = []
        self._repeats = 0
        self._ceiling = 0
        self.report: BenchReport | None = None

    async def run(self) -> None:
        """Measure the generator alone, then the system; ``report`` is set at the end."""
        options = self._options
        self._ceiling = await self._measure_ceiling()
        stage = StageOptions(
            folder=options.folder, town=self._town, processes=options.processes, books=options.books, warm=options.warm
        )
        if not options.orders:
            await on_stage(stage, self._play, self._tell)
            return
        with till_beside() as till:
            await on_stage(
                msgspec.structs.replace(stage, orders=orders_house(till, self._town.creditors)), self._play, self._tell
            )

    async def _play(self, stage: Stage) -> None:
        options = self._options
        for place, phase in enumerate(phases_of(options)):
            await self._run_phase(stage, phase, place)
        self._tell("proof: comparing every answer with the ledger")
        proof = await prove(stage.connection, self._claims, await_consumers=True)
        proof = msgspec.structs.replace(proof, differences=(*self._faults, *proof.differences))
        self.report = BenchReport(
            accounts=options.accounts,
            lines=options.lines,
            seed=options.seed,
            processes=options.processes,
            ceiling_a_second=self._ceiling,
            phases=tuple(self._phases),
            counts=counts_of(self._claims, self._repeats),
            proof=proof,
        )

    async def _run_phase(self, stage: Stage, phase: Phase, place: int) -> None:
        count = phase.seconds * (phase.rate or PAYMENTS_A_SECOND_MAX)
        plan = Plan(town=self._town, phase=place, count=count)
        load = _load_of(plan, stage.doors, phase)
        cpu_before, batches_before = stage.cpu(), await _batches(stage.base_url)
        report = await in_another_process(load)
        spent = _spent(report, (cpu_before, stage.cpu()), (batches_before, await _batches(stage.base_url)))
        claims = claims_of(payments_of(plan), report, stage.spaces)
        self._claims += claims.claims
        self._faults += claims.faults
        self._repeats += claims.repeats
        figures = figures_of(phase.name, (phase.connections, phase.rate), report, spent)
        self._tell(phase_line(figures))
        for sample in report.samples:
            self._tell(f"  {sample}")
        if phase.measured:
            self._phases.append(figures)
        gc.collect()

    async def _measure_ceiling(self) -> int:
        """Payments a second of the generator alone, against a responder that does nothing."""
        listening = ceiling.listen()
        responder = multiprocessing.get_context("spawn").Process(target=ceiling.serve, args=(listening,), daemon=True)
        responder.start()
        try:
            seconds = min(CEILING_SECONDS_MAX, self._options.duration)
            plan = Plan(town=self._town, phase=0, count=seconds * CEILING_A_SECOND_MAX)
            doors = doors_at(*listening.getsockname())
            phase = Phase(name="ceiling", connections=CEILING_CONNECTIONS, rate=0, seconds=seconds)
            report = await in_another_process(_load_of(plan, doors, phase))
        finally:
            responder.terminate()
            responder.join()
            listening.close()
        a_second = report.answered * 1_000_000 // max(1, report.elapsed_us)
        self._tell(f"generator alone: {a_second}/s at {CEILING_CONNECTIONS} connections")
        return a_second


def phases_of(options: BenchOptions) -> tuple[Phase, ...]:
    """A warm-up, then the closed loops and the fixed rate."""
    seconds = options.duration
    return (
        Phase(name="warm-up", connections=64, rate=0, seconds=max(1, seconds // 3), measured=False),
        Phase(name="closed64", connections=64, rate=0, seconds=seconds),
        Phase(name="closed256", connections=256, rate=0, seconds=seconds),
        Phase(name=f"rate{options.rate}", connections=64, rate=options.rate, seconds=seconds),
    )


def _load_of(plan: Plan, doors: Doors, phase: Phase) -> Load:
    return Load(plan=plan, doors=doors, at=utc_now(), connections=phase.connections, rate=phase.rate, duration_s=phase.seconds)


async def in_another_process(load: Load) -> LoadReport:
    """Run a load in a process of its own, which ends with the caller."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, run_load, load)
        except asyncio.CancelledError:
            for child in multiprocessing.active_children():
                child.terminate()
            raise


async def _until_told(bench: Bench) -> None:
    """Run the bench; SIGTERM ends it as Ctrl-C does: everything is stopped in order and the folder is removed."""
    running = asyncio.current_task()
    assert running is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    await bench.run()


async def _batches(base_url: str) -> tuple[int, int]:
    """Entries and appends so far, summed over the gateway processes by their own metrics."""
    text = await asyncio.to_thread(_read_metrics, base_url)
    found = {name: int(value) for name, value in _BATCH.findall(text)}
    return found.get(b"sum", 0), found.get(b"count", 0)


def _read_metrics(base_url: str) -> bytes:
    with urlopen(f"{base_url}/metrics", timeout=METRICS_TIMEOUT_S) as answer:
        content: bytes = answer.read()
    return content


def _spent(report: LoadReport, cpu: tuple[Cpu, Cpu], batches: tuple[tuple[int, int], tuple[int, int]]) -> Spent:
    before, after = cpu
    answered = max(1, report.answered)
    entries, appends = (later - earlier for earlier, later in zip(*batches, strict=True))
    return Spent(
        gateways=(after.gateways - before.gateways) * 1_000 // answered,
        workers=(after.workers - before.workers) * 1_000 // answered,
        orders=(after.orders - before.orders) * 1_000 // answered,
        postgresql=(after.postgresql - before.postgresql) * 1_000 // answered,
        generator=report.cpu_us // answered,
        batch_hundredths=entries * 100 // appends if appends else 0,
    )


@contextmanager
def data_folder(data: Path | None) -> Iterator[Path]:
    """The named folder, kept; or one of its own that is removed at the end."""
    if data is not None:
        yield data
        return
    with tempfile.TemporaryDirectory(prefix="kopeck-bench-", ignore_cleanup_errors=True) as made:
        folder = Path(made) / "data"
        try:
            yield folder
        finally:
            if folder.joinpath("lock").exists():
                clean_folder(folder)


@click.command()
@click.option("--accounts", default=100_000, show_default=True, type=click.IntRange(1, 5_000_000), help="Personal accounts.")
@click.option("--lines", default=10, show_default=True, type=click.IntRange(3, 60), help="Charge lines an account.")
@click.option("--seed", default=1, show_default=True, type=int)
@click.option("--processes", default=2, show_default=True, type=click.IntRange(1, 64), help="Gateway processes.")
@click.option("--books", default=1, show_default=True, type=click.IntRange(1, 1024), help="Payers' books of the ledger.")
@click.option("--duration", default=15, show_default=True, type=click.IntRange(1, 600), help="Seconds a measured phase.")
@click.option("--quick", is_flag=True, help="Three seconds a phase.")
@click.option("--rate", default=1_000, show_default=True, type=click.IntRange(1, 100_000), help="Payments/s at fixed rate.")
@click.option("--warm/--cold", default=True, show_default=True, help="Whether the cache holds the tables at the start.")
@click.option("--orders/--no-orders", default=False, show_default=True, help="Receipts and transfers beside the payments.")
@click.option("--data", type=click.Path(path_type=Path), help="A new data folder to keep; a temporary one without it.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write all figures to this file.")
def main(*, quick: bool, data: Path | None, json_file: Path | None, **options: object) -> None:
    """Measure the system and prove what it answered. Exit code 1 when the proof does not hold."""
    start_log("warning")
    with data_folder(data) as folder:
        chosen = msgspec.convert({**options, "folder": folder}, BenchOptions, dec_hook=_as_it_is)
        if quick:
            chosen = msgspec.structs.replace(chosen, duration=3)
        bench = Bench(chosen, click.echo)
        try:
            uvloop.run(_until_told(bench))
        except asyncio.CancelledError:
            raise click.Abort from None
    report = bench.report
    assert report is not None
    if json_file is not None:
        json_file.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    for difference in report.proof.differences:
        click.echo(f"DIFFERENCE {difference}", err=True)
    click.echo(canonical_line(report))
    sys.exit(0 if report.holds else 1)


def _as_it_is(kind: type, value: object) -> object:
    if not isinstance(value, kind):
        raise TypeError(f"expected {kind}")
    return value


if __name__ == "__main__":
    main()
