"""The demo's channel configuration: a file in the data folder, with secrets made for it, and read like any other.

It is written anew at every start with the secrets that it has: only the address of the sandbox's acquirer changes.
"""

import secrets
import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from connectors.sandbox.tochka import JwtKey, jwk_set
from kopeck.demo.recipients import BANK_BIC, TRANSIT_ACCOUNT
from kopeck.demo.town import NAMESPACE
from kopeck.embedded.folder import write_private

FILE_NAME = "demo-channels.toml"
SECRET_BYTES = 24
KEY_BITS = 2048
KEY_FILES = ("acquirers/tochka-old.pem", "acquirers/tochka.pem")
"""The key before the present one, and the present one; ``kid`` is the file's name."""
JWKS_FILE = "acquirers/tochka-jwks.json"
LOOPBACK_NETWORKS = ("127.0.0.0/8", "::1/128")
"""Whence the sandbox calls."""
MERCHANT, TERMINAL, CUSTOMER = "kopeck", "KOPECKDEMO", "300000092"
ACCOUNT_IN_ORDER = "ls(?P<account>[0-9]+)-[0-9]+"
"""Numbers of orders at T-Bank and Tochka name the account; at the RBS acquirer they are ours and name nobody."""

_FILE = """\
# Channels of the demo town. The secrets were made for this folder.

[[transit]]
account = "{transit}"
bic = "{bic}"
title = "АО «Верхнереченский банк», транзитный счёт"
{spaces}{channels}"""
_SPACE = """
[[space]]
name = "{name}"
"""
_CHANNEL = """
[[channel]]
name = "{name}"
kind = "{kind}"
manner = "{manner}"
legal_kind = "{legal_kind}"
space = "{space}"
transit = "{transit}"
namespace = "{namespace}"
"""


class _Section(msgspec.Struct, frozen=True, kw_only=True):
    """A channel of the demo; of ``secrets`` so many are made."""

    name: str
    kind: str
    legal_kind: str
    space: str
    manner: str = "reporting"
    basic_user: str = ""
    secrets: int = 0
    networks: tuple[str, ...] = ()


_SECTIONS = (
    _Section(
        name="demo-terminals", kind="osmp", manner="asking", legal_kind="payment_agent", space="terminals", basic_user="terminals"
    ),
    _Section(name="demo-sber", kind="sber_online", manner="asking", legal_kind="bank", space="sber", basic_user="sber"),
    _Section(name="demo-bank", kind="bank_feed", legal_kind="bank", space="bank-feed", secrets=1),
    _Section(name="demo-rbs", kind="rbs", legal_kind="acquirer", space="rbs", secrets=2),
    _Section(name="demo-tbank", kind="tbank", legal_kind="acquirer", space="tbank", secrets=2, networks=LOOPBACK_NETWORKS),
    _Section(name="demo-tochka", kind="tochka", legal_kind="acquirer", space="tochka"),
    _Section(name="demo-counter", kind="register", legal_kind="bank", space="counter"),
    _Section(name="demo-terminals-register", kind="register", legal_kind="payment_agent", space="terminals"),
    _Section(name="demo-sber-register", kind="register", legal_kind="bank", space="sber"),
    _Section(name="demo-bank-register", kind="register", legal_kind="bank", space="bank-feed"),
    _Section(name="demo-statement", kind="statement", legal_kind="bank", space="statement"),
)


def demo_channels_file(folder: Path, sandbox_url: str = "") -> Path:
    """The path of the folder's demo configuration, for its owner only; ``sandbox_url``: where its acquirer is asked."""
    path = folder / FILE_NAME
    known = _known(path)
    _make_keys(folder)
    channels = "".join(_channel(folder, one, known.get(one.name, ()), sandbox_url) for one in _SECTIONS)
    spaces = "".join(_SPACE.format(name=name) for name in dict.fromkeys(one.space for one in _SECTIONS))
    text = _FILE.format(transit=TRANSIT_ACCOUNT, bic=BANK_BIC, spaces=spaces, channels=channels)
    if not path.exists() or path.read_text("utf-8") != text:
        write_private(path, text.encode())
    return path


def tochka_keys(folder: Path) -> tuple[JwtKey, JwtKey]:
    """Return the demo's keys of webhooks: the one before, and the present one."""
    old, new = (JwtKey(pem=(folder / name).read_text("ascii"), kid=Path(name).stem) for name in KEY_FILES)
    return old, new


def _known(path: Path) -> Mapping[str, tuple[str, ...]]:
    """Secrets by channel, as the file has them."""
    if not path.exists():
        return {}
    sections = tomllib.loads(path.read_text("utf-8"))["channel"]
    return {one["name"]: tuple(one.get("secrets", ())) or (one.get("basic_password", ""),) for one in sections}


def _channel(folder: Path, section: _Section, known: tuple[str, ...], sandbox_url: str) -> str:
    told = {name: getattr(section, name) for name in ("name", "kind", "manner", "legal_kind", "space")}
    text = _CHANNEL.format(transit=TRANSIT_ACCOUNT, namespace=NAMESPACE, **told)
    wanted = 1 if section.basic_user else section.secrets
    made = known if len(known) == wanted and all(known) else tuple([secrets.token_hex(SECRET_BYTES) for _ in range(wanted)])
    if section.basic_user:
        text += f'basic_user = "{section.basic_user}"\nbasic_password = "{made[0]}"\n'
    elif made:
        text += "secrets = [{}]\n".format(", ".join(f'"{one}"' for one in made))
    if section.networks:
        text += "allow_networks = [{}]\n".format(", ".join(f'"{one}"' for one in section.networks))
    return text + _acquirer(folder, section.kind, made, sandbox_url)


def _acquirer(folder: Path, kind: str, made: tuple[str, ...], sandbox_url: str) -> str:
    """How an acquirer's messages are read; the first secret is also the password by which the RBS acquirer knows us."""
    rows: list[str] = []
    if kind == "rbs" and sandbox_url:
        rows = [f'base_url = "{sandbox_url}/rbs"', f'user = "{MERCHANT}"', f'password = "{made[0]}"']
    elif kind == "tbank":
        rows = [f'merchants = ["{TERMINAL}"]', f"account_in_order = '{ACCOUNT_IN_ORDER}'", "order_is_once = true"]
    elif kind == "tochka":
        keys = msgspec.json.encode(str((folder / JWKS_FILE).absolute())).decode()
        rows = [
            f'merchants = ["{CUSTOMER}"]',
            f"account_in_order = '{ACCOUNT_IN_ORDER}'",
            f"public_key_files = {{ sandbox = {keys} }}",
        ]
    return "".join(f"{row}\n" for row in ("\n[channel.acquirer]", *rows)) if rows else ""


def _make_keys(folder: Path) -> None:
    """Make the keys of webhooks once; what the channel is configured with lies beside them."""
    for path in (folder / name for name in KEY_FILES):
        if not path.exists():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            made = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
            form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
            write_private(path, made.private_bytes(*form))
    folder.joinpath(JWKS_FILE).write_text(jwk_set(*tochka_keys(folder)), "utf-8")
