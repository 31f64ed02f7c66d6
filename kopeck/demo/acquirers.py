"""The demo's acquirers as the sandbox plays them: an RBS one that can be asked, T-Bank and a bank with СБП that only tell."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from connectors.sandbox.faults import FaultProfile
from kopeck.channels import ChannelSection, read_channels
from kopeck.demo.channels import CUSTOMER, FILE_NAME, MERCHANT, TERMINAL, tochka_keys
from kopeck.sandbox_process import SandboxParty

RBS, TBANK, TOCHKA = "rbs", "tbank", "tochka"
FEE_PERMILLE = 18
"""What the RBS acquirer keeps of every payment; the others charge by the month."""
CALLBACKS = {"duplicated": 40, "reordered": 60, "reorder_s": 20, "old_key": 30}
LOST = {"lost": 40}
"""In a thousand, of the RBS acquirer's callbacks: only asking finds them. Who cannot be asked loses none."""
REPEATS_S = (5, 10, 30, 60, 300, 3_600)
NETWORK = FaultProfile(refused=3, lost_before=3, lost_after=5, broken=3, busy=6)


def acquirer_parties(folder: Path, base_url: str, gateway_url: str, *, made: str) -> tuple[SandboxParty, ...]:
    """Return the fakes under ``base_url`` that call ``gateway_url``; ``made``, digits, is what their ids begin with."""
    file = read_channels(folder / FILE_NAME, os.environ)
    channels = {one.name: one for one in file.channel}
    old, new = tochka_keys(folder)
    rbs, tbank = channels["demo-rbs"], channels["demo-tbank"]
    return (
        SandboxParty(name=RBS, kind=RBS, options=_rbs(rbs, f"{base_url}/{RBS}", gateway_url, made), faults=NETWORK),
        SandboxParty(
            name=TBANK,
            kind=TBANK,
            options={
                "terminal_key": TERMINAL,
                "password": tbank.secrets[0],
                "old_password": tbank.secrets[1],
                "notification_url": f"{gateway_url}/tbank/{tbank.name}",
                "first_payment": int(made),
                "repeats_s": REPEATS_S,
                "faults": CALLBACKS,
                "seed": made,
            },
        ),
        SandboxParty(
            name=TOCHKA,
            kind=TOCHKA,
            options={
                "key": msgspec.to_builtins(new),
                "old_key": msgspec.to_builtins(old),
                "customer_code": CUSTOMER,
                "webhook_url": f"{gateway_url}/tochka/demo-tochka",
                "repeats_s": REPEATS_S,
                "faults": CALLBACKS,
                "seed": made,
            },
        ),
    )


def _rbs(channel: ChannelSection, public_url: str, gateway_url: str, made: str) -> Mapping[str, Any]:
    new, old = channel.secrets
    return {
        "user_name": MERCHANT,
        "password": new,
        "public_url": public_url,
        "callback_url": f"{gateway_url}/rbs/{channel.name}",
        "key": {"secret": new},
        "old_key": {"secret": old},
        "repeats_s": REPEATS_S,
        "fee_permille": FEE_PERMILLE,
        "faults": CALLBACKS | LOST,
        "seed": made,
    }
