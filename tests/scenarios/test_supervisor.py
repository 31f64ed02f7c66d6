"""The supervisor with small children of its own: settings by standard input, restarts, patience, order of stopping."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from kopeck.supervisor import ChildFailed, ChildSpec, ListenError, Patience, Supervisor, open_listener

QUICK = Patience(restart_ms_min=10, restart_ms_max=20, starts_max=3, stop_timeout_s=2)
TIMEOUT_S = 30
FAITHFUL = """
import asyncio
from kopeck.supervisor import Lifeline

async def main(lifeline):
    lifeline.watch()
    lifeline.ready()
    print("told", lifeline.settings.decode().strip(), flush=True)
    await lifeline.stop.wait()
    print("stopped", flush=True)

asyncio.run(main(Lifeline()))
"""
STUBBORN = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(600)
"""
BROKEN = "import sys; sys.exit('no such thing')"


@pytest.fixture
def child(tmp_path: Path) -> Callable[..., ChildSpec]:
    def make(text: str, name: str = "child") -> ChildSpec:
        module = f"supervised_{name}"
        tmp_path.joinpath(f"{module}.py").write_text(text, "utf-8")
        paths = os.pathsep.join([str(tmp_path), *sys.path])
        environ = {**os.environ, "PYTHONPATH": paths}
        return ChildSpec(name=name, module=module, settings=b'{"secret":1}', environ=environ, log=tmp_path / f"{name}.log")

    return make


async def run(supervisor: Supervisor, once_ready: Callable[[], Awaitable[None]]) -> None:
    async def while_running() -> None:
        await supervisor.wait_ready()
        await once_ready()

    async with asyncio.timeout(TIMEOUT_S):
        await supervisor.run(while_running)


async def nothing_more() -> None:
    return None


async def test_settings_come_by_standard_input_and_the_stop_is_graceful(child: Callable[..., ChildSpec]) -> None:
    spec = child(FAITHFUL)
    ended: list[int] = []
    supervisor = Supervisor([spec], ended=ended.append, patience=QUICK)
    await run(supervisor, nothing_more)
    assert spec.log.read_text("utf-8").split("\n")[:2] == ['told {"secret":1}', "stopped"]
    assert ended == [supervisor.children[0].pid]
    assert "secret" not in repr(spec)


async def test_a_child_that_dies_is_started_again(child: Callable[..., ChildSpec]) -> None:
    supervisor = Supervisor([child(FAITHFUL)], patience=QUICK)
    (one,) = supervisor.children

    async def kill_it() -> None:
        first = one.pid
        os.kill(first, 9)
        while one.pid == first or not one.ready.is_set():
            await asyncio.sleep(0.01)

    await run(supervisor, kill_it)
    assert one.starts == 2


async def test_a_child_that_never_gets_ready_ends_the_run(child: Callable[..., ChildSpec]) -> None:
    spec = child(BROKEN, "broken")
    supervisor = Supervisor([spec, child(FAITHFUL)], patience=QUICK)
    with pytest.raises(ChildFailed, match=r"broken cannot be started \(exit code 1\); its log: .*broken\.log"):
        await run(supervisor, nothing_more)
    assert supervisor.children[0].starts == QUICK.starts_max
    assert "no such thing" in spec.log.read_text("utf-8")


async def test_a_child_that_does_not_stop_is_killed(child: Callable[..., ChildSpec]) -> None:
    supervisor = Supervisor([child(STUBBORN)], patience=QUICK)
    await run(supervisor, nothing_more)
    with pytest.raises(ProcessLookupError):
        os.kill(supervisor.children[0].pid, 0)


async def test_a_failing_run_stops_its_children(child: Callable[..., ChildSpec]) -> None:
    spec = child(FAITHFUL)

    async def fail() -> None:
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        await run(Supervisor([spec], patience=QUICK), fail)
    assert spec.log.read_text("utf-8").endswith("stopped\n")


async def test_a_port_that_cannot_be_had_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kopeck.supervisor.BIND_TIMEOUT_S", 0)
    holder = await open_listener("127.0.0.1", 0)
    port = holder.getsockname()[1]
    with closing(holder), pytest.raises(ListenError, match=f"cannot listen on 127.0.0.1:{port}: "):
        await open_listener("127.0.0.1", port)
