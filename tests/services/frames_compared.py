"""Frames of two readings made comparable: names in the place of keys, orders in the place of places, rows sorted."""

from collections import defaultdict
from typing import Any

import polars as pl

from services.billing.columnar.frames import SCHEMAS, TownFrames

Rows = dict[str, list[tuple[Any, ...]]]


def comparable(frames: TownFrames) -> Rows:
    """Return the rows of every frame, equal for two readings of the same houses."""
    houses = dict(frames.houses.select("house", "code").iter_rows())
    premises = {
        key: (houses[house], name) for key, house, name in frames.premises.select("premises", "house", "name").iter_rows()
    }
    terms = {key: (houses[house], service) for key, house, service in frames.terms.select("term", "house", "service").iter_rows()}
    shares = {key: (premises[of], name) for key, of, name in frames.shares.select("share", "premises", "account").iter_rows()}
    names: dict[str, dict[int, Any]] = {"house": houses, "premises": premises, "term": terms, "base": terms, "share": shares}
    assert len(set(terms.values())) == len(terms)
    return {name: _rows(getattr(frames, name), names) for name in SCHEMAS}


def _rows(frame: pl.DataFrame, names: dict[str, dict[int, Any]]) -> list[tuple[Any, ...]]:
    named = [column for column in frame.columns if column != "place"]
    rows = [
        tuple([names[column][row[column]] if column in names else row[column] for column in named]) for row in frame.to_dicts()
    ]
    if "place" not in frame.columns:
        return sorted(rows, key=repr)
    keys = [place for place, column in enumerate(named) if column in names and column != "base"]
    groups: defaultdict[Any, list[tuple[int, tuple[Any, ...]]]] = defaultdict(list)
    for place, row in zip(frame["place"], rows, strict=True):
        groups[tuple([row[key] for key in keys])].append((place, row))
    ordered = [[row for _, row in sorted(group, key=lambda pair: pair[0])] for group in groups.values()]
    return sorted([(order, *row) for group in ordered for order, row in enumerate(group)], key=repr)


def differences(mine: TownFrames, expected: TownFrames) -> dict[str, list[Any]]:
    """Return, by frame, rows that one has and the other has not; empty for the same."""
    left, right = comparable(mine), comparable(expected)
    found: dict[str, list[Any]] = {}
    for name in SCHEMAS:
        if left[name] != right[name]:
            missing = [("missing", row) for row in right[name] if row not in left[name]][:5]
            surplus = [("surplus", row) for row in left[name] if row not in right[name]][:5]
            found[name] = [*missing, *surplus, (len(left[name]), len(right[name]))]
    return found
