"""What workers do in the tests of spreading: importable by name, so that another process finds it."""

import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from loadtests.billing_town import random_house
from services.billing.columnar.engine import calculate_town
from services.billing.columnar.months import frames_of

SEED = 3
Told = tuple[int, tuple[tuple[str, str], ...]]


def charged(houses: tuple[str, ...]) -> Told:
    """Read the houses, calculate them, and tell (own pid, (house, digest of its lines) of each)."""
    months = [random_house(SEED, int(house), 6) for house in houses]
    town = calculate_town(frames_of(months))
    lines: dict[int, list[str]] = {}
    for house, line in town.charge_lines():
        lines.setdefault(house, []).append(repr(line))
    digests = [sha256("".join(lines.get(number, ())).encode()).hexdigest() for number in range(len(houses))]
    return os.getpid(), tuple(zip(houses, digests, strict=True))


def dying_always(houses: tuple[str, ...]) -> Told:
    """Die without a word."""
    os._exit(1)


def dying_once(folder: str) -> Callable[[tuple[str, ...]], Told]:
    """Return the task, whose first worker for house «0» dies without a word."""
    return _Dying(folder)


class _Dying:
    def __init__(self, folder: str) -> None:
        self.mark = Path(folder) / "died"

    def __call__(self, houses: tuple[str, ...]) -> Told:
        if "0" in houses and not self.mark.exists():
            self.mark.write_text(str(os.getpid()), "utf-8")
            os._exit(1)
        return charged(houses)


class Held:
    """The task, whose batch with house «0» tells its worker's pid to ``folder``/pid, a pipe, and waits there to be killed."""

    def __init__(self, folder: str) -> None:
        self.mark = Path(folder) / "held"
        self.pipe = Path(folder) / "pid"

    def __call__(self, houses: tuple[str, ...]) -> Told:
        if "0" in houses and not self.mark.exists():
            self.mark.touch()
            self.pipe.write_text(str(os.getpid()), "utf-8")
            # For good: only death ends it.
            os.read(os.pipe()[0], 1)
        return charged(houses)
