"""Removing a data folder: its leftover servers, their files under /var/lib/kopeck, the folder itself."""

import shutil
from pathlib import Path

from kopeck.embedded.folder import FolderError, hold_folder, socket_folder
from kopeck.embedded.place import system_places
from kopeck.embedded.postgres import stop_cluster_leftover
from kopeck.embedded.valkey import stop_valkey_leftover


def clean_folder(path: Path) -> tuple[Path, ...]:
    """Stop what still runs on the folder and remove it with everything it holds; the removed folders.

    Raises FolderBusy while a program holds it, FolderError when it is not a data folder of ours. Does nothing when there
    is no such folder and nothing of it elsewhere.
    """
    folder = path.absolute()
    removed = system_places(folder)
    if folder.exists():
        if not folder.joinpath("lock").exists():
            raise FolderError(f"{folder} is not a data folder of kopeck (it has no lock file): nothing was removed")
        with hold_folder(folder):
            stop_cluster_leftover(folder / "postgres" / "cluster")
            stop_valkey_leftover(folder / "valkey")
            removed += [sockets for sockets in (socket_folder(folder),) if not sockets.is_relative_to(folder)]
        removed.append(folder)
    for place in system_places(folder):
        stop_cluster_leftover(place / "base" / "cluster")
    for place in removed:
        shutil.rmtree(place)
    return tuple(removed)
