"""A run's houses spread over processes and over a local Dask cluster: the same answer as one process, whoever dies."""

import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from services.billing.columnar.spreading import (
    ATTEMPTS,
    ClusterRefused,
    Tls,
    WorkersLost,
    batches_of,
    dask_cluster,
    local_pool,
    spread,
)
from tests.billing.spread_work import Held, Told, charged, dying_always, dying_once

HOUSES = tuple(str(number) for number in range(24))
BATCHES = batches_of(HOUSES, 2)


@pytest.fixture(scope="module")
def alone() -> dict[str, str]:
    """What one process says of every house."""
    return dict(charged(HOUSES)[1])


@pytest.fixture
def cluster() -> Iterator[Any]:
    """Two workers of a Dask cluster on loopback, each a process with a nanny."""
    from distributed import LocalCluster

    with warnings.catch_warnings():
        # Dask's own: a port that is taken, sockets of a killed worker.
        warnings.simplefilter("ignore")
        with LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None, silence_logs=50
        ) as made:
            yield made


def gathered(answers: list[tuple[int, Told]]) -> dict[str, str]:
    """Every house's digest; a batch or a house that came twice fails."""
    assert sorted(number for number, _ in answers) == list(range(len(BATCHES)))
    rows = [row for _, (_, rows) in answers for row in rows]
    assert len(rows) == len(HOUSES) and len(dict(rows)) == len(HOUSES)
    return dict(rows)


def test_a_pool_of_processes_says_what_one_process_says(alone: dict[str, str]) -> None:
    answers = list(spread(local_pool(2), charged, BATCHES))
    assert gathered(answers) == alone
    assert os.getpid() not in {pid for _, (pid, _) in answers}


def test_a_pool_survives_the_death_of_a_process(alone: dict[str, str], tmp_path: Path) -> None:
    assert gathered(list(spread(local_pool(2), dying_once(str(tmp_path)), BATCHES))) == alone
    assert (tmp_path / "died").exists()


def test_workers_that_die_every_time_are_told_with_what_is_left() -> None:
    with pytest.raises(WorkersLost) as told:
        list(spread(local_pool(1), dying_always, BATCHES[:1]))
    assert told.value.left == (0,) and str(ATTEMPTS) in str(told.value)


def test_what_a_task_raises_is_raised() -> None:
    def opening() -> ThreadPoolExecutor:
        return ThreadPoolExecutor(1)

    with pytest.raises(ValueError, match="invalid literal"):
        list(spread(opening, charged, [("no number",)]))


def test_a_cluster_says_what_one_process_says(cluster: Any, alone: dict[str, str]) -> None:
    answers = list(spread(dask_cluster(cluster.scheduler_address), charged, BATCHES))
    assert gathered(answers) == alone
    assert len({pid for _, (pid, _) in answers}) == 2


def test_a_cluster_survives_the_death_of_a_worker(cluster: Any, alone: dict[str, str], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pid")

    def kill() -> int:
        pid = int((tmp_path / "pid").read_text("utf-8"))
        os.kill(pid, signal.SIGKILL)
        return pid

    with ThreadPoolExecutor(1) as beside:
        killing = beside.submit(kill)
        answers = list(spread(dask_cluster(cluster.scheduler_address), Held(str(tmp_path)), BATCHES))
    assert gathered(answers) == alone
    assert killing.result() != next(pid for number, (pid, _) in answers if number == 0)


def test_a_cluster_whose_workers_die_every_time_is_told(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.billing.columnar.spreading.ATTEMPTS", 1)
    with pytest.raises(WorkersLost) as told:
        list(spread(dask_cluster(cluster.scheduler_address), dying_always, BATCHES[:1]))
    assert told.value.left == (0,)


def test_a_cluster_of_other_machines_needs_tls() -> None:
    with pytest.raises(ClusterRefused, match="TLS"):
        dask_cluster("tcp://10.0.0.7:8786")
    assert dask_cluster("tls://10.0.0.7:8786", Tls(authority="ca.pem", certificate="c.pem", key="k.pem"))


def test_nothing_of_dask_is_imported_until_a_cluster_is_asked_for() -> None:
    module = "services.billing.columnar.spreading"
    code = f"import sys, {module} as s; s.dask_cluster('tcp://127.0.0.1:1'); print('distributed' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
