"""How many payments one core splits a second: the core alone, with the next table, and by ``kopeck split --batch``.

``python -m loadtests.bench_split [--seed N] [--splits N]``. Tables have one tier of ten lines with
seeded weights like a flat's monthly charges and an advance to one line; a third of the payments close the tier, the others
are partial; half of the tables were paid before.
"""

import argparse
import gc
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from click.testing import CliRunner

from kopeck.commands.split import split as split_command
from ledger.core.named_table import read_case, write_result
from ledger.core.split import after_split, split_amount
from schemas.allocation import AllocationTable, pack_table
from schemas.split import Designation

Case = tuple[AllocationTable, int, Designation | None]

LINES = 10
CASES = 2_000
ROUNDS = 3
"""Each figure is the best of these: the others measure the neighbours on the machine."""


def seeded_lines(seed: int) -> list[bytes]:
    """Return CASES lines of the vectors' form, the same for the same seed."""
    chance = random.Random(seed)
    return [msgspec.json.encode(_case(chance, number)) for number in range(CASES)]


def _case(chance: random.Random, number: int) -> dict[str, object]:
    weights = [chance.randrange(1_500, 300_000) for _ in range(LINES)]
    part = chance.choice((0, chance.randrange(10, 90)))
    paid = [weight * part // 100 for weight in weights]
    unpaid = sum(weights) - sum(paid)
    amount = chance.choice((unpaid, unpaid * chance.randrange(10, 90) // 100, chance.randrange(1, unpaid)))
    lines = [
        {"recipient": f"R{place:02d}", "service": "service", "weight": weight, "paid": done}
        for place, (weight, done) in enumerate(zip(weights, paid, strict=True))
    ]
    tier = {"creditor": "R00", "period": "2026-10", "pool": "main", "kind": "principal", "designated_only": False, "lines": lines}
    table = {
        "personal_account": str(100_000 + number),
        "version": number % 7,
        "per_service_payment": False,
        "totals": [{"amount": sum(weights), "tiers": [0]}],
        "tiers": [tier],
        "advance": {"rule": "to_line", "line": {"recipient": "R00", "service": "advance"}},
    }
    return {"table": table, "payment": {"amount": amount, "designation": None}}


def per_second(work: Callable[[], None], units: int) -> int:
    """Return the best of ROUNDS: units of work a second of this process's CPU time."""
    best = None
    for _ in range(ROUNDS):
        started = time.process_time_ns()
        work()
        spent = time.process_time_ns() - started
        best = spent if best is None else min(best, spent)
    return units * 1_000_000_000 // max(1, best or 1)


def measure(lines: list[bytes], repeats: int) -> dict[str, int]:
    """Return the figures by name; ``repeats`` is how often the cases are gone through."""
    cases: list[Case] = [read_case(line) for line in lines]
    units = len(cases) * repeats

    def split_only() -> None:
        for _ in range(repeats):
            for table, amount, designation in cases:
                split_amount(table, amount, designation)

    def split_and_pack() -> None:
        for _ in range(repeats):
            for table, amount, designation in cases:
                pack_table(after_split(table, split_amount(table, amount, designation)))

    def read_split_write() -> None:
        for _ in range(repeats):
            for line in lines:
                write_result(split_amount(*read_case(line)))

    return {
        "split_amount": per_second(split_only, units),
        "split_amount+after_split+pack_table": per_second(split_and_pack, units),
        "read_case+split_amount+write_result": per_second(read_split_write, units),
        "kopeck split --batch": _batch_per_second(lines, repeats),
    }


def _batch_per_second(lines: list[bytes], repeats: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "batch.jsonl"
        path.write_bytes((b"\n".join(lines) + b"\n") * repeats)

        def batch() -> None:
            result = CliRunner().invoke(split_command, ["--batch", str(path)])
            if result.exit_code != 0 or result.stdout_bytes.count(b"\n") != len(lines) * repeats:
                raise SystemExit("the batch did not split every line")

        return per_second(batch, len(lines) * repeats)


def main() -> None:
    """Print one figure a line: name, then units a second of one core."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--splits", type=int, default=100_000, help="splits a figure (rounded down to whole sets of cases)")
    options = parser.parse_args()
    lines = seeded_lines(options.seed)
    gc.collect()
    gc.freeze()
    for name, figure in measure(lines, max(1, options.splits // CASES)).items():
        sys.stdout.write(f"{name}: {figure:,} a second\n")


if __name__ == "__main__":
    main()
