"""Processes of one run: the parent starts them, tells them their settings, restarts the dead and stops all in order.

A child's standard input is its lifeline: the first line is its settings (secrets never stand in an argument list), and
the end of file means that the parent is gone, however it went, upon which the child stops by itself. A child's standard
output carries one line, ``ready``; everything it has to tell people goes to its log.
"""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
import structlog

READY = b"ready\n"
BACKLOG = 1024
STOP_TIMEOUT_S = 40
"""How long a stopping child may finish what it accepted before it is killed."""
BIND_TIMEOUT_S = 10
BIND_POLL_S = 0.1

_log = structlog.get_logger("kopeck.supervisor")


class ListenError(RuntimeError):
    """The address cannot be listened on."""


class ChildFailed(RuntimeError):
    """A child has never become ready; the message names its log."""


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of the supervisor.

    A child that dies is started again after a delay that doubles from ``restart_ms_min`` to ``restart_ms_max``; one that lived
    ``steady_s``, at once. One that ends ``starts_max`` times without ever becoming ready is given up.
    """

    restart_ms_min: int = 250
    restart_ms_max: int = 15_000
    steady_s: int = 30
    starts_max: int = 8
    stop_timeout_s: int = STOP_TIMEOUT_S


class ChildSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a child is started from; ``settings`` is one line of JSON, ``pass_fds`` are inherited under their numbers.

    Children are stopped in the order of ``stopped``, those of one number together.
    """

    name: str
    module: str
    settings: bytes
    environ: dict[str, str]
    log: Path
    pass_fds: tuple[int, ...] = ()
    stopped: int = 0

    def __repr__(self) -> str:
        """Name the child without its secrets."""
        return f"ChildSpec({self.name!r})"


class Child:
    """One process that is kept running until it is told to stop."""

    def __init__(self, spec: ChildSpec, ended: Callable[[int], None], patience: Patience) -> None:
        self.spec = spec
        self._patience = patience
        self._was_ready = False
        self.ready = asyncio.Event()
        self.starts = 0
        self.pid = 0
        self._ended = ended
        self._process: Process | None = None
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Keep the process running; returns after ``stop`` once it has ended, raises ChildFailed when it never gets ready."""
        failures = 0
        while not self._stopping.is_set():
            began = asyncio.get_running_loop().time()
            code = await self._run_once()
            if self._stopping.is_set():
                break
            steady = asyncio.get_running_loop().time() - began >= self._patience.steady_s
            failures = 0 if steady else failures + 1
            if failures >= self._patience.starts_max and not self._was_ready:
                raise ChildFailed(f"{self.spec.name} cannot be started (exit code {code}); its log: {self.spec.log}")
            await self._wait_before_restart(code, failures)

    async def _wait_before_restart(self, code: int, failures: int) -> None:
        patience = self._patience
        delay_ms = min(patience.restart_ms_max, patience.restart_ms_min << min(failures - 1, 8)) if failures else 0
        _log.warning("child_ended", child=self.spec.name, code=code, restart_ms=delay_ms, log=str(self.spec.log))
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), delay_ms / 1000)

    async def stop(self) -> None:
        """Ask the process to finish and wait; one that does not finish in time is killed."""
        self._stopping.set()
        process = self._process
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), self._patience.stop_timeout_s)
        except TimeoutError:
            _log.error("child_killed", child=self.spec.name, waited_s=self._patience.stop_timeout_s)
            with suppress(ProcessLookupError):
                process.kill()

    async def _run_once(self) -> int:
        with self.spec.log.open("ab") as log:
            # A session of its own: Ctrl-C reaches the parent only, which stops its children in order.
            self._process = process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", self.spec.module, stdin=PIPE, stdout=PIPE, stderr=log,
                pass_fds=self.spec.pass_fds, env=self.spec.environ, start_new_session=True,
            )  # fmt: skip
        self.starts += 1
        self.pid = process.pid
        assert process.stdin is not None and process.stdout is not None
        if self._stopping.is_set():
            process.send_signal(signal.SIGTERM)
        try:
            with suppress(BrokenPipeError, ConnectionResetError):
                process.stdin.write(self.spec.settings + b"\n")
                await process.stdin.drain()
            while line := await process.stdout.readline():
                if line == READY:
                    self._was_ready = True
                    self.ready.set()
            return await process.wait()
        finally:
            self.ready.clear()
            process.stdin.close()
            self._ended(process.pid)


class Supervisor:
    """The children of one run, started together and stopped in their order: who is called by others ends after them."""

    def __init__(
        self,
        specs: Sequence[ChildSpec],
        *,
        ended: Callable[[int], None] = lambda pid: None,
        patience: Patience | None = None,
    ) -> None:
        self.children = tuple(Child(spec, ended, patience or Patience()) for spec in specs)

    async def run(self, while_running: Callable[[], Coroutine[None, None, None]]) -> None:
        """Keep the children running while ``while_running`` runs; stop them when it ends, fails or is cancelled.

        A child that cannot be started ends the run: ``while_running`` is cancelled and ChildFailed raised.
        """
        tasks = [asyncio.create_task(child.run(), name=child.spec.name) for child in self.children]
        main = asyncio.create_task(while_running())
        try:
            await asyncio.wait((main, *tasks), return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not main.done():
                main.cancel()
            await asyncio.wait((main,))
            await self._stop()
            await asyncio.wait(tasks)
        for task in (*tasks, main):
            if not task.cancelled():
                task.result()

    async def wait_ready(self) -> None:
        """Wait until every child has said that it is ready."""
        await asyncio.gather(*(child.ready.wait() for child in self.children))

    async def _stop(self) -> None:
        for place in sorted({child.spec.stopped for child in self.children}):
            await asyncio.gather(*(child.stop() for child in self.children if child.spec.stopped == place))


async def open_listener(host: str, port: int) -> socket.socket:
    """Listen on the address; port 0 is a free one. Raises ListenError.

    An address still held by children of a program that was killed is waited for: they end by themselves.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    deadline = asyncio.get_running_loop().time() + BIND_TIMEOUT_S
    while True:
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
            listener.listen(BACKLOG)
            listener.setblocking(False)
            return listener
        except OSError as error:
            listener.close()
            if asyncio.get_running_loop().time() >= deadline:
                raise ListenError(f"cannot listen on {host}:{port}: {error.strerror}") from error
        await asyncio.sleep(BIND_POLL_S)


class Lifeline:
    """The child's end: settings from the parent, and the moment to stop."""

    def __init__(self) -> None:
        self.settings = sys.stdin.buffer.readline()
        self.stop = asyncio.Event()
        self._report = os.dup(sys.stdout.fileno())
        os.set_inheritable(self._report, False)
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def watch(self) -> None:
        """Set ``stop`` upon SIGTERM, SIGINT or the parent's end; call it in the running loop."""
        loop = asyncio.get_running_loop()
        for order in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(order, self.stop.set)
        os.set_blocking(sys.stdin.fileno(), False)
        loop.add_reader(sys.stdin.fileno(), self._read)

    def ready(self) -> None:
        """Tell the parent that the process serves."""
        with suppress(BrokenPipeError):
            os.write(self._report, READY)

    def _read(self) -> None:
        with suppress(BlockingIOError):
            if not os.read(sys.stdin.fileno(), 4096):
                loop = asyncio.get_running_loop()
                loop.remove_reader(sys.stdin.fileno())
                # Nobody is left who would kill a child that hangs while stopping.
                loop.call_later(STOP_TIMEOUT_S, os._exit, 1)
                self.stop.set()
