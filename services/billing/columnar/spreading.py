"""A run's houses spread over processes or machines: a batch of houses is the unit, and whoever does it reads it for himself.

The door is ``concurrent.futures.Executor``: a pool of local processes and a Dask cluster come through it alike. A batch whose
worker died is done again by another; its answer is taken once, whatever was done twice. So a task must be repeatable: a pure
calculation, or work that the database keeps once.
"""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

Result = TypeVar("Result")
Houses = tuple[str, ...]
Opening = Callable[[], AbstractContextManager[Executor]]

WAITING = 8
"""Batches handed over at once beyond those already done: a run of thousands does not stand in a scheduler's memory."""
ATTEMPTS = 3
"""Times that a batch, or a broken pool, is begun anew."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class WorkersLost(RuntimeError):
    """Workers died too often: ``left`` batches are not done; the others are."""

    def __init__(self, left: Sequence[int]) -> None:
        super().__init__(f"workers were lost {ATTEMPTS} times; batches not done: {len(left)}")
        self.left = tuple(left)


class ClusterRefused(ValueError):
    """A cluster that must not be joined, and why."""


class Tls(msgspec.Struct, frozen=True, kw_only=True):
    """Files by which cluster and client know each other: authority, own certificate, own key."""

    authority: str
    certificate: str
    key: str


def batches_of(houses: Sequence[str], size: int) -> tuple[Houses, ...]:
    """Return the houses in batches of so many."""
    return tuple([tuple(houses[start : start + size]) for start in range(0, len(houses), size)])


def spread(opening: Opening, task: Callable[[Houses], Result], batches: Sequence[Houses]) -> Iterator[tuple[int, Result]]:
    """Yield (number of the batch, answer) as they come, every batch once.

    What a task raises is raised here. Raises WorkersLost when workers die again and again.
    """
    left = dict(enumerate(batches))
    for _ in range(ATTEMPTS):
        try:
            with opening() as executor:
                for number, answer in _through(executor, task, left):
                    del left[number]
                    yield number, answer
            return
        except BrokenExecutor:
            # A local pool ends with its first dead process: what it had not answered is begun anew.
            continue
    raise WorkersLost(sorted(left))


def _through(executor: Executor, task: Callable[[Houses], Result], batches: dict[int, Houses]) -> Iterator[tuple[int, Result]]:
    waiting = list(reversed(batches.items()))
    running: dict[Future[Result], int] = {}
    while waiting or running:
        while waiting and len(running) < WAITING:
            number, houses = waiting.pop()
            running[executor.submit(task, houses)] = number
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            yield running.pop(future), future.result()


def local_pool(processes: int) -> Opening:
    """Return the door of so many processes of this machine, begun afresh: polars' threads do not survive a fork."""
    context = multiprocessing.get_context("spawn")
    return lambda: ProcessPoolExecutor(processes, mp_context=context)


def dask_cluster(address: str, tls: Tls | None = None) -> Opening:
    """Return the door of a Dask cluster by its scheduler's address; needs the extra ``cluster``.

    Raises ClusterRefused for a scheduler of another machine without TLS: whoever reaches it runs what he likes on its workers.
    """
    host = urlsplit(address).hostname or ""
    if tls is None and host not in LOOPBACK:
        raise ClusterRefused(f"{address}: a cluster of other machines is joined by TLS alone")

    @contextmanager
    def opening() -> Iterator[Executor]:
        # Heavy, not always installed, and few runs ask for it.
        distributed: Any = import_module("distributed")
        client = distributed.Client(address, security=None if tls is None else _security(distributed, tls))
        try:
            with client, client.get_executor(pure=False) as executor:
                yield executor
        except distributed.KilledWorker as error:
            # The scheduler gives a batch up that several workers died of.
            raise BrokenExecutor(str(error)) from error

    return opening


def _security(distributed: Any, tls: Tls) -> Any:
    files = {"tls_ca_file": tls.authority, "tls_client_cert": tls.certificate, "tls_client_key": tls.key}
    return distributed.Security(require_encryption=True, **files)
