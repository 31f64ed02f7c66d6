"""The sandbox's fakes by kind, from options that came as JSON."""

from collections.abc import Mapping
from typing import Any

import msgspec

from connectors.sandbox.atol import AtolSandbox, AtolSandboxOptions
from connectors.sandbox.bank import FakeBank
from connectors.sandbox.bank_orders import BankOptions
from connectors.sandbox.faults import Fake
from connectors.sandbox.ferma import FermaSandbox, FermaSandboxOptions
from connectors.sandbox.rbs import RbsSandbox, RbsSandboxOptions
from connectors.sandbox.tbank import TBankSandbox, TBankSandboxOptions
from connectors.sandbox.tochka import TochkaSandbox, TochkaSandboxOptions

KINDS = ("atol", "ferma", "bank", "rbs", "tbank", "tochka")


def make_fake(kind: str, options: Mapping[str, Any]) -> Fake:
    """Make the fake of one of KINDS. Raises ValueError for another, msgspec.ValidationError for wrong options."""
    match kind:
        case "atol":
            return AtolSandbox(msgspec.convert(options, AtolSandboxOptions))
        case "ferma":
            return FermaSandbox(msgspec.convert(options, FermaSandboxOptions))
        case "bank":
            return FakeBank(msgspec.convert(options, BankOptions))
        case "rbs":
            return RbsSandbox(msgspec.convert(options, RbsSandboxOptions))
        case "tbank":
            return TBankSandbox(msgspec.convert(options, TBankSandboxOptions))
        case "tochka":
            return TochkaSandbox(msgspec.convert(options, TochkaSandboxOptions))
        case _:
            raise ValueError(f"the sandbox has no {kind!r}")
