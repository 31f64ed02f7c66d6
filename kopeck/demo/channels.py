"""The demo's channel configuration: written once a data folder, with secrets of its own, and read like any other."""

import secrets
from pathlib import Path

from kopeck.demo.recipients import BANK_BIC, TRANSIT_ACCOUNT
from kopeck.demo.town import NAMESPACE
from kopeck.embedded.folder import write_private

FILE_NAME = "demo-channels.toml"
SECRET_BYTES = 24

_FILE = """\
# Channels of the demo town. The secrets were made for this folder.

[[transit]]
account = "{transit}"
bic = "{bic}"
title = "АО «Верхнереченский банк», транзитный счёт"

[[space]]
name = "terminals"

[[space]]
name = "sber"

[[space]]
name = "bank-feed"

[[channel]]
name = "demo-terminals"
kind = "osmp"
manner = "asking"
legal_kind = "payment_agent"
space = "terminals"
transit = "{transit}"
namespace = "{namespace}"
basic_user = "terminals"
basic_password = "{terminals}"

[[channel]]
name = "demo-sber"
kind = "sber_online"
manner = "asking"
legal_kind = "bank"
space = "sber"
transit = "{transit}"
namespace = "{namespace}"
basic_user = "sber"
basic_password = "{sber}"

[[channel]]
name = "demo-bank"
kind = "bank_feed"
manner = "reporting"
legal_kind = "bank"
space = "bank-feed"
transit = "{transit}"
namespace = "{namespace}"
secrets = ["{bank}"]
"""


def demo_channels_file(folder: Path) -> Path:
    """The path of the folder's demo configuration; written, for its owner only, when there is none."""
    path = folder / FILE_NAME
    if not path.exists():
        made = {name: secrets.token_hex(SECRET_BYTES) for name in ("terminals", "sber", "bank")}
        text = _FILE.format(transit=TRANSIT_ACCOUNT, bic=BANK_BIC, namespace=NAMESPACE, **made)
        write_private(path, text.encode())
    return path
