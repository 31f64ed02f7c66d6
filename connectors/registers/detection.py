"""Which format a file is in: every one is tried strictly, and exactly one must accept it."""

from collections.abc import Mapping

from connectors.registers.description import RegisterFormat
from connectors.registers.reading import read_register
from connectors.registers.register import LineFault, Register, RegisterUnreadable


class FormatUncertain(ValueError):
    """No format accepts the file, or several do. ``accepted`` names those; ``refused`` tells each other one's first fault."""

    def __init__(self, accepted: tuple[str, ...], refused: dict[str, LineFault]) -> None:
        if accepted:
            said = f"{', '.join(accepted)} all accept the file: name one"
        else:
            said = "no format accepts the file: " + "; ".join(f"{name}: {fault}" for name, fault in refused.items())
        super().__init__(said)
        self.accepted = accepted
        self.refused = refused


def detect_register(content: bytes, formats: Mapping[str, RegisterFormat]) -> Register:
    """Read the file by the one format that accepts it; raises FormatUncertain."""
    accepted: dict[str, Register] = {}
    refused: dict[str, LineFault] = {}
    for name, described in formats.items():
        try:
            accepted[name] = read_register(content, described, faults_max=1)
        except RegisterUnreadable as error:
            refused[name] = error.faults[0]
    if len(accepted) != 1:
        raise FormatUncertain(tuple(accepted), refused)
    return next(iter(accepted.values()))
