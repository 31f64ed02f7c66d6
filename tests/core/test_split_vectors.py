"""Every split vector is normative (design §3); the file stands in the shared domain folder, outside the repository."""

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ledger.core.named_table import read_case, write_result
from ledger.core.split import split_amount
from ledger.core.trace import trace_split

SHARED = Path(os.environ.get("KOPECK_SHARED", Path(__file__).parents[2].parent / "shared"))
VECTORS = SHARED / "domain" / "split-vectors.json"
CASES: list[dict[str, Any]] = msgspec.json.decode(VECTORS.read_bytes())["cases"]


def test_the_vectors_are_there() -> None:
    assert len(CASES) >= 31


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_vector(case: dict[str, Any]) -> None:
    table, amount, designation = read_case(msgspec.json.encode(case))
    split = split_amount(table, amount, designation)
    assert msgspec.json.decode(write_result(split)) == case["result"], case["clause"]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_trace_of_a_vector_names_every_kopeck(case: dict[str, Any]) -> None:
    table, amount, designation = read_case(msgspec.json.encode(case))
    steps = trace_split(table, amount, designation)
    assert sum(step.credited for step in steps) == amount
    offered = [step.offered for step in steps if not step.reason.value.endswith("by the payer")]
    assert offered == sorted(offered, reverse=True)
