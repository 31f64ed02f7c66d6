"""Explanations of columnar lines, made when asked for: until then they are codes and columns of numbers.

A line names its ``shape`` and the ``row`` in it; lines of accounts that share a part have one row and say which share they are.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from services.billing.columnar.parts import NAMES, Shape
from services.billing.core.lines import Explanation
from services.billing.core.month import VolumeSource
from services.billing.core.volumes import NO_ZONE

Input = tuple[str, int]


def explain(lines: pl.DataFrame, shapes: Sequence[Shape]) -> list[Explanation]:
    """Return the explanation of every line, in their order."""
    found: list[Explanation] = []
    by_shape: dict[int, dict[int, Explanation]] = {}
    for (shape,), rows in lines.select("shape", "row").unique().group_by("shape"):
        numbers = rows["row"].to_list()
        made = _explanations(shapes[shape], shapes[shape].frame[numbers])
        by_shape[shape] = dict(zip(numbers, made, strict=True))
    for shape, row, part, whole in lines.select("shape", "row", "share_part", "share_whole").iter_rows():
        one = by_shape[shape][row]
        if part is not None:
            marks = (("share_part", part), ("share_whole", whole))
            one = Explanation(formula=one.formula, inputs=(*one.inputs, *marks), source=one.source, note=one.note)
        found.append(one)
    return found


def _explanations(shape: Shape, rows: pl.DataFrame) -> Iterator[Explanation]:
    for row in rows.iter_rows(named=True):
        yield Explanation(
            formula=NAMES[row["formula"]],
            inputs=(*_letters(shape, row), *_prices(row), *zip(row.get("names") or (), row.get("values") or (), strict=True)),
            source=None if row["source"] is None else VolumeSource(row["source"]),
            note=row.get("note") or "",
        )


def _letters(shape: Shape, row: dict[str, Any]) -> Iterator[Input]:
    for letter, column in shape.letters:
        if row[column] is not None:
            yield (row[letter[1:]] if letter.startswith("@") else letter), row[column]


def _prices(row: dict[str, Any]) -> Iterator[Input]:
    """Volume and price of every cell where a row has several; one has its price among the letters."""
    if row.get("cell_price") is None or len(row["cell_price"]) == 1:
        return
    for zone, place, volume, price in zip(
        row["cell_zone"], row["cell_range"], row["cell_volume"], row["cell_price"], strict=True
    ):
        name = f"{'' if place is None else f'r{place}'}{'' if zone == NO_ZONE else f'z{zone}'}"
        yield f"V_{name}", volume
        yield f"T_{name}", price
