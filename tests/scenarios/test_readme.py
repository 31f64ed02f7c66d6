"""README's commands run: its shell blocks in order, against a small town served as `make run` serves it."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kopeck.embedded.clean import clean_folder
from kopeck.embedded.leftover import wait_until

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
SHELL_BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
MAKE_TARGETS = sorted({one or other for one, other in re.findall(r"^    make ([a-z]+)|`make ([a-z]+)`", README, re.MULTILINE)})
READY_S = 180


def test_every_make_target_named_exists() -> None:
    assert {"run", "test", "check", "bench"} <= set(MAKE_TARGETS)
    for target in MAKE_TARGETS:
        made = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stderr


def test_every_file_named_exists() -> None:
    named = re.findall(r"\]\(([a-zA-Z0-9_./-]+)\)", README)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.skipif(shutil.which("curl") is None, reason="README's commands need curl, and there is none here")
def test_the_shell_blocks_run_in_order(tmp_path: Path) -> None:
    assert len(SHELL_BLOCKS) >= 3
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    unset = {name: value for name, value in os.environ.items() if name != "KOPECK_DATA"}
    environ = unset | {"PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = [sys.executable, "-m", "kopeck", "run", "--data", ".data", "--port", "0", "--accounts", "300", "--no-traffic"]
    log = tmp_path / "run.log"
    with log.open("wb") as output:
        running = subprocess.Popen(command, cwd=tmp_path, env=environ, stdout=output, stderr=output)
    try:
        wait_until(lambda: (tmp_path / ".data/endpoints.json").exists() or running.poll() is not None, timeout_s=READY_S)
        assert running.poll() is None, log.read_text("utf-8")
        script = "set -euo pipefail\n" + "\n".join(SHELL_BLOCKS)
        done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=READY_S)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("<result>0</result>") == 2
        assert "2026112401" in done.stdout
    finally:
        running.send_signal(signal.SIGTERM)
        assert running.wait(READY_S) == 0
        clean_folder(tmp_path / ".data")
