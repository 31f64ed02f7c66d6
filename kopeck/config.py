"""Configuration: one frozen value read once from the environment, its relations checked at start (style rule 17).

Every variable is in ``VARIABLES``; an unknown ``KOPECK_…`` variable is an error, so that a misspelt one cannot be
silently ignored. Command options are given as keywords and win over the environment.
"""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

VARIABLES = {
    "KOPECK_DATA": "data_dir",
    "KOPECK_POSTGRES_DSN": "postgres_dsn",
    "KOPECK_POSTGRES_GATEWAY_DSN": "postgres_gateway_dsn",
    "KOPECK_POSTGRES_SERVICES_DSN": "postgres_services_dsn",
    "KOPECK_POSTGRES_READER_DSN": "postgres_reader_dsn",
    "KOPECK_POSTGRES_PORTAL_DSN": "postgres_portal_dsn",
    "KOPECK_POSTGRES_OS_USER": "postgres_os_user",
    "KOPECK_REDIS_URL": "redis_url",
    "KOPECK_HOST": "host",
    "KOPECK_PORT": "port",
    "KOPECK_PORTAL_PORT": "portal_port",
    "KOPECK_GATEWAYS": "gateways",
    "KOPECK_BOOKS": "books",
    "KOPECK_LOG_LEVEL": "log_level",
    "KOPECK_PERSONAL_KEY_FILE": "personal_key_file",
}
"""Environment variable -> field of Config."""

LOG_LEVELS = ("debug", "info", "warning", "error")
GATEWAYS_MAX = 64
BOOKS_MAX = 1024
PORT_MAX = 65535


class ConfigError(ValueError):
    """The configuration cannot be used; the message names every variable or option at fault, one a line."""


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is chosen from outside.

    ``data_dir`` holds the embedded servers and what the program writes for scripts. The ``postgres_…dsn`` fields are
    empty for the embedded server; ``postgres_dsn`` is the ledger's owner, who migrates. ``postgres_os_user`` is the
    unprivileged account that runs the embedded PostgreSQL when the program is root. ``gateways`` is the number of
    gateway processes on one port; ``books`` (design W4) is used only when a ledger is created. Port 0 is a free one.
    ``portal_port`` -1: the port after ``port``, or a free one where that is 0.
    ``personal_key_file`` holds the keys of personal data (kopeck/personal_key.py), empty for one in the data folder.
    """

    data_dir: Path = Path(".data")
    postgres_dsn: str = ""
    postgres_gateway_dsn: str = ""
    postgres_services_dsn: str = ""
    postgres_reader_dsn: str = ""
    postgres_portal_dsn: str = ""
    postgres_os_user: str = "nobody"
    redis_url: str = ""
    host: str = "127.0.0.1"
    port: int = 8040
    portal_port: int = -1
    gateways: int = 1
    books: int = 1
    log_level: str = "info"
    personal_key_file: str = ""

    def __repr__(self) -> str:
        """Name the folder and the servers without their passwords."""
        postgres = "embedded" if not self.postgres_dsn else "given"
        redis = "embedded" if not self.redis_url else "given"
        return f"Config(data_dir={str(self.data_dir)!r}, postgres={postgres}, redis={redis}, port={self.port})"

    @property
    def portal_port_chosen(self) -> int:
        """The port that the portal listens on; 0 for a free one."""
        if self.portal_port >= 0:
            return self.portal_port
        return self.port + 1 if 0 < self.port < PORT_MAX else 0


def read_config(environ: Mapping[str, str], **options: object) -> Config:
    """Read the configuration; an option that is None leaves the environment's value or the default.

    Raises ConfigError for unknown or unreadable variables and for values that contradict one another.
    """
    given: dict[str, object] = {VARIABLES[name]: value for name, value in environ.items() if name in VARIABLES and value}
    faults = [f"{name}: unknown variable; known are {', '.join(VARIABLES)}" for name in _unknown(environ)]
    given |= {name: str(value) if isinstance(value, Path) else value for name, value in options.items() if value is not None}
    try:
        config = msgspec.convert(given, _ConfigText, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError("\n".join([*faults, str(error)])) from error
    values = msgspec.structs.asdict(config)
    read = Config(**{**values, "data_dir": Path(values["data_dir"]).absolute()})
    faults += [fault for fault in _contradictions(read) if fault]
    if faults:
        raise ConfigError("\n".join(faults))
    return read


_ConfigText = msgspec.defstruct(
    "_ConfigText",
    [
        (field.name, str if field.type is Path else field.type, str(field.default) if field.type is Path else field.default)
        for field in msgspec.structs.fields(Config)
    ],
    kw_only=True,
    forbid_unknown_fields=True,
)


def _unknown(environ: Mapping[str, str]) -> list[str]:
    return sorted(name for name in environ if name.startswith("KOPECK_") and name not in VARIABLES)


def _contradictions(config: Config) -> list[str]:
    narrow = any(
        (config.postgres_gateway_dsn, config.postgres_services_dsn, config.postgres_reader_dsn, config.postgres_portal_dsn)
    )
    redis_schemes = ("", "redis", "rediss", "unix")
    postgres_schemes = ("", "postgres", "postgresql")
    return [
        "KOPECK_POSTGRES_DSN: must be set when the DSN of a single role is" if narrow and not config.postgres_dsn else "",
        "KOPECK_POSTGRES_DSN: must start with postgresql://"
        if urlsplit(config.postgres_dsn).scheme not in postgres_schemes
        else "",
        "KOPECK_REDIS_URL: must start with redis://, rediss:// or unix://"
        if urlsplit(config.redis_url).scheme not in redis_schemes
        else "",
        f"KOPECK_PORT: must be 0 … {PORT_MAX}" if not 0 <= config.port <= PORT_MAX else "",
        f"KOPECK_PORTAL_PORT: must be 0 … {PORT_MAX}, or -1" if not -1 <= config.portal_port <= PORT_MAX else "",
        f"KOPECK_GATEWAYS: must be 1 … {GATEWAYS_MAX}" if not 1 <= config.gateways <= GATEWAYS_MAX else "",
        f"KOPECK_BOOKS: must be 1 … {BOOKS_MAX}" if not 1 <= config.books <= BOOKS_MAX else "",
        f"KOPECK_LOG_LEVEL: must be one of {', '.join(LOG_LEVELS)}" if config.log_level not in LOG_LEVELS else "",
    ]
