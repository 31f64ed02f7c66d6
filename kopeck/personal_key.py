"""The key of personal data: payers' names and purposes of bank lines are sealed with it (services/sealing.py, 152-ФЗ).

A file of hexadecimal keys, one a line, the newest first; never in the database, so that a copy of the database shows nobody.
The embedded house has one in its data folder, made at the first use; elsewhere KOPECK_PERSONAL_KEY_FILE names it. Whoever loses
the file has erased what was sealed with it: keep a copy apart from the database's.
"""

import os
import re
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

from kopeck.config import Config, ConfigError
from services.sealing import KEY_BYTES, Sealer

FILE_NAME = "personal.key"

_KEY = re.compile(rf"[0-9a-f]{{{2 * KEY_BYTES}}}", re.ASCII)


def personal_sealer(config: Config) -> Sealer:
    """Return what seals and unseals personal data; raises ConfigError when there is no usable key."""
    return Sealer(tuple([bytes.fromhex(key) for key in personal_keys(config)]))


def personal_keys(config: Config) -> tuple[str, ...]:
    """Return the keys of personal data, hexadecimal, the newest first; raises ConfigError when there is no usable one."""
    path = Path(config.personal_key_file) if config.personal_key_file else config.data_dir / FILE_NAME
    if not path.exists():
        if config.personal_key_file or config.postgres_dsn:
            raise ConfigError(
                f"KOPECK_PERSONAL_KEY_FILE: {path} is not there: name a file with {2 * KEY_BYTES} hexadecimal digits, "
                "kept apart from the database"
            )
        _make(path)
    try:
        lines = path.read_text("ascii").split()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the key of personal data cannot be read from {path} ({type(error).__name__})") from error
    if not lines or not all(_KEY.fullmatch(line) for line in lines):
        raise ConfigError(f"{path} must hold keys of {2 * KEY_BYTES} hexadecimal digits, one a line, the newest first")
    return tuple(lines)


def _make(path: Path) -> None:
    """Make the key unless another process was quicker: written whole, then given its name, which only one can."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{secrets.token_hex(KEY_BYTES)}\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(name, path)
    finally:
        os.unlink(name)
