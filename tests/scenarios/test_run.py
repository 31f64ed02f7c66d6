"""``kopeck run`` as a stranger meets it: started, paid, stopped, killed and started again on one data folder."""

import asyncio
import base64
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from kopeck.embedded.clean import clean_folder
from kopeck.embedded.leftover import wait_until
from kopeck.endpoints import FILE_NAME

READY_TIMEOUT_S = 120
STOP_TIMEOUT_S = 60
PAYERS = 12
DEMO_S = 42
"""Long enough for every register to come, and for the statement to be read after it."""
SPACES = {"terminals", "sber", "bank-feed", "rbs", "tbank", "tochka", "counter", "statement"}
ROOT = Path(__file__).resolve().parents[2]
PAYMENT = {"command": "pay", "txn_id": "7001", "txn_date": "20261116120000"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("run") / "data"
    yield path
    clean_folder(path)


class Run:
    """A program started on a folder; ``screen`` is its standard output, ``log`` its standard error."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.screen, self.log = folder.with_suffix(".screen"), folder.with_suffix(".log")
        environ = {name: value for name, value in os.environ.items() if not name.startswith("KOPECK_")}
        command = [sys.executable, "-m", "kopeck", "run", "--data", str(folder), "--port", "0", "--accounts", "300", *options]
        with self.screen.open("ab") as screen, self.log.open("ab") as log:
            self.program = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=screen, stderr=log, stdin=subprocess.DEVNULL)

    def endpoints(self) -> dict[str, Any]:
        """Wait until the program serves; what it wrote down."""
        path = self.folder / FILE_NAME
        ready = wait_until(lambda: self.program.poll() is not None or self._is_served(path), timeout_s=READY_TIMEOUT_S)
        assert ready and self.program.poll() is None, self.log.read_text("utf-8")[-2000:]
        return json.loads(path.read_bytes())

    def _is_served(self, path: Path) -> bool:
        return path.exists() and json.loads(path.read_bytes())["pid"] == self.program.pid

    def stop(self) -> int:
        """Ask the program to stop; its exit code."""
        self.program.send_signal(signal.SIGTERM)
        return self.program.wait(STOP_TIMEOUT_S)


@contextmanager
def running(folder: Path, *options: str) -> Iterator[Run]:
    run = Run(folder, *options)
    try:
        yield run
    finally:
        if run.program.poll() is None:
            run.stop()


def channel(endpoints: Mapping[str, Any], kind: str) -> dict[str, Any]:
    return next(one for one in endpoints["channels"] if one["kind"] == kind)


def pay(endpoints: Mapping[str, Any], **changed: str) -> str:
    """Pay the first account of the sample through the terminals' channel; the answer's body."""
    terminals, account = channel(endpoints, "osmp"), endpoints["accounts"]["open"][0]
    total = account["total"]
    query = {**PAYMENT, "account": account["number"], "sum": f"{total // 100}.{total % 100:02d}", **changed}
    request = urllib.request.Request(f"{terminals['url']}?{urllib.parse.urlencode(query)}")
    request.headers |= authorization(terminals)
    with urllib.request.urlopen(request, timeout=10) as response:
        return response.read().decode()


def authorization(terminals: Mapping[str, Any]) -> dict[str, str]:
    credentials = f"{terminals['basic_user']}:{terminals['basic_password']}".encode()
    return {"Authorization": f"Basic {base64.b64encode(credentials).decode()}"}


def result(body: str) -> int:
    found = re.search(r"<result>(\d+)</result>", body)
    assert found is not None, body
    return int(found[1])


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as response:
        return response.read().decode()


def children(pid: int, module: str) -> list[int]:
    """Processes of one kind that a program has started."""
    shown = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,command="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in shown.splitlines()]
    return [int(row[0]) for row in rows if len(row) == 3 and int(row[1]) == pid and f"-m {module}" in row[2]]


def is_alive(pid: int) -> bool:
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout.strip()
    return bool(shown) and not shown.startswith("Z")


def test_a_payment_is_taken_and_repeated_after_a_restart(folder: Path) -> None:
    with running(folder, "--no-traffic") as first:
        endpoints = first.endpoints()
        assert folder.joinpath(FILE_NAME).stat().st_mode & 0o777 == 0o600
        assert len(endpoints["accounts"]["open"]) >= 20
        assert endpoints["accounts"]["closed"] and endpoints["accounts"]["unknown"]
        assert json.loads(fetch(endpoints["readyz"])) == {"status": "ready"}
        answer = pay(endpoints)
        assert result(answer) == 0
        assert pay(endpoints) == answer
        assert result(pay(endpoints, txn_id="7002", account=endpoints["accounts"]["unknown"][0])) == 5
        assert result(pay(endpoints, txn_id="7003", account=endpoints["accounts"]["closed"][0])) == 79
        counted = 'kopeck_payments_total{answer="recorded",channel="demo-terminals"} 1.0'
        assert wait_until(lambda: counted in fetch(endpoints["metrics"]), timeout_s=5)
        assert first.stop() == 0
        assert not folder.joinpath(FILE_NAME).exists()
    with running(folder, "--no-traffic") as second:
        endpoints = second.endpoints()
        assert pay(endpoints) == answer
        assert result(pay(endpoints, sum="1.00")) == 300
        assert second.stop() == 0


def test_a_dead_gateway_is_replaced(folder: Path) -> None:
    with running(folder, "--no-traffic", "--processes", "1") as run:
        endpoints = run.endpoints()
        (gateway,) = children(run.program.pid, "kopeck.gateway_process")
        os.kill(gateway, signal.SIGKILL)
        assert wait_until(lambda: children(run.program.pid, "kopeck.gateway_process") not in ([], [gateway]), timeout_s=30)
        assert result(pay(endpoints, txn_id="7004")) == 0
        assert run.stop() == 0


async def test_nobody_s_connection_is_reset_by_a_stop(folder: Path) -> None:
    with running(folder, "--no-traffic") as run:
        endpoints = await asyncio.to_thread(run.endpoints)
        results: Counter[str] = Counter()
        payers = [asyncio.create_task(keep_paying(endpoints, number, results)) for number in range(PAYERS)]
        await until(lambda: results["0"] > 2 * PAYERS)
        stopped = children(run.program.pid, "kopeck.gateway_process")[0]
        os.kill(stopped, signal.SIGTERM)
        await until(lambda: not is_alive(stopped))
        assert set(results) == {"0"}
        assert await asyncio.to_thread(run.stop) == 0
        await asyncio.wait_for(asyncio.gather(*payers), STOP_TIMEOUT_S)
        assert set(results) == {"0", "refused"} and results["refused"] == PAYERS


async def keep_paying(endpoints: Mapping[str, Any], number: int, results: Counter[str]) -> None:
    """Pay one account again and again, each time on a connection of its own, until nobody listens any more."""
    terminals = channel(endpoints, "osmp")
    query = {**PAYMENT, "account": endpoints["accounts"]["open"][number]["number"], "sum": "1.00"}
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector, headers=authorization(terminals)) as session:
        for turn in itertools.count():
            try:
                async with session.get(terminals["url"], params={**query, "txn_id": f"8{number:04d}{turn:06d}"}) as answer:
                    results[str(result(await answer.text()))] += 1
            except aiohttp.ClientConnectorError:
                results["refused"] += 1
                return
            except aiohttp.ClientError as error:
                results[repr(error)] += 1
                return


async def until(done: Callable[[], bool]) -> None:
    assert await asyncio.to_thread(wait_until, done, timeout_s=STOP_TIMEOUT_S)


def test_a_killed_program_held_the_folder_and_leaves_nobody_serving(folder: Path) -> None:
    with running(folder, "--no-traffic") as killed:
        endpoints = killed.endpoints()
        answer = pay(endpoints, txn_id="7005")
        command = [sys.executable, "-m", "kopeck", "run", "--data", str(folder), "--port", "0", "--no-traffic"]
        second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert second.returncode == 1
        assert f"in use by another kopeck (pid {killed.program.pid})" in second.stderr
        modules = ("kopeck.gateway_process", "kopeck.workers_process", "kopeck.intake_process")
        left = [pid for module in modules for pid in children(killed.program.pid, module)]
        assert len(left) == 4
        killed.program.kill()
        killed.program.wait(STOP_TIMEOUT_S)
        assert wait_until(lambda: not any(is_alive(pid) for pid in left), timeout_s=20)
    with running(folder, "--no-traffic", "--port", endpoints["base_url"].rpartition(":")[2]) as again:
        assert again.endpoints()["base_url"] == endpoints["base_url"]
        assert pay(again.endpoints(), txn_id="7005") == answer
        assert again.stop() == 0


def test_demo_traffic_comes_by_every_channel_balances_and_ends_by_itself(folder: Path) -> None:
    run = Run(folder, "--rate", "20", "--duration", str(DEMO_S), "--seed", "3")
    try:
        assert run.program.wait(READY_TIMEOUT_S) == 0
    finally:
        if run.program.poll() is None:
            run.stop()
    log, screen = run.log.read_text("utf-8"), run.screen.read_text("utf-8")
    assert re.search(r"traffic .*taken=[1-9]", log)
    assert "unanswered" not in log and "given_up" not in log and "not_loaded" not in log
    assert re.search(r"trial balance 0\n", screen)
    counted = dict(re.findall(r"(\S+)=([0-9]+)", screen.splitlines()[-1].partition("by space")[2].partition("|")[0]))
    assert {space for space, payments in counted.items() if int(payments)} == SPACES
    logs = [folder.joinpath(f"logs/{name}.log").read_text("utf-8").splitlines() for name in ("intake", "sandbox")]
    told = [json.loads(line) for lines in logs for line in lines]
    faults = {one["event"] for one in told if one["level"] in ("warning", "error")}
    assert faults <= {"statement_unread", "callback_unanswered"}, "the bank's network has faults, and calls go on until the end"


def test_what_the_demo_s_statement_says_is_booked_and_the_folder_verifies(folder: Path) -> None:
    lines = json.loads(command(folder, "statements", "lines", "--limit", "10000", "--json"))
    classes = Counter(one["line_class"] for one in lines)
    assert {"cover", "payment"} <= {*classes} <= {"cover", "payment", "own_order", "returned_order", "unknown"}
    assert not [one for one in lines if one["held_back"] or one["vanished"] or one["difference"]]
    assert command(folder, "verify").startswith("verified: ")


def command(folder: Path, *words: str) -> str:
    """What a command says of the folder."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("KOPECK_")}
    argv = [sys.executable, "-m", "kopeck", *words, "--data", str(folder)]
    done = subprocess.run(argv, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_secrets_stand_on_the_screen_and_in_no_log(folder: Path) -> None:
    with running(folder, "--rate", "20") as run:
        endpoints = run.endpoints()
        terminals = channel(endpoints, "osmp")
        hint = f"Pay: curl -u {terminals['basic_user']}:{terminals['basic_password']} '{terminals['url']}?command=pay"
        assert wait_until(lambda: hint in run.screen.read_text("utf-8"), timeout_s=20)
        wrong = {**terminals, "basic_password": "wrong"}
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(urllib.request.Request(terminals["url"], headers=authorization(wrong)), timeout=10)
        assert result(pay(endpoints, txn_id="7006")) == 0
        assert run.stop() == 0
    passwords = json.loads(folder.joinpath("secrets.json").read_bytes()).values()
    secrets = {one[field] for one in endpoints["channels"] for field in ("basic_password", "secret")} | {*passwords}
    secrets |= {urllib.parse.unquote(urllib.parse.urlsplit(endpoints["postgres"]).password or "")}
    secrets.discard("")
    assert len(secrets) >= 7
    logs = [run.log, *folder.glob("*.log*"), *folder.glob("logs/*")]
    assert {"gateway-0.log", "gateway-1.log", "intake.log", "workers.log", "postgres.log", "valkey.log"} <= {
        log.name for log in logs
    }
    for log in logs:
        text = log.read_text("utf-8", "replace")
        assert not [secret[:4] for secret in secrets if secret in text or urllib.parse.quote(secret, safe="") in text], log


def test_own_channels_are_served_without_the_demo(folder: Path, tmp_path: Path) -> None:
    own = tmp_path / "channels.toml"
    text = folder.joinpath("demo-channels.toml").read_text("utf-8")
    own.write_text(text.replace('name = "demo-terminals"', 'name = "own-terminals"'), "utf-8")
    with running(folder, "--channels", str(own)) as run:
        endpoints = run.endpoints()
        assert channel(endpoints, "osmp")["url"].endswith("/osmp/own-terminals")
        assert not any(one["basic_password"] or one["secret"] for one in endpoints["channels"])
        assert endpoints["accounts"]["open"] == []
        assert run.stop() == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [("[[transit]]\nowner = 1\n", "unknown field `owner`"), ("[[transit", "not TOML")],
)
def test_a_faulty_channels_file_is_told(folder: Path, tmp_path: Path, content: str, message: str) -> None:
    own = tmp_path / "channels.toml"
    own.write_text(content, "utf-8")
    run = Run(folder, "--channels", str(own))
    assert run.program.wait(STOP_TIMEOUT_S) == 1
    tail = run.log.read_text("utf-8")[-500:]
    assert message in tail and "Traceback" not in tail
