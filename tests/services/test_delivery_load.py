"""The load of deliveries runs and proves itself; the figures are the business of a longer run."""

import re
import subprocess
import sys

from ledger.statements import ROOT

TIMEOUT_S = 120


def test_a_small_load_loses_and_doubles_nothing() -> None:
    run = [sys.executable, "-m", "loadtests.deliveries", "--count", "400", "--seed", "5"]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stderr
    assert re.match(r"deliveries: 400 orders, seed 5, .* orders/s, .* 0 lost, 0 doubled\n", done.stdout)
    assert re.search(r"faults: broken \d+, .*; [1-9]\d* workers killed", done.stdout)
