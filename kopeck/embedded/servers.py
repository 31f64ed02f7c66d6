"""The servers a program works with: embedded ones under the data folder, or those named by the environment.

The running program writes their addresses to DIR/servers.json (0600), so that another command on the same folder reaches
them while the folder is held.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote, urlsplit

import msgspec

from kopeck.config import Config, read_config
from kopeck.embedded.folder import FolderBusy, Secrets, hold_folder, read_or_make_secrets, write_private
from kopeck.embedded.leftover import wait_until
from kopeck.embedded.place import server_account
from kopeck.embedded.postgres import EmbeddedPostgres
from kopeck.embedded.valkey import EmbeddedValkey

ROLES = ("kopeck_gateway", "kopeck_services", "kopeck_reader", "kopeck_portal")
"""The roles that programs run as (design W7); migrations 0001 and 0022 create them without a login."""
JOIN_TIMEOUT_S = 60


class Connections(msgspec.Struct, frozen=True, kw_only=True):
    """Addresses of the servers. ``owner_dsn`` migrates; the others log in as, or take, the role of their name.

    ``role_passwords`` are to be given to the roles after migrating (``ledger.migrate.set_role_passwords``); it is empty
    when the server is not ours.
    """

    owner_dsn: str
    gateway_dsn: str
    services_dsn: str
    reader_dsn: str
    redis_url: str
    role_passwords: dict[str, str] = {}
    portal_dsn: str = ""

    def __repr__(self) -> str:
        """Show no password."""
        return "Connections(…)"


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """What DIR/servers.json holds; ``pid`` is the program that owns the servers."""

    pid: int
    connections: Connections


class Servers:
    """Started servers and the hold on their folder; a context manager that stops both at its end."""

    def __init__(self, data_dir: Path, config: Config, *, durable: bool = True) -> None:
        with ExitStack() as stack:
            self.folder = stack.enter_context(hold_folder(data_dir))
            self.published = self.folder / "servers.json"
            self.published.unlink(missing_ok=True)
            secrets = read_or_make_secrets(self.folder)
            self.postgres = None if config.postgres_dsn else _postgres(self.folder, secrets, config, durable=durable)
            self.valkey = None if config.redis_url else EmbeddedValkey(self.folder, password=secrets.valkey)
            self._fallen: set[EmbeddedPostgres | EmbeddedValkey] = set()
            for server in self._embedded():
                stack.callback(server.stop)
                server.start()
            self.connections = _connections(config, self.postgres, self.valkey, secrets)
            self._stack = stack.pop_all()

    def publish(self) -> None:
        """Let other commands on this folder reach the servers; call it once the ledger is migrated."""
        content = msgspec.json.encode(Published(pid=os.getpid(), connections=self.connections))
        write_private(self.published, msgspec.json.format(content))

    def restart_dead(self) -> tuple[str, ...]:
        """Start again the embedded servers that ended by themselves, on the same addresses; their names.

        Raises ServerError when one cannot be started, for want of room on its disk for example; the next call tries again.
        """
        dead = [server for server in self._embedded() if server in self._fallen or server.has_ended()]
        self._fallen.update(dead)
        for server in dead:
            server.stop()
            server.start()
            self._fallen.discard(server)
        return tuple(type(server).__name__ for server in dead)

    def stop(self) -> None:
        """Stop the embedded servers in order and let the folder go; a second call does nothing."""
        self.published.unlink(missing_ok=True)
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _embedded(self) -> list[EmbeddedPostgres | EmbeddedValkey]:
        return [server for server in (self.postgres, self.valkey) if server is not None]


def start_servers(data_dir: Path, config: Config | None = None, *, durable: bool = True) -> Servers:
    """Hold the folder and start what the configuration does not name; ``.connections`` are the addresses.

    Raises FolderBusy when another program holds the folder, ServerError when a server cannot be started.
    ``durable=False`` switches fsync off and is for tests only. Without ``config`` the environment is read.
    """
    return Servers(data_dir, config or read_config(os.environ), durable=durable)


@contextmanager
def connect_or_start(data_dir: Path, config: Config | None = None) -> Iterator[Connections]:
    """Addresses for one command: the environment's, those of the program that runs on the folder, or own servers that
    are started for the command and stopped after it."""
    chosen = config or read_config(os.environ)
    if chosen.postgres_dsn and chosen.redis_url:
        yield _connections(chosen, None, None, None)
        return
    found: list[Connections | Servers] = []
    try:
        if not wait_until(lambda: _joined(data_dir, chosen, found), timeout_s=JOIN_TIMEOUT_S):
            with hold_folder(data_dir):
                raise FolderBusy(f"{data_dir} was in use; try again")
        yield found[0].connections if isinstance(found[0], Servers) else found[0]
    finally:
        for servers in found:
            if isinstance(servers, Servers):
                servers.stop()


def read_published(folder: Path) -> Published | None:
    """What the running program published; None when there is nothing readable."""
    try:
        return msgspec.json.decode(folder.joinpath("servers.json").read_bytes(), type=Published)
    except (OSError, msgspec.DecodeError):
        return None


def _joined(data_dir: Path, config: Config, found: list[Connections | Servers]) -> bool:
    """Start own servers when the folder is free, else take those published by its holder; False to ask again."""
    try:
        found.append(start_servers(data_dir, config))
    except FolderBusy:
        published = read_published(data_dir)
        if published is None:
            return False
        found.append(published.connections)
    return True


def _postgres(folder: Path, secrets: Secrets, config: Config, *, durable: bool) -> EmbeddedPostgres:
    account = server_account(config.postgres_os_user)
    return EmbeddedPostgres(folder, password=secrets.superuser, account=account, durable=durable)


def _connections(
    config: Config, postgres: EmbeddedPostgres | None, valkey: EmbeddedValkey | None, secrets: Secrets | None
) -> Connections:
    redis_url = config.redis_url if valkey is None else valkey.url
    if postgres is None or secrets is None:
        return Connections(
            owner_dsn=config.postgres_dsn,
            gateway_dsn=config.postgres_gateway_dsn or dsn_with_role(config.postgres_dsn, "kopeck_gateway"),
            services_dsn=config.postgres_services_dsn or dsn_with_role(config.postgres_dsn, "kopeck_services"),
            reader_dsn=config.postgres_reader_dsn or dsn_with_role(config.postgres_dsn, "kopeck_reader"),
            redis_url=redis_url,
            portal_dsn=config.postgres_portal_dsn or dsn_with_role(config.postgres_dsn, "kopeck_portal"),
        )
    passwords = {role: getattr(secrets, role) for role in ROLES}
    return Connections(
        owner_dsn=postgres.dsn(),
        gateway_dsn=postgres.dsn(user="kopeck_gateway", password=passwords["kopeck_gateway"]),
        services_dsn=postgres.dsn(user="kopeck_services", password=passwords["kopeck_services"]),
        reader_dsn=postgres.dsn(user="kopeck_reader", password=passwords["kopeck_reader"]),
        redis_url=redis_url,
        role_passwords=passwords,
        portal_dsn=postgres.dsn(user="kopeck_portal", password=passwords["kopeck_portal"]),
    )


def dsn_with_role(dsn: str, role: str) -> str:
    """The same address, its sessions taking the role at once: asyncpg sends unknown parameters as settings, and the
    setting ``role`` survives the RESET ALL with which its pool returns a connection."""
    return f"{dsn}{'&' if urlsplit(dsn).query else '?'}role={quote(role)}"
