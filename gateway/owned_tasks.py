"""The owner of the tasks that run as long as the process: none of them may end unnoticed (style rule 19)."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

log = structlog.get_logger("gateway.tasks")

END_TIMEOUT_S = 2.0
"""How long cancelled tasks may take to let go of a server that does not answer."""


class TaskFailed(RuntimeError):
    """A task ended that nobody told to: the process stopped in order and must not count as well ended."""


class OwnedTasks:
    """Starts tasks; one that ends before ``stop`` is set, or by an error whenever, is logged and sets it.

    A task of which a bug got the better is not started again here: what else the bug has spoilt nobody knows, and a fresh
    process costs its callers no more than a repeat.
    """

    def __init__(self, stop: asyncio.Event):
        self._stop = stop
        self._tasks: list[asyncio.Task[None]] = []
        self._failed: list[str] = []

    def start(self, name: str, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a coroutine as a task of this owner."""
        task = asyncio.create_task(coroutine, name=name)
        task.add_done_callback(self._ended)
        self._tasks.append(task)
        return task

    def stopping(self) -> None:
        """From now on tasks may end; what was told to stop has ended well."""
        self._stop.set()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        if error is None and self._stop.is_set():
            return
        log.error("task.ended", task=task.get_name(), exc_info=error)
        self._failed.append(task.get_name())
        self._stop.set()

    async def end(self) -> None:
        """Cancel what still runs and wait for it; raises TaskFailed when a task had ended without being told to."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=END_TIMEOUT_S)
            # Of a task that was done already the wait does not wait for its callback.
            await asyncio.sleep(0)
        if self._failed:
            raise TaskFailed(f"ended by themselves: {', '.join(self._failed)}")
