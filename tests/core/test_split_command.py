"""``kopeck split``: the vectors through the command, its tables for people, and every kind of bad input."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from kopeck.commands.split import LINE_BYTES_MAX, split
from tests.core.test_split_vectors import CASES

LINE = {"recipient": "A", "service": "x", "weight": 1000, "paid": 0}
TIER = {
    "creditor": "A", "period": "2026-10", "pool": "main", "kind": "principal", "designated_only": False,
    "lines": [LINE, {**LINE, "recipient": "B"}, {**LINE, "recipient": "C"}],
}  # fmt: skip
TABLE = {
    "personal_account": "3", "version": 1, "per_service_payment": False, "totals": [{"amount": 3000, "tiers": [0]}],
    "tiers": [TIER], "advance": {"rule": "refuse"},
}  # fmt: skip
CASE = {"table": TABLE, "payment": {"amount": 100, "designation": None}}
BASKET = {"pool": "main", "period": "2026-10", "kind": "principal", "service": "x", "recipient": "A", "amount": 5}


def run(*arguments: str, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(split, list(arguments), input=stdin)


def changed(path: str, value: object) -> dict[str, Any]:
    """CASE with one value replaced (or added) at a dotted path."""
    case: dict[str, Any] = copy.deepcopy(CASE)
    place: Any = case
    *outer, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    for step in outer:
        place = place[step]
    place[last] = value
    return case


BAD = [
    ("payment.amount", 0, "payment.amount"),
    ("payment.amount", -5, "payment.amount"),
    ("payment.amount", 10.5, "payment.amount"),
    ("payment.amount", "100", "payment.amount"),
    ("payment.amount", True, "payment.amount"),
    ("payment.amount", 10**16, "payment.amount"),
    ("payment.extra", 1, "payment"),
    ("payment.designation", {}, "payment.designation"),
    ("payment.designation", {"period": "2026-10", "pool": "main"}, "payment.designation"),
    ("payment.designation", {"period": "2026-13"}, "payment.designation.period"),
    ("payment.designation", {"period": ""}, "payment.designation.period"),
    ("payment.designation", {"pool": "garage"}, "payment.designation.pool"),
    ("payment.designation", {"penalty": 0}, "payment.designation.penalty"),
    ("payment.designation", {"court_order": ""}, "payment.designation.court_order"),
    ("payment.designation", {"basket": [BASKET, {**BASKET, "amount": -1}]}, "payment.designation.basket[1].amount"),
    ("payment.designation", {"basket": [{**BASKET, "kind": "fine"}]}, "payment.designation.basket[0].kind"),
    ("payment.designation", {"basket": [{**BASKET, "period": "10.2026"}]}, "payment.designation.basket[0].period"),
    ("table.version", -1, "table.version"),
    ("table.personal_account", "", "table.personal_account"),
    ("table.personal_account", "1" * 10_000, "table.personal_account"),
    ("table.totals.0.tiers", [1], "table.totals[0].tiers[0]"),
    ("table.totals.0.tiers", [-1], "table.totals[0].tiers[0]"),
    ("table.totals.0.tiers", [0, 0], "table.totals[0].tiers"),
    ("table.totals.0.amount", 0, "table.totals[0].amount"),
    ("table.tiers.0.pool", "garage", "table.tiers[0].pool"),
    ("table.tiers.0.kind", "fine", "table.tiers[0].kind"),
    ("table.tiers.0.period", "2026-1", "table.tiers[0].period"),
    ("table.tiers.0.period", "", "table.tiers[0].period"),
    ("table.tiers.0.period", "٢٠٢٦-10", "table.tiers[0].period"),
    ("table.tiers.0.lines.1.recipient", "A", "table.tiers[0].lines[1]"),
    ("table.tiers.0.lines.2.weight", 1.5, "table.tiers[0].lines[2].weight"),
    ("table.tiers.0.lines.2.weight", 10**30, "table.tiers[0].lines[2].weight"),
    ("table.tiers.0.lines.2.paid", -1, "table.tiers[0].lines[2].paid"),
    ("table.tiers.0.lines.2.extra", 1, "table.tiers[0].lines[2]"),
    ("table.advance", {"rule": "maybe"}, "table.advance.rule"),
    (
        "table.advance",
        {"rule": "by_weights", "lines": [{"recipient": "A", "service": "x", "weight": 1}] * 2},
        "table.advance.lines[1]",
    ),
]


@pytest.mark.parametrize(("path", "value", "field"), BAD, ids=range(len(BAD)))
def test_a_bad_line_of_a_batch_is_answered_in_its_place(path: str, value: object, field: str) -> None:
    lines = [json.dumps(case).encode() for case in (CASE, changed(path, value), CASE)]
    result = run("--batch", "-", stdin=b"\n".join(lines))
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    good = {"shares": [[33, 33, 34]], "advance": [], "unallocated": 0, "ignored": []}
    assert [answers[0], answers[2]] == [good, good]
    assert len(answers) == 3
    assert (answers[1]["error"]["line"], answers[1]["error"]["field"]) == (2, field)
    assert answers[1]["error"]["reason"]
    assert result.exit_code == 1
    assert result.stderr.startswith("1 of 3 lines were not split")


@pytest.mark.parametrize(
    "line",
    [
        b"", b"{", b"null", b"[]", b"\xff", b'"\xd0"', b"\xef\xbb\xbf{}", b'{"table":"\\ud800"}', b"NaN", b"[" * 100_000,
        json.dumps(CASE).encode()[:-1], json.dumps(CASE).encode() + b"x", b"\x00", b" " * (LINE_BYTES_MAX + 10),
        b'{"result":' + b"[" * 50_000,
    ],
    ids=range(15),
)  # fmt: skip
def test_what_is_not_json_is_an_error_of_its_line(line: bytes) -> None:
    result = run("--batch", "-", stdin=json.dumps(CASE).encode() + b"\n" + line + b"\n" + json.dumps(CASE).encode() + b"\n")
    answers = [json.loads(answer) for answer in result.stdout.splitlines()]
    assert [sorted(answer)[0] for answer in answers] == ["advance", "error", "advance"]
    assert answers[1]["error"]["line"] == 2
    assert result.exit_code == 1


def test_a_batch_of_the_vectors(tmp_path: Path) -> None:
    path = tmp_path / "batch.jsonl"
    path.write_text("\n".join(json.dumps({"table": case["table"], "payment": case["payment"]}) for case in CASES))
    result = run("--batch", str(path))
    assert [json.loads(line) for line in result.stdout.splitlines()] == [case["result"] for case in CASES]
    assert (result.exit_code, result.stderr) == (0, "")


def test_a_batch_longer_than_a_chunk(tmp_path: Path) -> None:
    path = tmp_path / "batch.jsonl"
    path.write_bytes((json.dumps(CASES[0]).encode() + b"\n") * 700)
    result = run("--batch", str(path))
    assert path.stat().st_size > LINE_BYTES_MAX
    assert result.stdout.splitlines() == [json.dumps(CASES[0]["result"], separators=(",", ":"))] * 700


def test_an_empty_batch_gives_nothing() -> None:
    result = run("--batch", "-")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_one_vector_from_files(case: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    path.write_text(json.dumps(case["table"], indent=1))
    arguments = ["--table", str(path), "--amount", str(case["payment"]["amount"])]
    arguments += ["--designation", json.dumps(case["payment"]["designation"])]
    result = run(*arguments, "--json")
    assert (json.loads(result.stdout), result.exit_code) == (case["result"], 0)
    people = run(*arguments)
    assert people.exit_code == 0
    assert people.stdout.count("was ignored") == len(case["result"]["ignored"])


def test_the_table_for_people_gives_roubles_and_reasons(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    path.write_text(json.dumps(TABLE))
    printed = run("--table", str(path), "--amount", "100").stdout
    rows = [[cell.strip() for cell in line.strip("│\n").split("│")] for line in printed.splitlines() if line.startswith("│")]
    third = "general order, exactly 33 1/3 kop."
    assert rows == [
        ["0", "2026-10", "main principal", "0", "A", "x", "10,00", "0,00", "0,33", f"{third}, place 2 in the tie ring"],
        ["0", "2026-10", "main principal", "1", "B", "x", "10,00", "0,00", "0,33", f"{third}, place 3 in the tie ring"],
        ["0", "2026-10", "main principal", "2", "C", "x", "10,00", "0,00", "0,34",
         f"{third}, +1 kop. for the remainder, place 1 in the tie ring"],
    ]  # fmt: skip
    assert "unallocated: no advance may be taken" in run("--table", str(path), "--amount", "3001").stdout
    assert "amount equals a printed total, closed" in run("--table", str(path), "--amount", "3000").stdout


@pytest.mark.parametrize(
    ("text", "arguments", "said"),
    [
        ("{\n \"personal_account\": x", (), "table.json:2: not JSON"),
        (json.dumps({**TABLE, "tiers": [{**TIER, "pool": "garage"}]}), (), "tiers[0].pool: expected one of"),
        (json.dumps(TABLE), ("--designation", "{"), "--designation: not JSON"),
        (json.dumps(TABLE), ("--designation", '{"period":"10"}'), "--designation: period: expected YYYY-MM"),
        (json.dumps(TABLE), ("--amount", "0"), "--amount"),
        (json.dumps(TABLE), ("--amount", "1e3"), "--amount"),
        (json.dumps(TABLE), ("--batch", "-"), "--batch goes without"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", [("--json",), ()])
def test_bad_input_prints_nothing_and_ends_with_2(
    text: str, arguments: tuple[str, ...], said: str, form: tuple[str, ...], tmp_path: Path
) -> None:
    path = tmp_path / "table.json"
    path.write_text(text)
    result = run("--table", str(path), "--amount", "100", *arguments, *form)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


def test_a_table_or_a_batch_is_asked_for() -> None:
    assert run().exit_code == 2
    assert "Give --table and --amount, or --batch." in run("--amount", "5").stderr
