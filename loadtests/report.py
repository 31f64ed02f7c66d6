"""What the bench prints: a line a phase, one canonical line for comparing runs, the same figures as JSON."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from loadtests.generator import LoadReport, Verdict
from loadtests.latency import Latencies, latencies_from, milliseconds
from loadtests.proof import Claim, Claimed, Proof

CANONICAL = "kopeck-bench v1"
_ANSWERED = (Verdict.ACCEPTED, Verdict.REFUSED)


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """CPU of one phase in microseconds a payment, and entries an append in hundredths (0: not known)."""

    gateways: int
    workers: int
    orders: int
    postgresql: int
    generator: int
    batch_hundredths: int


class PhaseFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One measured phase. ``verdicts`` counts what was not a final answer; latencies are of final answers alone."""

    name: str
    connections: int
    rate: int
    payments_a_second: int
    latencies: Latencies
    spent: Spent
    verdicts: dict[str, int]
    samples: tuple[str, ...]


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Keys of all phases, warm-up included, by what became of them; ``duplicates`` are repeats answered."""

    recorded: int
    suspense: int
    refused: int
    unknown: int
    duplicates: int


class BenchReport(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run."""

    accounts: int
    lines: int
    seed: int
    processes: int
    ceiling_a_second: int
    phases: tuple[PhaseFigures, ...]
    counts: Counts
    proof: Proof

    @property
    def holds(self) -> bool:
        """Whether nothing differs and no answer was outside the protocol."""
        unexpected = any(Verdict.UNEXPECTED.name.lower() in phase.verdicts for phase in self.phases)
        return not self.proof.differences and not unexpected


def figures_of(name: str, load: tuple[int, int], report: LoadReport, spent: Spent) -> PhaseFigures:
    """Summarise a phase; ``load`` is its connections and its rate."""
    counted = Counter(Verdict(verdict) for verdict in report.verdicts)
    final = (latency for latency, verdict in zip(report.latencies, report.verdicts, strict=True) if verdict in _ANSWERED)
    left = {verdict.name.lower(): count for verdict, count in sorted(counted.items()) if verdict > Verdict.REFUSED}
    return PhaseFigures(
        name=name,
        connections=load[0],
        rate=load[1],
        payments_a_second=report.answered * 1_000_000 // max(1, report.elapsed_us),
        latencies=latencies_from(final),
        spent=spent,
        verdicts=left,
        samples=report.samples,
    )


def counts_of(claims: Sequence[Claim], repeats: int) -> Counts:
    """Count the keys of all phases."""
    counted = Counter(claim.claimed for claim in claims)
    return Counts(
        recorded=counted[Claimed.BOOKED],
        suspense=counted[Claimed.SUSPENSE],
        refused=counted[Claimed.REFUSED],
        unknown=counted[Claimed.UNKNOWN],
        duplicates=repeats,
    )


def phase_line(phase: PhaseFigures) -> str:
    """One phase for people."""
    took, spent = phase.latencies, phase.spent
    parts = " ".join(
        f"{name} {milliseconds(value)}"
        for name, value in (("p50", took.p50), ("p95", took.p95), ("p99", took.p99), ("p99.9", took.p999), ("max", took.largest))
    )
    cpu = f"gateways {spent.gateways} postgresql {spent.postgresql} workers {spent.workers} generator {spent.generator}"
    cpu += f" orders {spent.orders}" if spent.orders else ""
    batch = f", batch {spent.batch_hundredths // 100}.{spent.batch_hundredths % 100:02d}" if spent.batch_hundredths else ""
    errors = "".join(f", {name} {count}" for name, count in phase.verdicts.items())
    return f"{phase.name}: {phase.payments_a_second}/s, ms {parts}; CPU us a payment: {cpu}{batch}{errors}"


def canonical_line(report: BenchReport) -> str:
    """The one line by which runs are compared."""
    return " | ".join(
        (
            f"{CANONICAL} accounts={report.accounts} lines={report.lines} seed={report.seed} processes={report.processes}",
            *(_phase_part(phase) for phase in report.phases),
            " ".join(f"{name}={count}" for name, count in msgspec.structs.asdict(report.counts).items()),
            "proof ok" if report.holds else "proof FAILED",
        )
    )


def _phase_part(phase: PhaseFigures) -> str:
    p99 = f"p99 {milliseconds(phase.latencies.p99)}ms"
    return f"{phase.name} {p99}" if phase.rate else f"{phase.name} {phase.payments_a_second}/s {p99}"
