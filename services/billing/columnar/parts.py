"""What formulas charge premises (``core/parts.py``) as rows, and where the letters of their explanations stand."""

from collections.abc import Sequence

import msgspec
import polars as pl

from services.billing.core.formulas import FORMULAS
from services.billing.core.lines import LineKind

NAMES = tuple(FORMULAS)
CODES = {name: code for code, name in enumerate(NAMES)}
"""Formulas by number, as a column holds them."""

CELL_COLUMNS = ("cell_zone", "cell_range", "cell_volume", "cell_price")
"""Lists of a row with several prices; null in a row with one."""

CORE = ("cell", "premises", "term", "nth", "kind", "volume", "price", "amount", "shape", "row")


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """Explanations of one form. ``frame`` has a row an explanation: ``formula``, ``source`` (null: none), ``note`` if any.

    ``letters``: (letter, column) in order; a null is a letter that the formula does not have. A letter that starts with ``@``
    names a column with the letter.
    """

    frame: pl.DataFrame
    letters: tuple[tuple[str, str], ...]


class Sum(msgspec.Struct, frozen=True, kw_only=True):
    """One sum of a formula: the ``nth`` of its parts; volume, price and amount are column names.

    A Boolean column ``has_`` and the amount's name tells which rows have the part; without it all do.
    """

    nth: int
    kind: LineKind
    volume: str
    price: str
    amount: str


class Parts:
    """Parts of a batch as formulas find them."""

    def __init__(self) -> None:
        self.shapes: list[Shape] = []
        self.rows: list[pl.DataFrame] = []

    def add(self, frame: pl.DataFrame, letters: Sequence[tuple[str, str]], sums: Sequence[Sum]) -> None:
        """Take a formula's rows in: every row explains each of the sums that it has."""
        if not frame.height:
            return
        shape = len(self.shapes)
        kept = ["formula", "source", *(name for name in ("note", *CELL_COLUMNS) if name in frame.columns)]
        kept += [name[1:] for name, _ in letters if name.startswith("@")] + [column for _, column in letters]
        self.shapes.append(Shape(frame=frame.select(*dict.fromkeys(kept)), letters=tuple(letters)))
        numbered = frame.lazy().with_row_index("row")
        for one in sums:
            found = numbered.select(
                "cell",
                "premises",
                "term",
                nth=pl.lit(one.nth, pl.Int8),
                kind=pl.lit(int(one.kind), pl.Int8),
                volume=pl.col(one.volume),
                price=pl.col(one.price),
                amount=pl.col(one.amount),
                shape=pl.lit(shape, pl.Int16),
                row=pl.col("row"),
                is_there=pl.col(f"has_{one.amount}") if f"has_{one.amount}" in frame.columns else pl.lit(True),
            )
            self.rows.append(found.filter("is_there").drop("is_there").collect())

    def charged(self) -> pl.DataFrame:
        """Return every part so far."""
        return pl.concat(self.rows) if self.rows else EMPTY


EMPTY = pl.DataFrame(
    schema={
        "cell": pl.Int64,
        "premises": pl.Int64,
        "term": pl.Int64,
        "nth": pl.Int8,
        "kind": pl.Int8,
        "volume": pl.Int64,
        "price": pl.Int64,
        "amount": pl.Int64,
        "shape": pl.Int16,
        "row": pl.UInt32,
    }
)
