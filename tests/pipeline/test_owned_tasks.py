"""A task of a gateway process that ends by a bug is told of, and the process with it: in order, for another to take over."""

import asyncio
import json
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import cast

import asyncpg
import msgspec
import pytest
from structlog.testing import capture_logs

from gateway import cache, metrics, stations, submission
from gateway.owned_tasks import TaskFailed
from kopeck.embedded.servers import Connections, Servers
from kopeck.endpoints import FILE_NAME, Endpoints
from kopeck.gateway_process import GatewayOrders
from kopeck.running import House, keep_house
from kopeck.supervisor import ChildSpec, Supervisor, open_listener
from tests.pipeline.conftest import Gateway, Town
from tests.pipeline.proof import BOOKED, TRY_AGAIN, Terminal, assert_sound, assert_told_truly, until, with_deadline

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 30


@pytest.mark.parametrize(
    ("task", "module", "period"),
    [
        ("notify", stations, "NOTIFY_EVERY_S"),
        ("overdue", submission, "OVERDUE_POLL_S"),
        ("write-behind", cache, "WRITE_EVERY_S"),
        ("tally", metrics, "FLUSH_EVERY_S"),
    ],
)
async def test_a_task_beside_the_hot_path_ends_the_process_in_order(
    stopping: "Stopping", monkeypatch: pytest.MonkeyPatch, task: str, module: ModuleType, period: str
) -> None:
    # No number of seconds: the task's next turn is an error that nobody foresaw.
    error = await stopping.after(lambda: monkeypatch.setattr(module, period, None), task)
    assert isinstance(error, TypeError) and error.__traceback__ is not None


async def test_the_batcher_s_end_leaves_nobody_without_an_answer(stopping: "Stopping", monkeypatch: pytest.MonkeyPatch) -> None:
    error = await stopping.after(lambda: monkeypatch.setattr(submission.SubmissionQueue, "_longest_waiting", None), "batcher")
    assert isinstance(error, TypeError) and error.__traceback__ is not None


class Stopping:
    """A gateway with payments under way in which something breaks."""

    def __init__(self, town: Town, owner: asyncpg.Connection, redis_url: str):
        self._town = with_deadline(town, 2.0)
        self._owner = owner
        self._redis_url = redis_url

    async def after(self, breaking: Callable[[], None], task: str) -> BaseException:
        """Break it; the error of the one task that ended, once everybody has a true answer and the process has ended."""
        with capture_logs() as lines, pytest.raises(TaskFailed, match=task):
            async with Gateway(self._town.settings(self._redis_url)) as gateway:
                terminal = Terminal(gateway.session)
                assert await terminal.pay_once("1", "1001", "1.00") == BOOKED
                breaking()
                paying = [asyncio.create_task(terminal.pay_once(str(key), "1001", "1.00")) for key in range(2, 30)]
                assert set(await asyncio.gather(*paying)) <= {BOOKED, TRY_AGAIN}
                await asyncio.wait_for(gateway.wait_ended(), TIMEOUT_S)
        assert terminal.resets == 0
        await assert_told_truly(self._owner, terminal.answers)
        await assert_sound(self._owner, self._town)
        (ended,) = [line for line in lines if line["event"] == "task.ended"]
        assert (ended["task"], ended["log_level"]) == (task, "error")
        error = ended["exc_info"]
        assert isinstance(error, BaseException)
        return error


@pytest.fixture
def stopping(town: Town, owner: asyncpg.Connection, redis_url: str) -> Stopping:
    return Stopping(town, owner, redis_url)


async def test_the_supervisor_puts_a_fresh_process_in_its_place(town: Town, redis_url: str, tmp_path: Path) -> None:
    listener = await open_listener("127.0.0.1", 0)
    orders = GatewayOrders(gateway=town.settings(redis_url), listener_fd=listener.fileno(), log_level="info")
    spec = ChildSpec(
        name="gateway-0",
        module="tests.pipeline.dying_gateway",
        settings=msgspec.json.encode(orders),
        environ={**os.environ, "PYTHONPATH": str(ROOT)},
        log=tmp_path / "gateway-0.log",
        pass_fds=(listener.fileno(),),
    )
    supervisor = Supervisor([spec])

    async def started_again() -> None:
        await until(_has_started_twice, TIMEOUT_S)

    async def _has_started_twice() -> bool:
        return supervisor.children[0].starts >= 2

    with capture_logs() as lines, closing(listener):
        await supervisor.run(started_again)
    assert lines[0]["event"] == "child_ended" and lines[0]["code"] == 1
    told = [json.loads(line) for line in spec.log.read_text("utf-8").splitlines()]
    ended = next(line for line in told if line["event"] == "task.ended")
    assert (ended["task"], ended["level"]) == ("notify", "error")
    assert ended["exception"].startswith("Traceback") and "TypeError" in ended["exception"]


class BrokenServers:
    """Embedded servers that cannot even be looked after."""

    def restart_dead(self) -> tuple[str, ...]:
        raise LookupError("a bug of the watch")


async def test_a_run_that_cannot_look_after_its_servers_ends_in_order(town: Town, redis_url: str, tmp_path: Path) -> None:
    connections = Connections(
        owner_dsn=town.database.owner_dsn,
        gateway_dsn=town.database.gateway_dsn,
        services_dsn=town.database.services_dsn,
        reader_dsn=town.database.reader_dsn,
        redis_url=redis_url,
    )
    house = House(
        folder=tmp_path, host="127.0.0.1", port=0, processes=1, books=1, log_level="info",
        connections=connections, channels=town.channels,
    )  # fmt: skip
    stop = asyncio.Event()

    async def beside(_endpoints: Endpoints, _supervisor: Supervisor, stopping: asyncio.Event) -> None:
        await stopping.wait()

    with pytest.raises(ExceptionGroup) as raised:
        await asyncio.wait_for(keep_house(house, cast(Servers, BrokenServers()), stop, beside), TIMEOUT_S)
    assert raised.group_contains(LookupError, match="a bug of the watch")
    assert not tmp_path.joinpath(FILE_NAME).exists()
