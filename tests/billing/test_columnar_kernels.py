"""The arithmetic of columns is that of ``core/quantities.py`` and ``core/sharing.py``, to the ends of what columns may hold."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from services.billing.columnar.kernels import amount_of, divide_half_up, share_of, times
from services.billing.columnar.plain import MOST
from services.billing.columnar.sharing import Sharers, shared
from services.billing.core import quantities
from services.billing.core.quantities import MICRO
from services.billing.core.sharing import share_out

VOLUME = MOST["individual"]["volume"]
PRICE = MOST["zones"]["price"]
RATIO = MOST["terms"]["coefficient"]
WEIGHTS = st.lists(st.integers(1, 10**6), min_size=2, max_size=7)


def one(expression: pl.Expr, **columns: int) -> object:
    """The expression's value on one row."""
    return (
        pl.DataFrame({name: [value] for name, value in columns.items()}, schema=dict.fromkeys(columns, pl.Int64))
        .select(expression)
        .item()
    )


@given(st.integers(-(2**62), 2**62), st.integers(1, 2**62))
def test_division_rounds_halves_away_from_zero(numerator: int, denominator: int) -> None:
    column = divide_half_up(pl.col("n").cast(pl.Int128), pl.col("d").cast(pl.Int128))
    assert one(column, n=numerator, d=denominator) == quantities.divide_half_up(numerator, denominator)
    assert one(divide_half_up(pl.col("n").cast(pl.Int128), denominator), n=numerator) == quantities.divide_half_up(
        numerator, denominator
    )


@given(st.integers(-(10**6), 10**6), st.integers(1, 10**6))
def test_exact_halves_go_away_from_zero(half: int, denominator: int) -> None:
    column = divide_half_up(pl.col("n").cast(pl.Int128), 2 * denominator)
    numerator = (2 * half + 1) * denominator
    assert one(column, n=numerator) == (half + 1 if numerator > 0 else half)


@given(st.integers(-VOLUME, VOLUME), st.integers(-PRICE, PRICE))
def test_a_volume_at_a_price(volume: int, price: int) -> None:
    assert one(amount_of("v", "p"), v=volume, p=price) == quantities.amount_of(volume, price)


@given(st.integers(-VOLUME, VOLUME), st.integers(-RATIO, RATIO))
def test_a_quantity_by_a_ratio(quantity: int, ratio: int) -> None:
    assert one(times("q", "r"), q=quantity, r=ratio) == quantities.times(quantity, ratio)


@given(st.integers(-VOLUME, VOLUME), st.integers(0, 10**12), st.integers(1, 10**12))
def test_a_share_of_a_quantity(quantity: int, part: int, whole: int) -> None:
    expected = quantities.share_of(quantity, part, whole)
    assert one(share_of("q", "p", "w"), q=quantity, p=part, w=whole) == (expected if abs(expected) < 2**63 else None)


def test_a_share_of_nothing_is_no_number() -> None:
    assert one(share_of("q", "p", "w"), q=5, p=1, w=0) is None
    assert one(share_of("q", "p", "w"), q=5, p=1, w=-3) is None


def test_the_largest_product_has_room() -> None:
    most = MOST["premises"]["area"] ** 2 * MOST["terms"]["norm"] * MOST["terms"]["heating_months"]
    by_house = MOST["premises"]["area"] ** 2 * MOST["house_volumes"]["volume"]
    raised = VOLUME * RATIO // MICRO * PRICE
    paid = 10**12 * MICRO * MOST["breaks"]["at_cold_price"]
    whole = MOST["premises"]["area"] * MOST["houses"]["area_all"]
    assert max(most, by_house, raised, paid, whole) * 2 + whole * MICRO * 24 < 2**127


@given(WEIGHTS, st.integers(-(10**15), 10**15), st.integers(-(10**12), 10**12))
def test_parts_are_shared_by_largest_remainder(weights: list[int], volume: int, amount: int) -> None:
    """Two parts with the same sums: what one loses is not made up by the other."""
    part = {"cell": 1, "premises": 1, "term": 1, "nth": 0, "volume": volume, "price": 0, "amount": amount, "shape": 0, "row": 0}
    parts = pl.DataFrame([part | {"kind": 0}, part | {"kind": 1}])
    accounts = pl.DataFrame(
        {"premises": 1, "share": range(len(weights)), "rank": range(len(weights)), "weight": weights, "total": sum(weights)}
    ).with_columns(pl.col("premises", "share", "rank", "weight", "total").cast(pl.Int64), accounts=pl.lit(len(weights)))
    nobody = pl.DataFrame(schema={"cell": pl.Int64})
    lines = shared(parts, Sharers(by_premises=accounts, by_cell=nobody, special=nobody))
    for kind in (0, 1):
        own = lines.filter(pl.col("kind") == kind).sort("rank")
        assert tuple(own["volume"]) == share_out(volume, weights)
        assert tuple(own["amount"]) == share_out(amount, weights)
