"""What a calculation returns: charge lines of personal accounts, each with the explanation it can be recalculated from."""

from enum import IntEnum

import msgspec

from services.billing.core.month import VolumeSource


class LineKind(IntEnum):
    """What a line of a month's charges is; each is a line of its own on the payment document."""

    CHARGE = 0
    RAISED = 1
    """What the increasing coefficient adds, shown apart (п. 69 «г(1)»)."""
    COMMON = 2
    """Resources for the common property, or the house's needs of a utility."""
    HEAT = 3
    """The heat component of two-part hot water."""
    ABSENCE = 4
    QUALITY = 5
    CORRECTION = 6
    """Corrected readings, areas, persons, or a yearly correction: of a closed period, charged in the open one."""
    FINE = 7
    """The provider's fine of 50 % (п. 155(1)): negative."""


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """How a sum came about. ``formula`` is a number of Приложение 2 or a name of ours; ``formulas.py`` says which are confirmed.

    ``inputs`` are (name, value) in the formula's own letters, values in millionths or whole numbers as the name's unit says.
    """

    formula: str
    inputs: tuple[tuple[str, int], ...]
    source: VolumeSource | None = None
    note: str = ""


class ChargeLine(msgspec.Struct, frozen=True, kw_only=True):
    """One sum of one personal account. ``price`` is 0 where several prices were summed: ``inputs`` list them.

    ``volume`` and ``price`` are millionths; ``amount_kopecks`` is what is charged, negative for reductions.
    """

    account: str
    premises: str
    service: str
    kind: LineKind
    volume: int
    price: int
    amount_kopecks: int
    explanation: Explanation
    of_period: int = 0
    """The period that a CORRECTION belongs to; 0: the month's own."""
