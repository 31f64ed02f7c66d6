"""A tiny month: three days by every channel with faults on reconcile to zero unexplained kopecks and end at nought."""

import re
import subprocess
import sys

from ledger.statements import ROOT

TIMEOUT_S = 180
CANONICAL = re.compile(
    r"kopeck-month v1 days=3 payments=([0-9]+) accounts=25 seed=1 faults=on \| entries=([0-9]+) bank days closed=([0-9]+)"
    r" unexplained=0 kopecks \| \d+ s \d+ payments/s \| ok"
)
FIGURES = ("callbacks repeated", "registers refused", "statements refused", "reversed before cover", "lines vanished")


def test_a_tiny_month_reconciles() -> None:
    options = ["--days", "3", "--payments", "600", "--accounts", "25", "--since", "2026-12-01", "--not-durable", "--quiet"]
    run = subprocess.run(
        [sys.executable, "-m", "loadtests.month", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    *figures, last = run.stdout.splitlines()
    found = CANONICAL.fullmatch(last)
    assert found is not None, run.stdout
    payments, entries, closed = (int(group) for group in found.groups())
    assert 590 <= payments <= 600 and entries > payments and closed >= 4, run.stdout
    told = dict(line.rsplit(": ", 1) for line in figures)
    assert all(int(told[name]) > 0 for name in FIGURES), run.stdout
