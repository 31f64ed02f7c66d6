"""The data folder: held by one program at a time, private to its owner, with the passwords of its servers.

The lock is a flock on DIR/lock. It ends with the program, however that ends, so a crash leaves nothing to clear away.
"""

import fcntl
import hashlib
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

PASSWORD_BYTES = 24
SOCKET_PATH_BYTES_MAX = 100
"""A unix socket's path: 107 bytes on Linux, 103 on macOS; a little less so that both servers' names fit."""
LONGEST_SOCKET_NAME = ".s.PGSQL.5432.lock"


class FolderError(RuntimeError):
    """The data folder cannot be used; the message says why and what to do."""


class FolderBusy(FolderError):
    """Another program holds the folder."""


class Secrets(msgspec.Struct, frozen=True, kw_only=True):
    """Passwords of the embedded servers, made once a folder: PostgreSQL's superuser and roles, Valkey."""

    superuser: str
    kopeck_gateway: str
    kopeck_services: str
    kopeck_reader: str
    valkey: str
    kopeck_portal: str = ""
    """Empty in the file of a folder that is older than the portal: read_or_make_secrets makes it then."""

    def __repr__(self) -> str:
        """Show no password."""
        return "Secrets(…)"


def prepare_folder(path: Path) -> Path:
    """The folder, absolute and with links resolved; made private (0700) when it is new, left as it is otherwise.

    Raises FolderError when it belongs to another user or others may write in it.
    """
    folder = path.resolve()
    if not folder.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.stat()
    if found.st_uid != os.geteuid():
        raise FolderError(
            f"{folder} belongs to the user with id {found.st_uid} and this program runs as {os.geteuid()}: "
            "run it as the folder's owner, or name another folder with --data"
        )
    if found.st_mode & 0o022:
        raise FolderError(f"others may write in {folder}: name another folder with --data, or take that right away")
    return folder


@contextmanager
def hold_folder(path: Path) -> Iterator[Path]:
    """Hold the folder for this program; FolderBusy names the pid of the one that has it."""
    folder = prepare_folder(path)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            raise FolderBusy(
                f"{folder} is in use by another kopeck (pid {pid}): stop it, or name another folder with --data"
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        yield folder
    finally:
        os.close(descriptor)


def read_or_make_secrets(folder: Path) -> Secrets:
    """The folder's passwords; made at random when the folder is new. The caller holds the folder."""
    path = folder / "secrets.json"
    found: dict[str, str] = {}
    if path.exists():
        try:
            found = msgspec.structs.asdict(msgspec.json.decode(path.read_bytes(), type=Secrets))
        except msgspec.DecodeError as error:
            raise FolderError(f"{path} cannot be read ({error}): without it the servers' passwords are lost") from error
    made = Secrets(**{name: found.get(name) or secrets.token_hex(PASSWORD_BYTES) for name in Secrets.__struct_fields__})
    if msgspec.structs.asdict(made) != found:
        write_private(path, msgspec.json.format(msgspec.json.encode(made)))
    return made


def write_private(path: Path, content: bytes) -> None:
    """Write the file whole or not at all, readable by its owner only (0600)."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    Path(name).replace(path)


def socket_folder(folder: Path, *, make: bool = True) -> Path:
    """A private folder for unix sockets: DIR/run, or, when that path is too long for a socket, one in the temporary
    folder named after DIR, so that a later start finds the same one. ``make=False`` only names it."""
    inside = folder / "run"
    fits = len(os.fsencode(inside / LONGEST_SOCKET_NAME)) <= SOCKET_PATH_BYTES_MAX
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    chosen = inside if fits else Path(tempfile.gettempdir()) / f"kopeck-{os.geteuid()}-{name}"
    if make:
        chosen.mkdir(mode=0o700, exist_ok=True)
        found = chosen.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise FolderError(f"{chosen} is not a private folder of this user: remove it, or name a shorter path with --data")
    return chosen
