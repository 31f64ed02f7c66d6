"""``kopeck sandbox``: one fake counterparty by itself, over HTTP on loopback, with faults by name (docs/sandbox.md)."""

import asyncio
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from connectors.sandbox.faults import FaultProfile
from connectors.sandbox.tochka import JwtKey, jwk_set
from kopeck.child_log import start_log
from kopeck.embedded.folder import write_private
from kopeck.endpoints import base_url_of
from kopeck.sandbox import KINDS
from kopeck.sandbox_process import SandboxDoors, SandboxParty, open_doors, serve_doors
from kopeck.supervisor import ListenError, open_listener

LOOPBACK = "127.0.0.1"
OFTEN = 200
"""In a thousand: what is asked for by name must be seen soon."""
NETWORK_FAULTS = {
    "refused": {"refused": OFTEN},
    "lost-requests": {"lost_before": OFTEN},
    "lost-answers": {"lost_after": OFTEN},
    "broken": {"broken": OFTEN},
    "busy": {"busy": OFTEN},
}
"""What happens to requests on their way to any fake."""
CALLBACK_FAULTS = {
    "duplicates": {"duplicated": OFTEN},
    "reordering": {"reordered": OFTEN},
    "lost-callbacks": {"lost": OFTEN},
    "slow": {"slow": OFTEN, "slow_s": 60},
    "old-key": {"old_key": OFTEN},
    "wrong-encoding": {"wrong_encoding": OFTEN},
    "clock-skew": {"skew_s": 7_200},
}
"""What happens to the callbacks of those that make them."""
CALLING = {"rbs": "callback_url", "tbank": "notification_url", "tochka": "webhook_url"}
"""Fakes that call, and the option that names where to."""
KEY_BITS = 2048
KEY_NAME, JWKS_NAME = "tochka-key.pem", "tochka-jwks.json"


@click.command()
@click.argument("kind", type=click.Choice(KINDS))
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8060, show_default=True, help="Port of loopback, 0 for a free one."
)
@click.option("--faults", multiple=True, help=f"Any of {', '.join([*NETWORK_FAULTS, *CALLBACK_FAULTS])}; several times.")
@click.option("--callback-url", default="", help="Where rbs, tbank and tochka call: the route of the channel.")
@click.option(
    "--option", "options", multiple=True, metavar="NAME=VALUE", help="An option of the fake, its value in JSON or as text."
)
@click.option("--seed", type=int, default=1, show_default=True, help="What chances are drawn from.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("sandbox"),
    show_default=True,
    help="Where tochka leaves its key and the public keys (JWKS) for the channel.",
)
def sandbox(
    kind: str, port: int, faults: tuple[str, ...], callback_url: str, options: tuple[str, ...], seed: int, folder: Path
) -> None:
    """Play one counterparty, KIND, until interrupted; it remembers nothing afterwards."""
    start_log("info")
    given = _options(options)
    network, calls = _faults(kind, faults)
    if callback_url:
        if kind not in CALLING:
            raise click.UsageError(f"{kind} calls nobody")
        given[CALLING[kind]] = callback_url
    if kind == "tochka" and "key" not in given:
        given["key"] = msgspec.to_builtins(_tochka_key(folder))
    if calls:
        given["faults"] = calls
    try:
        party = SandboxParty(name=kind, kind=kind, options=given, faults=network)
        doors = SandboxDoors([party], seed)
    except (ValueError, msgspec.ValidationError) as error:
        raise click.UsageError(f"{kind}: {error}") from error
    try:
        asyncio.run(_serve(doors, kind, port))
    except ListenError as error:
        raise click.ClickException(str(error)) from error


def _options(texts: Iterable[str]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.UsageError(f"--option {text}: must be NAME=VALUE")
        try:
            given[name] = msgspec.json.decode(value)
        except msgspec.DecodeError:
            given[name] = value
    return given


def _faults(kind: str, names: Iterable[str]) -> tuple[FaultProfile, dict[str, int]]:
    network: dict[str, int] = {}
    calls: dict[str, int] = {}
    for name in names:
        if name in NETWORK_FAULTS:
            network |= NETWORK_FAULTS[name]
        elif name in CALLBACK_FAULTS and kind in CALLING:
            calls |= CALLBACK_FAULTS[name]
        else:
            known = [*NETWORK_FAULTS, *(CALLBACK_FAULTS if kind in CALLING else ())]
            raise click.UsageError(f"--faults {name}: {kind} has {', '.join(known)}")
    return FaultProfile(**network), calls


def _tochka_key(folder: Path) -> JwtKey:
    """The folder's key, made once; the public half beside it is what the channel is configured with."""
    path = folder / KEY_NAME
    if not path.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        write_private(path, made.private_bytes(*form))
    key = JwtKey(pem=path.read_text("ascii"), kid="sandbox")
    (folder / JWKS_NAME).write_text(jwk_set(key), "utf-8")
    return key


async def _serve(doors: SandboxDoors, kind: str, port: int) -> None:
    stop = asyncio.Event()
    for order in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(order, stop.set)
    listener = await open_listener(LOOPBACK, port)
    address = f"{base_url_of(LOOPBACK, listener.getsockname()[1])}/{kind}"
    runner = await open_doors(doors, listener)
    click.echo(f"{kind} answers on {address}; Ctrl-C ends it")
    await serve_doors(doors, stop)
    await runner.cleanup()
