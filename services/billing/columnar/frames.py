"""Input of the columnar engine: what ``core/month.py`` says of houses, as frames of many houses. The contract with their readers.

Quantities are millionths as in ``core/quantities.py``, money is kopecks, a period is ``yyyymm``; nothing is null unless said so.
Keys are whole numbers that are unique in a batch and else mean nothing (a database's own numbers will do): ``house``; ``term``,
one service of one house; ``premises``; ``share``, one account of one premises. ``place`` is an order, ascending, gaps allowed.
Rows stand in any order. Rows of services that the house does not have are left out, but for adjustments, which name the service
by its code.
"""

from collections.abc import Mapping

import msgspec
import polars as pl

Schema = Mapping[str, type[pl.DataType]]

HOUSES: Schema = {
    "house": pl.Int64,
    "code": pl.String,  # ``HouseMonth.house``
    "period": pl.Int32,
    "days": pl.Int64,
    "area_all": pl.Int64,
    "area_common": pl.Int64,
}
TERMS: Schema = {
    "term": pl.Int64,
    "house": pl.Int64,
    "place": pl.Int32,  # the house's order of services
    "service": pl.String,
    "kind": pl.Int8,  # ServiceKind
    "title": pl.String,
    "unit": pl.String,
    "recipient": pl.String,
    "creditor": pl.String,
    "heat_price": pl.Int64,
    "cold_price": pl.Int64,
    "norm": pl.Int64,
    "norm_water_heating": pl.Int64,
    "norm_space_heating": pl.Int64,
    "heat_norm": pl.Int64,
    "coefficient": pl.Int64,
    "heating_way": pl.Int8,  # HeatingWay
    "heating_months": pl.Int64,
    "is_heating_month": pl.Boolean,
    "is_house_meter_due": pl.Boolean,
    "by_area": pl.Boolean,
    "common_way": pl.Int8,  # CommonWay
    "is_above_norm_shared": pl.Boolean,
    "is_payable_by_absent_owners": pl.Boolean,
}
ZONES: Schema = {  # ``ServiceTerms.zones``; the first by ``place`` is the day's
    "term": pl.Int64,
    "place": pl.Int32,
    "zone": pl.Int64,
    "price": pl.Int64,
}
RANGES: Schema = {  # ``ServiceTerms.ranges``, a row a zone of a range; ``above`` tells ranges of a term apart
    "term": pl.Int64,
    "above": pl.Int64,
    "place": pl.Int32,
    "zone": pl.Int64,
    "price": pl.Int64,
}
BASES: Schema = {  # ``ServiceTerms.base``, those that the house has
    "term": pl.Int64,
    "place": pl.Int32,
    "base": pl.Int64,  # a term
}
HOUSE_VOLUMES: Schema = {  # one row at most a term
    "term": pl.Int64,
    "volume": pl.Int64,  # null: burnt resources are known and the volume is not
}
FUELS: Schema = {  # ``HouseVolume.fuel``
    "term": pl.Int64,
    "place": pl.Int32,
    "volume": pl.Int64,
    "price": pl.Int64,
}
PREMISES: Schema = {
    "premises": pl.Int64,
    "house": pl.Int64,
    "name": pl.String,  # ``Premises.premises``, unique in the house
    "kind": pl.Int8,  # PremisesKind
    "area": pl.Int64,
    "residents": pl.Int64,
    "owners": pl.Int64,
    "living_area": pl.Int64,
    "flat": pl.String,  # empty unless a room
    "is_without_heating": pl.Boolean,
    "has_all_services": pl.Boolean,  # False: those of SERVED alone
}
SERVED: Schema = {
    "premises": pl.Int64,
    "term": pl.Int64,
}
SHARES: Schema = {  # ``Premises.accounts``
    "share": pl.Int64,
    "premises": pl.Int64,
    "account": pl.String,  # unique in the premises
    "numerator": pl.Int64,
    "denominator": pl.Int64,
}
EXCLUDED: Schema = {
    "share": pl.Int64,
    "term": pl.Int64,
}
ADJUSTMENTS: Schema = {
    "share": pl.Int64,
    "place": pl.Int32,
    "service": pl.String,  # also one that the house no longer has
    "kind": pl.Int8,  # LineKind
    "amount_kopecks": pl.Int64,
    "cause": pl.String,
    "of_period": pl.Int32,
}
INDIVIDUAL: Schema = {  # one row at most a premises and term
    "premises": pl.Int64,
    "term": pl.Int64,
    "source": pl.Int8,  # VolumeSource
    "zone": pl.Int64,  # of the only zone; null where there is none or several
    "volume": pl.Int64,  # of the only zone; null where there is none or several
    "has_room_meter": pl.Boolean,  # ``room_zones`` is not None
}
VOLUMES: Schema = {  # ``Individual.zones`` where there are several: all of them
    "premises": pl.Int64,
    "term": pl.Int64,
    "place": pl.Int32,
    "zone": pl.Int64,
    "volume": pl.Int64,
}
ROOM_VOLUMES: Schema = VOLUMES  # ``Individual.room_zones``, one or several
ABSENCES: Schema = {
    "premises": pl.Int64,
    "term": pl.Int64,
    "person_days": pl.Int64,
}
BREAKS: Schema = {
    "premises": pl.Int64,
    "term": pl.Int64,
    "place": pl.Int32,
    "cause": pl.String,
    "act": pl.String,
    "reduction": pl.Int64,
    "at_cold_price": pl.Int64,
}

SCHEMAS: Mapping[str, Schema] = {
    "houses": HOUSES,
    "terms": TERMS,
    "zones": ZONES,
    "ranges": RANGES,
    "bases": BASES,
    "house_volumes": HOUSE_VOLUMES,
    "fuels": FUELS,
    "premises": PREMISES,
    "served": SERVED,
    "shares": SHARES,
    "excluded": EXCLUDED,
    "adjustments": ADJUSTMENTS,
    "individual": INDIVIDUAL,
    "volumes": VOLUMES,
    "room_volumes": ROOM_VOLUMES,
    "absences": ABSENCES,
    "breaks": BREAKS,
}


class TownFrames(msgspec.Struct, frozen=True, kw_only=True):
    """A batch of houses: one frame of each of SCHEMAS, with its columns and types. Pickles, so that it may go to a worker."""

    houses: pl.DataFrame
    terms: pl.DataFrame
    zones: pl.DataFrame
    ranges: pl.DataFrame
    bases: pl.DataFrame
    house_volumes: pl.DataFrame
    fuels: pl.DataFrame
    premises: pl.DataFrame
    served: pl.DataFrame
    shares: pl.DataFrame
    excluded: pl.DataFrame
    adjustments: pl.DataFrame
    individual: pl.DataFrame
    volumes: pl.DataFrame
    room_volumes: pl.DataFrame
    absences: pl.DataFrame
    breaks: pl.DataFrame

    def __post_init__(self) -> None:
        for name, schema in SCHEMAS.items():
            frame: pl.DataFrame = getattr(self, name)
            assert frame.schema == pl.Schema(schema), f"{name}: {frame.schema}"
