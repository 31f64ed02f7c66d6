"""The sandbox's fakes by kind, from options that came as JSON."""

from collections.abc import Mapping
from typing import Any

import msgspec

from connectors.sandbox.atol import AtolSandbox, AtolSandboxOptions
from connectors.sandbox.bank import FakeBank
from connectors.sandbox.bank_orders import BankOptions
from connectors.sandbox.faults import Fake
from connectors.sandbox.ferma import FermaSandbox, FermaSandboxOptions


def make_fake(kind: str, options: Mapping[str, Any]) -> Fake:
    """Make the fake of a kind: atol, ferma or bank. Raises ValueError for another, msgspec.ValidationError for wrong options."""
    match kind:
        case "atol":
            return AtolSandbox(msgspec.convert(options, AtolSandboxOptions))
        case "ferma":
            return FermaSandbox(msgspec.convert(options, FermaSandboxOptions))
        case "bank":
            return FakeBank(msgspec.convert(options, BankOptions))
        case _:
            raise ValueError(f"the sandbox has no {kind!r}")
