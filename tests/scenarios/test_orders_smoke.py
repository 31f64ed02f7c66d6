"""A tiny measurement of orders on the whole system: every payment gets its receipt and its transfer order, each once."""

import re
import subprocess
import sys

from ledger.statements import ROOT

TIMEOUT_S = 180
TOOK = r"p50 [\d.]+ms p99 [\d.]+ms max [\d.]+ms"
CANONICAL = re.compile(
    rf"kopeck-orders v1 accounts=300 creditors=4 seed=7 rate=40 seconds=2 bank=50% \| \d+/s answered {TOOK}"
    rf" \| receipt created {TOOK} \| receipt accepted {TOOK} \| transfer created {TOOK}"
    r" \| CPU us gateways \d+ workers \d+ orders \d+ postgresql \d+ till \d+ generator \d+ \| receipts=(\d+) drained \d+ms \| ok"
)


def test_a_tiny_load_has_all_its_orders() -> None:
    options = ["--accounts", "300", "--seed", "7", "--rate", "40", "--seconds", "2", "--bank", "50"]
    run = subprocess.run(
        [sys.executable, "-m", "loadtests.orders", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    found = CANONICAL.fullmatch(run.stdout.splitlines()[-1])
    assert found is not None, run.stdout
    assert 0 < int(found[1]) <= 80
