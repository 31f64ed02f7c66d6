"""DIR/endpoints.json: where a running program is reached, for scripts (docs/running.md)."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from kopeck.demo.looking_in import PortalKey
from kopeck.demo.network import Endpoint
from kopeck.embedded.folder import write_private
from schemas.channel import Channel, ChannelKind

FILE_NAME = "endpoints.json"
_PATHS = {
    ChannelKind.OSMP: "osmp",
    ChannelKind.SBER_ONLINE: "sber",
    ChannelKind.BANK_FEED: "bank",
    ChannelKind.RBS: "rbs",
    ChannelKind.TBANK: "tbank",
    ChannelKind.TOCHKA: "tochka",
}
"""Kinds with a route; registers and statements come as files or are fetched."""


class OpenAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An open account of the sample; ``total`` is what its document prints in the main pool, in kopecks."""

    number: str
    total: int


class AccountSample(msgspec.Struct, frozen=True, kw_only=True):
    """Account numbers to try things on; ``unknown`` are nobody's."""

    open: tuple[OpenAccount, ...]
    closed: tuple[str, ...]
    unknown: tuple[str, ...]


class Endpoints(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file; ``postgres`` is the reader role's address, ``portal`` that of the portal and API.

    ``portal_keys`` are of the demo's organisations; a house of your own has none here.
    """

    base_url: str
    channels: tuple[Endpoint, ...]
    metrics: str
    healthz: str
    readyz: str
    accounts: AccountSample
    transit_accounts: tuple[str, ...]
    portal: str
    portal_keys: tuple[PortalKey, ...]
    postgres: str
    pid: int
    data: str

    def __repr__(self) -> str:
        """Name the address without secrets."""
        return f"Endpoints({self.base_url!r})"


NO_ACCOUNTS = AccountSample(open=(), closed=(), unknown=())


def base_url_of(host: str, port: int) -> str:
    """The address a client on this machine uses; a wildcard address is reached by loopback."""
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"


def channel_endpoints(channels: Sequence[Channel], base_url: str, *, with_secrets: bool) -> tuple[Endpoint, ...]:
    """The channels as their counterparties know them; production configurations keep their secrets to themselves."""
    return tuple(_endpoint(channel, base_url, with_secrets) for channel in channels)


def _endpoint(channel: Channel, base_url: str, with_secrets: bool) -> Endpoint:
    path = _PATHS.get(channel.kind)
    place = f"{base_url}/{path}/{channel.name}" if path else ""
    feed = channel.kind is ChannelKind.BANK_FEED
    return Endpoint(
        name=channel.name,
        kind=channel.kind.value,
        url=f"{place}/payments" if feed else place,
        manner=channel.manner.value,
        namespace=channel.namespace,
        space=channel.space_name,
        transit_account=channel.transit_account,
        basic_user=channel.basic_user if with_secrets else "",
        basic_password=channel.basic_password if with_secrets else "",
        secret=channel.secrets[0] if with_secrets and channel.secrets else "",
        statement_url=f"{place}/statement-lines" if feed else "",
    )


def write_endpoints(folder: Path, endpoints: Endpoints) -> Path:
    """Write the file whole, for its owner only."""
    path = folder / FILE_NAME
    write_private(path, msgspec.json.format(msgspec.json.encode(endpoints)))
    return path


def remove_endpoints(folder: Path) -> None:
    """Take the file away: nothing is served any more."""
    folder.joinpath(FILE_NAME).unlink(missing_ok=True)
