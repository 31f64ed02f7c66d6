"""Houses that columns do not calculate: which, why, and their lines by the plain engine.

Products of quantities are held in 128 bits. A house whose quantities could pass that, or for which columns found no sum, is
calculated by the plain engine, whole; what it cannot calculate either is reported with the reason.
"""

from collections.abc import Collection, Mapping

import msgspec
import polars as pl

from services.billing.columnar.frames import SCHEMAS, TownFrames
from services.billing.columnar.kernels import wide
from services.billing.columnar.months import months_of
from services.billing.columnar.parts import CODES, Shape
from services.billing.core.engine import calculate_house
from services.billing.core.lines import ChargeLine
from services.billing.core.month import ServiceKind

LARGE = "величины не помещаются в столбцы"
NO_SUM = "столбцы не нашли суммы"

MOST: Mapping[str, Mapping[str, int]] = {
    "houses": {"area_all": 10**13, "area_common": 10**13, "days": 31},
    "terms": {
        **{"heat_price": 10**12, "cold_price": 10**12, "coefficient": 10**9, "heating_months": 12, "norm": 10**10},
        **{"norm_water_heating": 10**10, "norm_space_heating": 10**10, "heat_norm": 10**10},
    },
    "zones": {"price": 10**12},
    "ranges": {"price": 10**12, "above": 10**13},
    "house_volumes": {"volume": 10**13},
    "fuels": {"volume": 10**13, "price": 10**12},
    "premises": {"area": 10**12, "residents": 10**11, "owners": 10**5, "living_area": 10**12},
    "shares": {"numerator": 10**6, "denominator": 10**6},
    "individual": {"volume": 10**13},
    "volumes": {"volume": 10**13},
    "room_volumes": {"volume": 10**13},
    "absences": {"person_days": 10**6},
    "breaks": {"reduction": 10**7, "at_cold_price": 10**7},
}
"""Millionths and kopecks, either sign. The largest product of such is area × part × norm × months: 1.2 × 10³⁵ of 1.7 × 10³⁸."""
PRODUCT_MAX = 2**124
INT64_MAX = 2**63 - 1
UNKEPT = "объём или сумма больше, чем хранится: исправьте площади, нормы или показания"


class PlainHouses(msgspec.Struct, frozen=True, kw_only=True):
    """``lines``: what a town's lines have but explanations, with ``row`` in ``shape``. ``failed``: why by the house's code."""

    lines: list[tuple[int, ChargeLine]]
    failed: Mapping[str, str]


def odd_houses(frames: TownFrames) -> dict[int, str]:
    """Return the houses whose quantities are too large for columns, with the reason."""
    by_key = {"house": frames.houses.select("house"), "term": frames.terms.select("term", "house")}
    by_key["premises"] = frames.premises.select("premises", "house")
    found: set[int] = set()
    for name, columns in MOST.items():
        frame: pl.DataFrame = getattr(frames, name)
        key = next(key for key in ("house", "premises", "term") if key in frame.columns)
        over = pl.any_horizontal(*(pl.col(column).abs() > most for column, most in columns.items()))
        large = frame.filter(over)
        if large.height:
            found |= set(large.select(key).join(by_key[key], on=key)["house"])
    return dict.fromkeys(sorted(found | _large_boilers(frames)), LARGE)


def _large_boilers(frames: TownFrames) -> set[int]:
    """Return houses with rooms where area × part × burnt × area of formula 18 may not fit; flats of their own have part 1."""
    boilers = frames.terms.filter(pl.col("kind") == int(ServiceKind.HEATING_OWN)).select("term", "house")
    burnt = frames.fuels.join(boilers, on="term").group_by("house").agg(burnt=pl.col("volume").abs().max())
    if not burnt.height:
        return set()
    areas = frames.premises.group_by("house").agg(
        area=pl.col("area").sum(),
        part=pl.when(pl.col("flat") != "").then(pl.max_horizontal("area", "living_area")).otherwise(1).max(),
    )
    rows = burnt.join(areas, on="house").join(frames.houses, on="house")
    taken = pl.max_horizontal(wide("burnt"), wide("area_all") + wide("area_common")) * (wide("area_all") + wide("area_common"))
    product = wide("area") * wide("part")
    return set(rows.filter(product > pl.lit(PRODUCT_MAX, pl.Int128) // pl.max_horizontal(taken, 1))["house"])


def of_houses(frames: TownFrames, houses: Collection[int], *, others: bool = False) -> TownFrames:
    """Return the frames of the houses alone, or of all the others."""
    how = "anti" if others else "semi"
    kept: dict[str, pl.DataFrame] = {}
    keys = {"houses": "house", "terms": "house", "premises": "house"}
    asked = pl.DataFrame({"house": list(houses)}, schema={"house": pl.Int64})
    for name in ("houses", "terms", "premises"):
        kept[name] = getattr(frames, name).join(asked, on=keys[name], how=how)
    kept["shares"] = frames.shares.join(kept["premises"].select("premises"), on="premises", how="semi")
    owners = {"share": "shares", "premises": "premises", "term": "terms"}
    for name in SCHEMAS:
        if name not in kept:
            frame: pl.DataFrame = getattr(frames, name)
            key = next(key for key in owners if key in frame.columns)
            kept[name] = frame.join(kept[owners[key]].select(key), on=key, how="semi")
    return TownFrames(**kept)


def calculate_plainly(frames: TownFrames, houses: Collection[int]) -> PlainHouses:
    """Return the lines of the houses by the plain engine; a house that it cannot calculate is in ``failed``."""
    lines: list[tuple[int, ChargeLine]] = []
    failed: dict[str, str] = {}
    for house, month in months_of(of_houses(frames, houses)):
        try:
            lines += [(house, _kept(line)) for line in calculate_house(month)]
        except (AssertionError, ArithmeticError) as error:
            failed[month.house] = str(error) or type(error).__name__
    return PlainHouses(lines=lines, failed=failed)


def _kept(line: ChargeLine) -> ChargeLine:
    """Return a line whose numbers columns and the database can hold; OverflowError for another: its house alone fails by it."""
    numbers = (line.volume, line.price, line.amount_kopecks, *(value for _, value in line.explanation.inputs))
    if any(abs(number) > INT64_MAX for number in numbers):
        raise OverflowError(UNKEPT)
    return line


def plain_shape(lines: list[tuple[int, ChargeLine]]) -> Shape:
    """Return the explanations of plain lines as they are, a row a line."""
    said = [line.explanation for _, line in lines]
    frame = pl.DataFrame(
        {
            "formula": [CODES[one.formula] for one in said],
            "source": [one.source for one in said],
            "note": [one.note for one in said],
            "names": [[name for name, _ in one.inputs] for one in said],
            "values": [[int(value) for _, value in one.inputs] for one in said],
        },
        schema={
            "formula": pl.Int8,
            "source": pl.Int8,
            "note": pl.String,
            "names": pl.List(pl.String),
            "values": pl.List(pl.Int64),
        },
    )
    return Shape(frame=frame, letters=())
