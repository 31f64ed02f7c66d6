"""CPU time of processes and of all their descendants, from /proc; nothing where there is no /proc."""

import os
from collections.abc import Iterable
from pathlib import Path

PROC = Path("/proc")
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")

_PARENT = 1
_TIMES = slice(11, 15)
"""utime, stime, and the same of children waited for: fields after the command in /proc/PID/stat (proc(5))."""


def parent_of(pid: int) -> int:
    """The parent's pid; 0 when the process is gone or cannot be seen."""
    fields = _fields(pid)
    return int(fields[_PARENT]) if fields else 0


def cpu_ms(roots: Iterable[int]) -> int:
    """Milliseconds of CPU spent so far by the processes, their ended children and their living descendants."""
    seen = {int(entry.name): fields for entry in _entries() if (fields := _fields(int(entry.name)))}
    children: dict[int, list[int]] = {}
    for pid, fields in seen.items():
        children.setdefault(int(fields[_PARENT]), []).append(pid)
    waiting, ticks = [pid for pid in roots if pid in seen], 0
    while waiting:
        pid = waiting.pop()
        ticks += sum(map(int, seen[pid][_TIMES]))
        waiting += children.get(pid, [])
    return ticks * 1_000 // TICKS_A_SECOND


def _entries() -> list[Path]:
    return [entry for entry in PROC.iterdir() if entry.name.isdecimal()] if PROC.is_dir() else []


def _fields(pid: int) -> list[str]:
    """What stands after the command's closing bracket; the command itself may hold spaces and brackets."""
    try:
        return PROC.joinpath(str(pid), "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return []
