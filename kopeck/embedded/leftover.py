"""Servers left running by a program that was killed: found by their pid file, recognised by their command line.

A pid alone proves nothing, since the system gives it again; only one whose command line names our own file is
ever signalled.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

POLL_S = 0.02


class ServerError(RuntimeError):
    """An embedded server cannot be started, reached or stopped; the message says why."""


def wait_until(done: Callable[[], bool], *, timeout_s: int) -> bool:
    """Ask until ``done`` says yes; False when the time is over first."""
    deadline = time.monotonic() + timeout_s
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def read_pid(pid_file: Path) -> int | None:
    """The number in the first line of a pid file; None when there is none."""
    try:
        first = pid_file.read_text("ascii", "replace").partition("\n")[0].strip()
    except OSError:
        return None
    return int(first) if first.isascii() and first.isdigit() else None


def command_line(pid: int) -> tuple[str, ...]:
    """The arguments a live program was started with; empty when there is no such program."""
    proc = Path("/proc") / str(pid)
    if Path("/proc/self/cmdline").exists():
        try:
            line = proc.joinpath("cmdline").read_bytes().decode("utf-8", "surrogateescape")
        except OSError:
            return ()
        return tuple(part for part in line.split("\0") if part)
    shown = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return (shown.stdout.strip(),) if shown.stdout.strip() else ()


def is_running(pid: int, marks: tuple[str, ...]) -> bool:
    """Whether the pid is alive and its command line names every one of ``marks``: a program and a file of ours."""
    line = command_line(pid)
    return all(any(mark in argument for argument in line) for mark in marks)


def stop_leftover(pid_file: Path, marks: tuple[str, ...], *, gently: signal.Signals, timeout_s: int = 60) -> bool:
    """Stop the server of a pid file if it still runs and is ours; whether there was one.

    ``gently`` is the signal of an orderly stop; SIGQUIT and SIGKILL follow. Raises ServerError if it stays.
    """
    pid = read_pid(pid_file)
    if pid is None or not is_running(pid, marks):
        return False
    for order, patience_s in ((gently, timeout_s), (signal.SIGQUIT, 5), (signal.SIGKILL, 5)):
        _signal(pid, order)
        if wait_until(lambda: not is_running(pid, marks), timeout_s=patience_s):
            return True
    raise ServerError(f"the server with pid {pid}, left by an earlier run, does not stop")


def _signal(pid: int, order: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, order)
