"""Removing what the program put into a data folder: its servers, their files here and under /var/lib/kopeck."""

import os
import shutil
from pathlib import Path

from kopeck.embedded.folder import FolderError, hold_folder, socket_folder
from kopeck.embedded.place import SYSTEM_FOLDER, system_places
from kopeck.embedded.postgres import stop_cluster_leftover
from kopeck.embedded.valkey import stop_valkey_leftover

OWN_NAMES = (
    "endpoints.json",
    "demo-channels.toml",
    "town",
    "sandbox",
    "acquirers",
    "registers",
    "signer",
    "logs",
    "servers.json",
    "metrics",
    "postgres",
    "postgres.log",
    "postgres.log.1",
    "valkey",
    "valkey.log",
    "run",
    "secrets.json",
    "portal.json",
    "personal.key",
    "lock",
)
"""Everything that is ours in a data folder, the lock last; whatever else stands there is left."""


def clean_folder(path: Path) -> tuple[Path, ...]:
    """Stop what still runs on the folder and remove what is ours, the folder too when nothing else is in it.

    Returns the removed paths: none when there is no such folder and nothing of it elsewhere. Raises FolderBusy while a
    program holds it, FolderError when it is not a data folder of ours.
    """
    folder = path.resolve()
    removed: list[Path] = []
    if folder.exists():
        if not folder.joinpath("lock").exists():
            raise FolderError(f"{folder} is not a data folder of kopeck (it has no lock file): nothing was removed")
        with hold_folder(folder):
            stop_cluster_leftover(folder.joinpath("postgres").resolve() / "cluster")
            stop_valkey_leftover(folder / "valkey")
            removed += [_remove(place) for place in _places_of(folder)]
            removed += [_remove(folder / name) for name in OWN_NAMES if os.path.lexists(folder / name)]
        if not any(folder.iterdir()):
            folder.rmdir()
            removed.append(folder)
    removed += [_remove(place) for place in _places_of(folder)]
    return tuple(removed + [_remove(copy) for copy in _unused_copies()])


def _places_of(folder: Path) -> list[Path]:
    """Places outside the folder, their servers stopped."""
    places = system_places(folder)
    for place in places:
        stop_cluster_leftover(place / "base" / "cluster")
    sockets = socket_folder(folder, make=False)
    return [*places, *([sockets] if sockets.exists() and not sockets.is_relative_to(folder) else [])]


def _unused_copies() -> list[Path]:
    """Copies of PostgreSQL's programs, once no data folder has its files beside them."""
    return [] if any(SYSTEM_FOLDER.glob("*/folder")) else sorted(SYSTEM_FOLDER.glob("postgres-*"))


def _remove(path: Path) -> Path:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
    return path
