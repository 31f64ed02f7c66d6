"""Memory of processes and their descendants, from /proc: each page counted once (PSS); nothing where there is no /proc."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from loadtests.cpu import PROC, parent_of

INTERVAL_S = 0.5
KIB = 1_024


class Peak:
    """The most that each side took at one time, in bytes, and both together."""

    def __init__(self) -> None:
        self.python = self.postgres = self.together = 0


def pss_bytes(pid: int) -> int:
    """The process's share of the memory it uses; 0 when it is gone or cannot be seen."""
    try:
        lines = PROC.joinpath(str(pid), "smaps_rollup").read_text("ascii", "replace").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * KIB for line in lines if line.startswith("Pss:")), 0)


def descendants(root: int) -> Mapping[int, str]:
    """The process and all that it started, directly or not, with their names."""
    names = {int(entry.name): _name(entry) for entry in PROC.iterdir() if entry.name.isdecimal()} if PROC.is_dir() else {}
    parents = {pid: parent_of(pid) for pid in names}
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return {pid: names.get(pid, "") for pid in found}


@contextmanager
def watch_memory(root: int) -> Iterator[Peak]:
    """Keep the peak of a process and its descendants until the block ends; those named postgres stand apart."""
    peak, stop = Peak(), Event()

    def watch() -> None:
        while not stop.wait(INTERVAL_S):
            _look(root, peak)

    thread = Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()
        _look(root, peak)


def _look(root: int, peak: Peak) -> None:
    of_python = of_postgres = 0
    for pid, name in descendants(root).items():
        if name == "postgres":
            of_postgres += pss_bytes(pid)
        else:
            of_python += pss_bytes(pid)
    peak.python = max(peak.python, of_python)
    peak.postgres = max(peak.postgres, of_postgres)
    peak.together = max(peak.together, of_python + of_postgres)


def _name(entry: Path) -> str:
    try:
        return entry.joinpath("comm").read_text("utf-8", "replace").strip()
    except OSError:
        return ""
