"""A tiny bench on the whole system: it starts, measures, and the proof holds."""

import re
import subprocess
import sys
from pathlib import Path

import msgspec

from ledger.statements import ROOT
from loadtests.report import BenchReport

TIMEOUT_S = 180
CANONICAL = re.compile(
    r"kopeck-bench v1 accounts=300 lines=10 seed=7 processes=2 \| closed64 \d+/s p99 [\d.]+ms \| closed256 \d+/s p99 [\d.]+ms"
    r" \| rate100 p99 [\d.]+ms \| recorded=\d+ suspense=\d+ refused=\d+ unknown=\d+ duplicates=\d+ \| proof ok"
)


def test_a_tiny_bench_is_proved(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    options = ["--accounts", "300", "--seed", "7", "--duration", "1", "--rate", "100", "--json", str(figures)]
    run = subprocess.run(
        [sys.executable, "-m", "loadtests.bench", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert CANONICAL.fullmatch(run.stdout.splitlines()[-1]), run.stdout
    report = msgspec.json.decode(figures.read_bytes(), type=BenchReport)
    assert report.holds and report.ceiling_a_second > 0
    counts = report.counts
    assert 0 < counts.recorded + counts.suspense <= report.proof.entries <= counts.recorded + counts.suspense + counts.unknown
    assert [phase.latencies.count > 0 for phase in report.phases] == [True] * 3
    rate = report.phases[-1]
    assert 0 < rate.latencies.p50 <= rate.latencies.p99 <= rate.latencies.largest
