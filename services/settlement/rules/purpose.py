"""Purpose of a payment order (field 24, at most 210 characters): what is paid, by which contract and register, and its VAT.

A template is text with ``{names}`` and optional parts in square brackets. What does not fit is shortened step by step, the
contract, the register and the words on VAT never: the register itself carries what the purpose had to leave out.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from types import MappingProxyType

import msgspec

from schemas.money import roubles_from_kopecks
from schemas.transfer import PURPOSE_CHARACTERS_MAX, PurposeClass
from services.settlement.rules.bank_text import bank_text
from services.settlement.rules.periods import period_digits, period_words

WITHOUT_VAT = "НДС не облагается"
NAMES = ("contract", "services", "periods", "register", "payments", "vat")
KEPT = ("contract", "register", "vat")
"""Never shortened; an optional part with one of them goes only when there is nothing to write."""
SHORTEST = "[Дог. {contract}, ]реестр {register}. {vat}"
"""What is written when even a template without its optional parts is too long."""
AND_OTHERS = " и др."

_PART = re.compile(r"\[([^\[\]]*)\]|([^\[\]]+)")
_NAME = re.compile(r"\{([^{}]*)\}")


class PurposeTooLong(ValueError):
    """The contract, the register and the VAT alone do not fit: the contract's number must be written shorter."""


class VatSum(msgspec.Struct, frozen=True, kw_only=True):
    """VAT inside the order's sum by one rate: whole percent and kopecks."""

    percent: int
    amount_kopecks: int


class PurposeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What an order pays. Periods are year * 100 + month; ``payments`` counts them, 0 leaves the number out.

    ``contract_number`` is empty where no contract is (a refund to a payer); ``vat`` is empty for a sum without VAT.
    """

    register: str
    contract_number: str = ""
    contract_date: date | None = None
    services: tuple[str, ...] = ()
    periods: tuple[int, ...] = ()
    payments: int = 0
    vat: tuple[VatSum, ...] = ()


class PurposeTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """A contract's wording; raises ValueError when it names what there is not, or leaves out one of KEPT."""

    text: str

    def __post_init__(self) -> None:
        if "".join([match.group() for match in _PART.finditer(self.text)]) != self.text:
            raise ValueError("template: optional parts in square brackets must be closed and not nested")
        names = _NAME.findall(self.text)
        if unknown := sorted(set(names) - set(NAMES)):
            raise ValueError(f"template: unknown names {', '.join(unknown)}; known are {', '.join(NAMES)}")
        if missing := [name for name in KEPT if name not in names]:
            raise ValueError(f"template: {', '.join(missing)} must be named")
        if set("{}") & set(_NAME.sub("", self.text)):
            raise ValueError("template: braces are for names only")


TEMPLATES: Mapping[PurposeClass, PurposeTemplate] = MappingProxyType(
    {
        PurposeClass.SERVICES: PurposeTemplate(
            text="Перевод платежей населения[: {services}][ за {periods}][ по договору {contract}], "
            "реестр № {register}[, платежей: {payments}]. {vat}"
        ),
        PurposeClass.CAPITAL_REPAIR: PurposeTemplate(
            text="Взносы на капитальный ремонт[ за {periods}][ по договору {contract}], "
            "реестр № {register}[, платежей: {payments}]. {vat}"
        ),
        PurposeClass.FEE: PurposeTemplate(
            text="Вознаграждение за услуги по переводу платежей[ за {periods}][ по договору {contract}], "
            "реестр № {register}. {vat}"
        ),
        PurposeClass.REFUND: PurposeTemplate(
            text="Возврат платежа за жилищно-коммунальные услуги[ за {periods}][ по договору {contract}], "
            "реестр № {register}. {vat}"
        ),
    }
)
"""What is written when the contract has no wording of its own."""


def purpose_text(facts: PurposeFacts, template: PurposeTemplate) -> str:
    """Write field 24 in the fullest wording that fits; raises PurposeTooLong when none does.

    Shortened in this order: periods in digits; fewer services «и др.»; no number of payments; no services; no periods; SHORTEST.
    """
    shortest = PurposeTemplate(text=SHORTEST)
    for wording, values in (*((template, values) for values in _ever_shorter(facts)), (shortest, _values(facts))):
        text = bank_text(_render(wording, values))
        if len(text) <= PURPOSE_CHARACTERS_MAX:
            return text
    raise PurposeTooLong(f"contract {facts.contract_number!r}, register {facts.register!r}: more than {PURPOSE_CHARACTERS_MAX}")


def vat_words(vat: tuple[VatSum, ...]) -> str:
    """«В том числе НДС 22 % – 123.45», several rates after a comma, «НДС не облагается» without VAT."""
    if not vat:
        return WITHOUT_VAT
    return "В том числе " + ", ".join([f"НДС {one.percent} % – {roubles_from_kopecks(one.amount_kopecks)}" for one in vat])


def _values(facts: PurposeFacts) -> dict[str, str]:
    number = facts.contract_number
    since = f" от {facts.contract_date:%d.%m.%Y}" if facts.contract_date is not None else ""
    return {
        "contract": f"№ {number}{since}" if number else "",
        "services": ", ".join(facts.services),
        "periods": period_words(facts.periods),
        "register": facts.register,
        "payments": str(facts.payments) if facts.payments else "",
        "vat": vat_words(facts.vat),
    }


def _ever_shorter(facts: PurposeFacts) -> Iterator[dict[str, str]]:
    values = _values(facts)
    yield values
    values = values | {"periods": period_digits(facts.periods)}
    yield values
    for kept in range(len(facts.services) - 1, 0, -1):
        values = values | {"services": ", ".join(facts.services[:kept]) + AND_OTHERS}
        yield values
    for name in ("payments", "services", "periods"):
        values = values | {name: ""}
        yield values


def _render(template: PurposeTemplate, values: Mapping[str, str]) -> str:
    """Put the values in; an optional part one of whose names has nothing to write is left out."""
    parts = []
    for match in _PART.finditer(template.text):
        optional, plain = match.groups()
        part = plain if optional is None else optional
        if optional is None or all(values[name] for name in _NAME.findall(optional)):
            parts.append(_NAME.sub(lambda name: values[name.group(1)], part))
    return "".join(parts)
