"""Every kind of file of the housing stock, by the name that ``kopeck housing load`` takes. Pure."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from services.billing.core.month import CommonWay, HeatingWay, PremisesKind, ServiceKind
from services.billing.core.quality_rows import Deviation, RoomKind
from services.billing.stock import fields
from services.billing.stock.kinds import (
    PREMISES,
    STATE,
    VALID_FROM,
    ContractForm,
    Filled,
    Known,
    ResidentKind,
    Source,
    StockKind,
    TariffComponent,
    house_to,
    one_scope,
    premises_to,
    recipient_to,
    scope_to,
    service_to,
    to,
)
from services.reference import rows

PERSONS_MAX = 10_000
SUPPLIES_MAX = 9
DAYS_OF_MONTH_MAX = 31


def _houses(known: Known) -> tuple[Filled, ...]:
    return (
        to("house", rows.code, ("house_code",), required=True, is_text=True),
        VALID_FROM,
        to("address", rows.free_text, required=True),
        to("region", rows.code, required=True, is_text=True),
        recipient_to(known, "provider", required=True),
        to("fias", fields.fias),
        to("house_class", rows.code),
        to("time_zone", rows.time_zone, default="Europe/Moscow"),
        STATE,
    )


def _house_areas(known: Known) -> tuple[Filled, ...]:
    return (
        house_to(known, required=True),
        VALID_FROM,
        to("area_all", fields.area, required=True),
        to("area_common", fields.area_or_none, required=True),
        to("source", fields.named(Source), default=int(Source.PASSPORT)),
        STATE,
    )


def _premises(known: Known) -> tuple[Filled, ...]:
    return (
        *premises_to(known),
        VALID_FROM,
        to("kind", fields.named(PremisesKind), default=int(PremisesKind.FLAT)),
        to("flat", rows.code),
        to("without_heating", rows.free_text),
        to("izhku", rows.izhku),
        STATE,
    )


def _check_premises(row: Mapping[str, Any]) -> tuple[str, str] | None:
    is_room = row["kind"] == PremisesKind.COMMUNAL_ROOM
    if is_room != bool(row["flat"]):
        return "flat", "is required of a communal_room" if is_room else "is of a communal_room only"
    return None


def _premises_areas(known: Known) -> tuple[Filled, ...]:
    return (
        *premises_to(known),
        VALID_FROM,
        to("area", fields.area, required=True),
        to("living_area", fields.area_or_none, default=0),
        to("source", fields.named(Source), default=int(Source.PASSPORT)),
        STATE,
    )


def _check_areas(row: Mapping[str, Any]) -> tuple[str, str] | None:
    return ("living_area", "is larger than the area") if row["living_area"] > row["area"] else None


def _premises_services(known: Known) -> tuple[Filled, ...]:
    return (*premises_to(known), VALID_FROM, to("services", fields.codes_or_all(known.services), required=True), STATE)


def _accounts(known: Known) -> tuple[Filled, ...]:
    return (
        to("namespace", rows.code),
        to("number", rows.account_number, ("account_number",), is_text=True),
        to("els", rows.els, is_text=True),
        *premises_to(known),
        VALID_FROM,
        to("share", fields.share, ("numerator", "denominator"), default=(1, 1)),
        to("excluded", fields.codes(known.services), default=[]),
        to("only", fields.codes(known.services), ("only_services",), default=None),
        STATE,
    )


def _check_account(row: Mapping[str, Any]) -> tuple[str, str] | None:
    if bool(row["number"]) == bool(row["els"]):
        return "number", "or els is required, and not both"
    if row["number"] and not row["namespace"]:
        return "namespace", "is required with a number"
    if row["excluded"] and row["only"]:
        return "only", "and excluded exclude one another"
    return None


def _owners(known: Known) -> tuple[Filled, ...]:
    return (
        *premises_to(known),
        to("person", rows.code, required=True, is_text=True),
        VALID_FROM,
        to("share", fields.share, ("numerator", "denominator"), default=(None, None)),
        to("name", rows.free_text, ("sealed",)),
        STATE,
    )


def _residents(known: Known) -> tuple[Filled, ...]:
    return (
        *premises_to(known),
        VALID_FROM,
        to("persons", fields.whole(0, PERSONS_MAX), default=1),
        to("until", rows.day, default=None),
        to("kind", fields.named(ResidentKind), default=int(ResidentKind.PERMANENT)),
        to("label", rows.code),
        STATE,
    )


def _check_residents(row: Mapping[str, Any]) -> tuple[str, str] | None:
    if row["until"] is not None and row["until"] < row["valid_from"]:
        return "until", "is before valid_from"
    return None


def _services(known: Known) -> tuple[Filled, ...]:
    return (
        to("service", rows.code, required=True, is_text=True),
        VALID_FROM,
        to("kind", fields.named(ServiceKind), required=True),
        to("title", rows.free_text, required=True),
        to("unit", rows.free_text, required=True),
        to("base", fields.codes(None), default=[]),
        to("by_area", rows.boolean, default=False),
        to("payable_by_absent_owners", rows.boolean, default=True),
        STATE,
    )


def _contracts(known: Known) -> tuple[Filled, ...]:
    return (
        house_to(known, required=True),
        service_to(known, required=True),
        VALID_FROM,
        to("form", fields.named(ContractForm), default=int(ContractForm.PASS_THROUGH)),
        recipient_to(known, "recipient", required=True),
        recipient_to(known, "provider", required=True),
        STATE,
    )


def _check_contract(row: Mapping[str, Any]) -> tuple[str, str] | None:
    if row["form"] == ContractForm.DIRECT_MANAGEMENT and row["provider"] != row["recipient"]:
        return "provider", "is the recipient itself under direct management"
    return None


def _tariffs(known: Known) -> tuple[Filled, ...]:
    return (
        service_to(known, required=True),
        VALID_FROM,
        *scope_to(known),
        recipient_to(known, "supplier", default=0),
        to("price", fields.quantity, required=True),
        to("component", fields.named(TariffComponent), default=int(TariffComponent.MAIN)),
        to("zone", fields.whole(0, 3), default=0),
        to("above", fields.quantity, default=0),
        STATE,
    )


def _check_tariff(row: Mapping[str, Any]) -> tuple[str, str] | None:
    if row["component"] != TariffComponent.MAIN and (row["zone"] or row["above"]):
        return "component", "main alone has zones and ranges"
    return one_scope(row)


def _norms(known: Known) -> tuple[Filled, ...]:
    return (
        service_to(known, required=True),
        VALID_FROM,
        *scope_to(known),
        to("house_class", rows.code),
        to("norm", fields.quantity, default=0),
        to("water_heating", fields.quantity, default=0),
        to("space_heating", fields.quantity, default=0),
        to("heat", fields.quantity, default=0),
        STATE,
    )


def _check_norm(row: Mapping[str, Any]) -> tuple[str, str] | None:
    if row["house_class"] and not row["region"]:
        return "house_class", "is of a region only"
    return one_scope(row)


def _heating(known: Known) -> tuple[Filled, ...]:
    return (
        *scope_to(known),
        VALID_FROM,
        to("way", fields.named(HeatingWay), required=True),
        to("months", fields.whole(1, 12), required=True),
        to("meter_due", rows.boolean, default=False),
        STATE,
    )


def _heating_days(known: Known) -> tuple[Filled, ...]:
    return (
        *scope_to(known),
        to("period", fields.month, required=True),
        to("days", fields.whole(0, DAYS_OF_MONTH_MAX), required=True),
        STATE,
    )


def _common_property(known: Known) -> tuple[Filled, ...]:
    return (
        house_to(known, required=True),
        service_to(known),
        VALID_FROM,
        to("way", fields.named(CommonWay), required=True),
        to("above_norm_shared", rows.boolean, default=False),
        STATE,
    )


def _absences(known: Known) -> tuple[Filled, ...]:
    return (
        *premises_to(known),
        to("person", rows.code, required=True, is_text=True),
        to("left_on", rows.day, ("valid_from",), required=True),
        to("returned_on", rows.day, required=True),
        to("applied_on", rows.day, required=True),
        to("documented_on", rows.day, default=None),
        STATE,
    )


def _check_absence(row: Mapping[str, Any]) -> tuple[str, str] | None:
    return ("returned_on", "is not after left_on") if row["returned_on"] <= row["left_on"] else None


def _acts(known: Known) -> tuple[Filled, ...]:
    return (
        house_to(known, ("house", "house_of"), required=True),
        to("premises", rows.code, ("premises_number",)),
        to("number", rows.code, required=True),
        service_to(known, required=True),
        to("deviation", fields.named(Deviation), required=True),
        to("started_at", fields.moment, required=True),
        to("ended_at", fields.moment, required=True),
        to("measured", fields.signed, default=0),
        to("outdoor", fields.signed, default=0),
        to("supplies", fields.whole(1, SUPPLIES_MAX), default=1),
        to("room", fields.named(RoomKind), default=int(RoomKind.ORDINARY)),
        to("cold_region", rows.boolean, default=False),
        STATE,
    )


def _check_act(row: Mapping[str, Any]) -> tuple[str, str] | None:
    if row["ended_at"] - row["started_at"] <= timedelta(0):
        return "ended_at", "is not after started_at"
    return None


ACCOUNT = (("personal_account", None),)
ALL_KINDS = (
    StockKind(name="services", table="service", filled=_services),
    StockKind(name="houses", table="house_terms", filled=_houses, found=(("house", None),), makes="houses"),
    StockKind(name="house-areas", table="house_area", filled=_house_areas),
    StockKind(name="premises", table="premises_terms", filled=_premises, found=PREMISES, makes="premises", check=_check_premises),
    StockKind(name="premises-areas", table="premises_area", filled=_premises_areas, found=PREMISES, check=_check_areas),
    StockKind(name="premises-services", table="premises_services", filled=_premises_services, found=PREMISES),
    StockKind(name="accounts", table="account", filled=_accounts, found=(*ACCOUNT, *PREMISES), check=_check_account),
    StockKind(name="owners", table="owner", filled=_owners, found=PREMISES),
    StockKind(name="residents", table="residents", filled=_residents, found=PREMISES, check=_check_residents),
    StockKind(name="contracts", table="contract", filled=_contracts, check=_check_contract),
    StockKind(name="tariffs", table="tariff", filled=_tariffs, check=_check_tariff),
    StockKind(name="norms", table="norm", filled=_norms, check=_check_norm),
    StockKind(name="heating", table="heating_terms", filled=_heating, check=one_scope),
    StockKind(name="heating-days", table="heating_days", filled=_heating_days, check=one_scope),
    StockKind(name="common-property", table="common_terms", filled=_common_property),
    StockKind(name="absences", table="absence", filled=_absences, found=PREMISES, check=_check_absence),
    StockKind(name="acts", table="quality_act", filled=_acts, found=(("premises", 0),), check=_check_act),
)
"""In the order in which files refer to one another."""
KINDS = {kind.name: kind for kind in ALL_KINDS}
