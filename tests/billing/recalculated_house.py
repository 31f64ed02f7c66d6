"""Builders of small houses for heating, common property and recalculations: decimal text in, millionths out."""

from typing import Any

from services.billing.core.lines import Explanation, LineKind
from services.billing.core.month import (
    AccountShare,
    HouseMonth,
    HouseVolume,
    Individual,
    Premises,
    PremisesKind,
    ServiceKind,
    ServiceTerms,
    VolumeSource,
    Zone,
)
from services.billing.core.parts import Part
from services.billing.core.quantities import MICRO, Area, Price, Ratio, Volume, amount_of


def micro(text: str) -> int:
    """Return millionths of a decimal number's text."""
    whole, _, rest = text.lstrip("-").partition(".")
    assert len(rest) <= 6, "a millionth at least"
    return (-1 if text.startswith("-") else 1) * (int(whole) * MICRO + int(rest.ljust(6, "0")))


def terms(kind: ServiceKind, price: str, **fields: Any) -> ServiceTerms:
    """Return a service named by its kind."""
    given: dict[str, Any] = {
        "service": kind.name.lower(),
        "kind": kind,
        "title": kind.name,
        "unit": "",
        "recipient": "recipient",
        "creditor": "creditor",
        "zones": (Zone(zone=0, price=Price(micro(price))),),
    }
    return ServiceTerms(**(given | fields))


def flat(name: str, area: str, **fields: Any) -> Premises:
    """Return a flat with one account; two persons live there."""
    given: dict[str, Any] = {
        "premises": name,
        "kind": PremisesKind.FLAT,
        "area": Area(micro(area)),
        "residents": Ratio(2 * MICRO),
        "owners": 1,
        "accounts": (AccountShare(account=f"a-{name}"),),
    }
    return Premises(**(given | fields))


def own(service: ServiceTerms, volume: str, source: VolumeSource = VolumeSource.METER) -> Individual:
    """Return what the premises took."""
    return Individual(service=service.service, source=source, zones=((0, Volume(micro(volume))),))


def house(services: tuple[ServiceTerms, ...], premises: tuple[Premises, ...], **fields: Any) -> HouseMonth:
    """Return October's house; ``area_all`` is what the premises have together."""
    given: dict[str, Any] = {
        "house": "h",
        "period": 202610,
        "days": 31,
        "area_all": Area(sum(row.area for row in premises)),
        "area_common": Area(0),
        "services": services,
        "premises": premises,
    }
    return HouseMonth(**(given | fields))


def metered(service: ServiceTerms, volume: str) -> HouseVolume:
    """Return what the house's meter says."""
    return HouseVolume(service=service.service, volume=Volume(micro(volume)))


def charge(amount_kopecks: int, kind: LineKind = LineKind.CHARGE, volume: int = 0) -> Part:
    """Return a part that was charged somehow."""
    explanation = Explanation(formula="1", inputs=())
    return Part(kind=kind, volume=volume, price=0, amount_kopecks=amount_kopecks, explanation=explanation)


def charged(volume: str, price: str) -> Part:
    """Return a part of a volume and a price."""
    return charge(amount_of(micro(volume), micro(price)), volume=micro(volume))
