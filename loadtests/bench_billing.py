"""How fast a month is calculated, by the plain engine and by the columnar one; and whether they say the same.

``python -m loadtests.bench_billing [--accounts N] [--services K] [--houses-at-once N] [--pack]``: ordinary houses of a hundred
accounts; from input frames to lines, nothing read and nothing written. ``--pack`` packs the explanations too.
``python -m loadtests.bench_billing --houses N --compare``: random, rare and ordinary houses by turns, every field of every line.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator

import msgspec

from loadtests.billing_ordinary import FLATS, SERVICES, ordinary_house
from loadtests.billing_rarities import rare_house
from loadtests.billing_town import random_house
from loadtests.memory import pss_bytes
from services.billing.columnar.engine import Town, calculate_town
from services.billing.columnar.frames import TownFrames
from services.billing.columnar.months import frames_of
from services.billing.columnar.packing import pack_explanations
from services.billing.core.engine import calculate_house
from services.billing.core.month import HouseMonth

MADE = 4
"""Batches that are made and calculated again and again: making houses takes longer than calculating them."""
PLAIN_HOUSES = 40
COMPARED_AT_ONCE = 100
MIB = 2**20


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds on the clock and of CPU, lines, and the process's memory at its most, MiB."""

    seconds: float
    cpu: float
    accounts: int
    lines: int
    memory: int

    @property
    def rate(self) -> float:
        """Accounts a second."""
        return self.accounts / self.seconds


def mixed_house(seed: int, place: int) -> HouseMonth:
    """Return a house of the three towns by turns."""
    if place % 3 == 0:
        return random_house(seed, place)
    return rare_house(seed, place) if place % 3 == 1 else ordinary_house(seed, place, flats=12)


def disagreements(months: list[HouseMonth]) -> tuple[list[str], Town]:
    """Return the houses on which the engines differ, and the columnar engine's town."""
    town = calculate_town(frames_of(months))
    by_house: dict[int, list[object]] = {number: [] for number in range(len(months))}
    for house, line in town.charge_lines():
        by_house[house].append(line)
    return [month.house for number, month in enumerate(months) if tuple(by_house[number]) != calculate_house(month)], town


def compare(houses: int, seed: int) -> int:
    """Compare so many houses; the exit code."""
    lines, plain = 0, 0
    differing: list[str] = []
    for start in range(0, houses, COMPARED_AT_ONCE):
        months = [mixed_house(seed, place) for place in range(start, min(start + COMPARED_AT_ONCE, houses))]
        found, town = disagreements(months)
        lines, plain, differing = lines + town.lines.height, plain + len(town.plain) + len(town.failed), differing + found
    print(f"{houses} houses, {lines} lines, {plain} houses left to the plain engine; differing: {len(differing)}")
    print(*differing[:20], sep="\n", end="\n" if differing else "")
    return 1 if differing else 0


def batches(accounts: int, houses_at_once: int, services: int, seed: int) -> Iterator[TownFrames]:
    """Yield batches of ordinary houses until there are so many accounts."""
    made = [
        frames_of([ordinary_house(seed, number * houses_at_once + place, services=services) for place in range(houses_at_once)])
        for number in range(min(MADE, -(-accounts // (houses_at_once * FLATS))))
    ]
    for number in range(-(-accounts // (houses_at_once * FLATS))):
        yield made[number % len(made)]


def measure(accounts: int, houses_at_once: int, services: int, seed: int, *, pack: bool) -> Measured:
    """Calculate so many accounts in columns."""
    seconds, cpu, lines, done, memory = 0.0, 0.0, 0, 0, 0
    for frames in batches(accounts, houses_at_once, services, seed):
        started, spent = time.perf_counter(), time.process_time()
        town = calculate_town(frames)
        if pack:
            pack_explanations(town.lines, town.shapes)
        seconds, cpu = seconds + time.perf_counter() - started, cpu + time.process_time() - spent
        lines, done = lines + town.lines.height, done + frames.shares.height
        memory = max(memory, pss_bytes(os.getpid()) // MIB)
        assert not town.plain and not town.failed, "ordinary houses need no plain engine"
    return Measured(seconds=seconds, cpu=cpu, accounts=done, lines=lines, memory=memory)


def measure_plain(services: int, seed: int) -> Measured:
    """Calculate a few of the same houses by the plain engine."""
    months = [ordinary_house(seed, place, services=services) for place in range(PLAIN_HOUSES)]
    started, spent = time.perf_counter(), time.process_time()
    lines = sum(len(calculate_house(month)) for month in months)
    return Measured(
        seconds=time.perf_counter() - started,
        cpu=time.process_time() - spent,
        accounts=PLAIN_HOUSES * FLATS,
        lines=lines,
        memory=pss_bytes(os.getpid()) // MIB,
    )


def main() -> int:
    """Print what was asked for; 1 when the engines differ."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.bench_billing")
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--services", type=int, default=len(SERVICES), choices=range(1, len(SERVICES) + 1))
    parser.add_argument("--houses-at-once", type=int, default=200)
    parser.add_argument("--pack", action="store_true")
    parser.add_argument("--houses", type=int, default=1_000)
    parser.add_argument("--compare", action="store_true")
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    if asked.compare:
        return compare(asked.houses, asked.seed)
    plain = measure_plain(asked.services, asked.seed)
    columnar = measure(asked.accounts, asked.houses_at_once, asked.services, asked.seed, pack=asked.pack)
    for name, one in (("plain", plain), ("columnar", columnar)):
        print(
            f"{name:9} {one.accounts:>9} accounts {one.lines:>9} lines {one.seconds:7.1f} s {one.cpu:7.1f} s CPU"
            f" {one.rate:9.0f} accounts/s {one.memory:6} MiB"
        )
    cpu = (plain.cpu / plain.accounts) / (columnar.cpu / columnar.accounts)
    print(f"columnar to plain: {columnar.rate / plain.rate:.1f} by the clock, {cpu:.1f} by CPU")
    return 0


if __name__ == "__main__":
    sys.exit(main())
