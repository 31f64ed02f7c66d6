"""Explanations packed a column at a time: the bytes of ``runs/packing.py`` without an object a line.

MessagePack is put together as hexadecimal text, which columns can join, and then turned into bytes. Lines of accounts that share,
and those of several prices, differ from line to line in what they have: they are few, and packed one by one.
"""

from collections.abc import Sequence

import msgspec
import polars as pl

from services.billing.columnar.explaining import explain
from services.billing.columnar.parts import NAMES, Shape
from services.billing.runs.packing import pack_explanation

PAIRS = tuple(f"{number:02x}" for number in range(2**8))
FIXED_MAX = 15
"""Elements that the short form of an array counts."""
PACKED = {"value": pl.Int64, "packed": pl.String}
encode = msgspec.msgpack.encode


def pack_explanations(lines: pl.DataFrame, shapes: Sequence[Shape]) -> pl.Series:
    """Return the packed explanation (Binary) of every line, in their order."""
    numbered = lines.select("shape", "row", "share_part", "share_whole").with_row_index("at")
    found = []
    for (number,), rows in numbered.group_by("shape"):
        shape = shapes[number]
        few = rows.filter(_is_singular(rows, shape))
        many = rows.join(few.select("at"), on="at", how="anti")
        if many.height:
            hexes = _packed(shape, shape.frame[many["row"]])
            found.append(many.select("at", packed=hexes.str.decode("hex")))
        if few.height:
            said = [pack_explanation(one) for one in explain(few, shapes)]
            found.append(few.select("at", packed=pl.Series(said, dtype=pl.Binary)))
    if not found:
        return pl.Series("explanation", [], dtype=pl.Binary)
    return pl.concat(found).sort("at")["packed"].alias("explanation")


def _is_singular(rows: pl.DataFrame, shape: Shape) -> pl.Series:
    shared = rows["share_part"].is_not_null()
    frame = shape.frame[rows["row"]]
    if "values" in frame.columns:
        return pl.repeat(True, rows.height, dtype=pl.Boolean, eager=True)
    several = frame["cell_price"].is_not_null() if "cell_price" in frame.columns else pl.repeat(False, rows.height, eager=True)
    return shared | several


def _packed(shape: Shape, frame: pl.DataFrame) -> pl.Series:
    """Return the hexadecimal text: [formula, [[letter, value] …], source, note]."""
    pairs = []
    for letter, column in shape.letters:
        name = _texts(frame[letter[1:]]) if letter.startswith("@") else pl.lit(_text(letter))
        pairs.append(pl.concat_str(pl.lit("92"), name, pl.Series(_numbers(frame[column])), ignore_nulls=False))
    formulas = pl.Series([_text(name) for name in NAMES]).gather(frame["formula"].cast(pl.UInt32))
    counts = pl.sum_horizontal(*(pl.col(column).is_not_null() for _, column in shape.letters)) if pairs else pl.lit(0)
    count = pl.when(counts <= FIXED_MAX).then(pl.lit("9") + _digit(counts)).otherwise(pl.lit("dc00") + _pair(counts))
    source = pl.col("source").cast(pl.Int64).pipe(_pair).fill_null("c0")
    note = _texts(frame["note"]) if "note" in frame.columns else pl.lit("a0")
    return frame.select(pl.concat_str(pl.lit("94"), formulas, count, *pairs, source, note, ignore_nulls=True)).to_series()


def _pair(number: pl.Expr) -> pl.Expr:
    return number.replace_strict(list(range(len(PAIRS))), list(PAIRS), return_dtype=pl.String)


def _digit(number: pl.Expr) -> pl.Expr:
    return number.replace_strict(list(range(16)), list("0123456789abcdef"), default=None, return_dtype=pl.String)


def _text(text: str) -> str:
    """Return the packed text in hexadecimal."""
    return encode(text).hex()


def _texts(texts: pl.Series) -> pl.Series:
    """Return texts packed in hexadecimal; there are few different ones."""
    different = texts.unique().drop_nulls()
    return texts.replace_strict(different, pl.Series([_text(one) for one in different], dtype=pl.String), return_dtype=pl.String)


def _numbers(values: pl.Series) -> pl.Series:
    """Return whole numbers packed in hexadecimal; null for null. Prices, norms and readings repeat: each is packed once."""
    different = values.unique().drop_nulls()
    packed = pl.DataFrame({"value": different, "packed": [encode(one).hex() for one in different.to_list()]}, schema=PACKED)
    rows = pl.DataFrame({"value": values})
    return rows.join(packed, on="value", how="left", maintain_order="left")["packed"]
