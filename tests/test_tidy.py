"""The house is tidy: every file keeps the written rules, and every rule is shown to catch what it is for."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ledger.statements import ROOT, StatementError, load_statements
from tests import tidy
from tests.tidy import Fault, Source, read_source

TEXT_SUFFIXES = {".py", ".sql", ".md", ".toml", ".lock", ".json", ".yml", ".txt", ".csv", ".html", ".js", ".css", ""}


def house_files() -> list[str]:
    """Every text file of the house: the packages, the tests, the documents and what stands at the top."""
    tops = [path for path in ROOT.iterdir() if path.is_file() and path.name != ".git"]
    folders = [ROOT / name for name in (*tidy.PACKAGES, "tests", "docs", ".ci")]
    inside = [path for folder in folders for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return sorted(path.relative_to(ROOT).as_posix() for path in (*tops, *inside) if path.suffix in TEXT_SUFFIXES)


FILES = house_files()
SOURCES = [read_source(path, (ROOT / path).read_text("utf-8")) for path in FILES if path.endswith(".py")]


def assert_none(faults: list[Fault]) -> None:
    """Fail with every fault on a line of its own."""
    assert not faults, "\n" + "\n".join(str(fault) for fault in faults)


@pytest.mark.parametrize("rule", tidy.RULES, ids=lambda rule: rule.__name__)
def test_python_keeps_the_rule(rule: Callable[[Source], Iterator[Fault]]) -> None:
    assert_none([fault for source in SOURCES for fault in rule(source)])


def test_names_say_something() -> None:
    assert_none([fault for path in FILES for fault in tidy.names(path)])


def test_no_open_work_banners_home_paths_or_secrets() -> None:
    assert_none([fault for path in FILES for fault in tidy.words(path, (ROOT / path).read_text("utf-8", "replace"))])


def test_every_statement_has_a_name_and_a_purpose() -> None:
    files = [path for path in FILES if path.endswith(".sql") and "/migrations/" not in path]
    assert files
    faults = []
    for path in files:
        try:
            load_statements(path)
        except StatementError as error:
            faults.append(Fault(path=path, line=1, remedy=str(error)))
    assert_none(faults)


def test_every_migration_starts_with_its_purpose() -> None:
    migrations = [path for path in FILES if path.endswith(".sql") and "/migrations/" in path]
    assert migrations
    lines = {path: (ROOT / path).read_text("utf-8").partition("\n")[0] for path in migrations}
    remedy = "start the migration with a comment line that says what it is for"
    assert_none([Fault(path=path, line=1, remedy=remedy) for path, line in lines.items() if not line.startswith("-- ")])


def test_the_licence_is_apache_2() -> None:
    licence = (ROOT / "LICENSE").read_text("utf-8")
    assert "Apache License" in licence and "Version 2.0, January 2004" in licence
    assert "END OF TERMS AND CONDITIONS" in licence


def test_locks_name_no_host_and_no_path_and_hash_everything() -> None:
    for name in ("requirements.lock", "requirements-dev.lock", "requirements-cluster.lock"):
        lines = (ROOT / name).read_text("utf-8").splitlines()
        assert not [line for line in lines if "://" in line or line.startswith(("-", "/", "."))]
        pinned = [number for number, line in enumerate(lines) if line[:1].isalpha()]
        assert len(pinned) > 15
        assert all("==" in lines[number] and "--hash=sha256:" in lines[number + 1] for number in pinned)


def test_make_setup_refuses_an_old_python_in_plain_words(tmp_path: Path) -> None:
    old = tmp_path / "python-old"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.1" && exit 0\nexit 1\n', "utf-8")
    old.chmod(0o755)
    for name in ("Makefile", "requirements-dev.lock", "pyproject.toml"):
        tmp_path.joinpath(name).write_bytes((ROOT / name).read_bytes())
    for tool in ("make", "bash", "sh"):
        tmp_path.joinpath(tool).symlink_to(next(path for path in (Path("/usr/bin") / tool, Path("/bin") / tool) if path.exists()))
    done = subprocess.run(
        [str(tmp_path / "make"), "setup", f"PYTHON={old}"],
        cwd=tmp_path,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "needs Python 3.11 or newer and found: Python 3.9.1" in done.stderr


SELECT = "SEL" + "ECT"
BAD = [
    (tidy.sizes, "ledger/a.py", "def f():\n" + "    pass\n" * 41),
    (tidy.sizes, "ledger/a.py", "a = 1\n" * 402),
    (tidy.sizes, "ledger/a.py", "def f(a, b, c, *, d, e, g): ...\n"),
    (tidy.sizes, "tests/a.py", "def f():\n" + "    pass\n" * 61),
    (tidy.money, "gateway/a.py", "amount = float(text)\n"),
    (tidy.money, "gateway/a.py", "from decimal import Decimal\n"),
    (tidy.money, "ledger/core/a.py", "share = amount / 3\n"),
    (tidy.sql_text, "ledger/a.py", f'q = "{SELECT} a FROM b"\n'),
    (tidy.sql_text, "ledger/a.py", f'q = f"{SELECT.lower()} {{a}} from b"\n'.replace("{a}", "a, {b}")),
    (tidy.sql_text, "tests/a.py", 'q = "INS' + 'ERT INTO b VALUES (1)"\n'),
    (tidy.sql_text, "kopeck/a.py", 'q = """\n  ALT' + 'ER ROLE x LOGIN"""\n'),
    (tidy.sql_text, "kopeck/a.py", 'q = "WI' + 'TH a AS (b) c"\n'),
    (tidy.frozen_structs, "schemas/a.py", "class A(msgspec.Struct):\n    a: int\n"),
    (tidy.frozen_structs, "schemas/a.py", "class A(Struct, frozen=True):\n    a: int\n"),
    (tidy.frozen_structs, "schemas/a.py", "class A(Struct, frozen=False, kw_only=True):\n    a: int\n"),
    (tidy.clocks, "gateway/a.py", "now = datetime.now(UTC)\n"),
    (tidy.clocks, "gateway/a.py", "now = datetime.datetime.utcnow()\n"),
    (tidy.clocks, "gateway/a.py", "now = time.time()\n"),
    (tidy.clocks, "gateway/a.py", "clock = time.time_ns\n"),
    (tidy.clocks, "ledger/a.py", "start = time.perf_counter()\n"),
    (tidy.broad_excepts, "ledger/a.py", "try:\n    f()\nexcept Exception:\n    g()\n"),
    (tidy.broad_excepts, "ledger/a.py", "try:\n    f()\nexcept:\n    g()\n"),
    (tidy.broad_excepts, "ledger/a.py", "try:\n    f()\nexcept (OSError, BaseException):\n    g()\n"),
    (tidy.broad_excepts, "gateway/batcher.py", "try:\n    f()\nexcept Exception:\n    g()\n"),
    (tidy.tests_assert, "tests/a.py", "def test_a():\n    f()\n"),
    (tidy.docstrings, "gateway/a.py", "a = 1\n"),
    (tidy.docstrings, "ledger/a.py", '"""A."""\ndef f(): ...\n'),
    (tidy.docstrings, "schemas/a.py", '"""A."""\nclass A:\n    def f(self): ...\n'),
]
GOOD = [
    (tidy.sizes, "kopeck/a.py", "@click.command()\ndef f(a, b, c, d, e, g): ...\n"),
    (tidy.sizes, "ledger/a.py", "class A:\n    def f(self, a, b, c, d, e): ...\n"),
    (tidy.money, tidy.MONEY_FILE, "from decimal import Decimal\n"),
    (tidy.sql_text, "ledger/a.py", '"""' + SELECT + ' a FROM b."""\n'),
    (tidy.sql_text, "ledger/a.py", 'text = "Select an account from the list"\n'),
    (tidy.frozen_structs, "schemas/a.py", "class A(Struct, frozen=True, array_like=True):\n    a: int\n"),
    (tidy.clocks, tidy.CLOCK_FILE, "now = datetime.now(UTC)\n"),
    (tidy.clocks, "gateway/a.py", "start = time.perf_counter()\n"),
    (tidy.broad_excepts, "gateway/batcher.py", "try:\n    f()\nexcept Exception:  # every waiter gets an answer\n    g()\n"),
    (tidy.tests_assert, "tests/a.py", "def test_a():\n    with pytest.raises(E):\n        f()\n"),
    (tidy.tests_assert, "tests/a.py", "def check(a):\n    assert a\ndef test_a():\n    check(1)\n"),
    (tidy.tests_assert, "tests/a.py", "class A:\n    def see(self):\n        assert a\ndef test_a(town):\n    town.see()\n"),
    (tidy.docstrings, "ledger/a.py", '"""A."""\ndef _f(): ...\n'),
]


@pytest.mark.parametrize(("rule", "path", "text"), BAD)
def test_the_rule_catches(rule: Callable[[Source], Iterator[Fault]], path: str, text: str) -> None:
    faults = list(rule(read_source(path, text)))
    assert faults and all(fault.path == path and fault.line >= 1 and fault.remedy for fault in faults)


@pytest.mark.parametrize(("rule", "path", "text"), GOOD)
def test_the_rule_lets_pass(rule: Callable[[Source], Iterator[Fault]], path: str, text: str) -> None:
    assert_none(list(rule(read_source(path, text))))


@pytest.mark.parametrize("path", ["ledger/utils.py", "gateway/common/routes.py", "services/models/order.py", "docs/info.md"])
def test_vague_names_are_caught(path: str) -> None:
    assert [fault.path for fault in tidy.names(path)] == [path]


@pytest.mark.parametrize(
    "text",
    [
        "a = 1  # TO" + "DO later",
        "# ====" + "======",
        "-- ---" + "-----",
        "path = '/ho" + "me/me/x'",
        "path = '/ro" + "ot/x'",
        "-----BEGIN RSA PRIV" + "ATE KEY-----",
        "AK" + "IAABCDEFGHIJKLMNOP",
    ],
)
def test_forbidden_words_are_caught(text: str) -> None:
    assert [fault.line for fault in tidy.words("a.py", f"first\n{text}\n")] == [2]


@pytest.mark.parametrize(
    "text",
    [
        "SEL" + "ECT 1;\n",
        "-- name: Bad Name\n-- purpose\nx\n",
        "-- name: a\nx\n",
        "-- name: a\n-- purpose\n",
        "-- name: a\n-- purpose\nx\n-- name: a\n-- purpose\ny\n",
        "-- name: a\n--\nx\n",
    ],
)
def test_untidy_statement_files_are_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "a.sql"
    file.write_text(text, "utf-8")
    with pytest.raises(StatementError, match=r"a\.sql"):
        load_statements(file)


def test_statements_are_read_by_name(tmp_path: Path) -> None:
    file = tmp_path / "a.sql"
    file.write_text("-- of a test\n\n-- name: one\n-- purpose\nx\n  y;\n\n-- name: two\n-- purpose\n-- more\nz;\n", "utf-8")
    assert load_statements(file) == {"one": "x\n  y;", "two": "-- more\nz;"}
