"""The house's written rules as code: each reads one source file and yields what is wrong, where, and what to do.

Limits only tighten. Code of tests is held to looser sizes; every other rule is the same for it.
"""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

PACKAGES = ("kopeck", "portal", "gateway", "services", "connectors", "ledger", "schemas", "loadtests")
PURE_FOLDERS = ("schemas", "ledger/core", "connectors")
DOCUMENTED_FOLDERS = ("schemas", "ledger", "connectors")
STOPWATCH_FOLDERS = ("kopeck", "portal", "gateway", "services", "loadtests", "tests")
MONEY_FILE = "schemas/money.py"
CLOCK_FILE = "kopeck/clock.py"
BROAD_EXCEPT_FILES = (
    "gateway/batcher.py",
    "services/runner.py",
    "services/delivery/calls.py",
    "services/clearing/guarding.py",
    "portal/api/answering.py",
)
"""The batcher, the consumer and delivery loops, the guard of clearing: what fails there must not take the others with it. The
API: whatever failed, its caller gets a problem with a number that the log knows."""
FUNCTION_LINES_MAX, FILE_LINES_MAX, ARGUMENTS_MAX = 40, 400, 5
TEST_FUNCTION_LINES_MAX, TEST_FILE_LINES_MAX = 60, 600
VAGUE_NAMES = {"utils", "util", "common", "helpers", "helper", "manager", "handler", "handlers", "process", "data", "info"}
VAGUE_FOLDERS = VAGUE_NAMES | {"models", "repositories"}
ASSERTING_CALLS = ("pytest.raises", "pytest.fail", "pytest.warns", "until")
"""``until`` waits for a condition with a deadline, and fails when it does not come."""
OPEN_WORK = re.compile("|".join(rf"\b{word}\b" for word in ("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")))
BANNER = re.compile(r"^\s*(#|--)\s*[=\-*#~_]{6,}", re.MULTILINE)
HOME_PATH = re.compile(r"(?:/ho" + r"me/[a-z]|/ro" + r"ot/|/Us" + r"ers/[A-Za-z]|[A-Z]:\\Us" + r"ers\\)")
SECRET = re.compile(
    r"-----BEGIN [A-Z ]*PRIV" + r"ATE KEY|\bAK" + r"IA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{30,}|\bxox[abp]-[0-9]+-"
)
SQL = re.compile(
    r"^\s*(?:SELECT\s+(?:[\d$(*]|.*\bFROM\b|\w+\()|INSERT\s+INTO\s|UPDATE\s+\S+\s+SET\s|DELETE\s+FROM\s|"
    r"(?:CREATE|ALTER|DROP)\s+(?:OR\s+REPLACE\s+)?(?:UNIQUE\s+)?(?:TABLE|ROLE|DATABASE|INDEX|FUNCTION|VIEW|SCHEMA|USER|TYPE)\b|"
    r"WITH\s+\w+\s+AS\s*\(|TRUNCATE\s+\w|GRANT\s+\w+\s+ON\s|SET\s+(?:LOCAL\s+)?\w+\s*(?:=|TO)\s|COPY\s+\w+\s*(?:\(|FROM|TO)|"
    r"(?:UN)?LISTEN\s+\w+|NOTIFY\s+\w+)",
    re.IGNORECASE | re.DOTALL,
)
PROSE = re.compile(r"^\s*[A-Z][a-z]")
"""Sentences start with one capital letter; SQL is written in capitals or in small letters throughout."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A Python file: path from the top folder with forward slashes, text, tree."""

    path: str
    text: str
    tree: ast.Module

    @property
    def is_test(self) -> bool:
        """Whether the looser sizes apply."""
        return self.path.startswith("tests/")


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One broken rule."""

    path: str
    line: int
    remedy: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.remedy}"


def read_source(path: str, text: str) -> Source:
    """Parse a file's text."""
    return Source(path=path, text=text, tree=ast.parse(text))


def sizes(source: Source) -> Iterator[Fault]:
    """Rule 3: one screen."""
    lines = source.text.count("\n") + 1
    file_max = TEST_FILE_LINES_MAX if source.is_test else FILE_LINES_MAX
    function_max = TEST_FUNCTION_LINES_MAX if source.is_test else FUNCTION_LINES_MAX
    if lines > file_max + 1:
        yield _fault(source, file_max, f"{lines} lines: split the file by things (at most {file_max})")
    for function in _functions(source.tree):
        length = (function.end_lineno or function.lineno) - function.lineno + 1
        if length > function_max:
            yield _fault(source, function, f"{function.name} has {length} lines: take a leaf out of it (at most {function_max})")
        count = _argument_count(function)
        if count > ARGUMENTS_MAX and not source.is_test and not _is_command(function):
            remedy = f"{function.name} takes {count} arguments: name the group as a Struct (at most {ARGUMENTS_MAX})"
            yield _fault(source, function, remedy)


def money(source: Source) -> Iterator[Fault]:
    """Rule 4: whole kopecks; one file knows the decimal point."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float":
            yield _fault(source, node, "float( is banned: money is int kopecks, shares are integer arithmetic")
        modules = _imported(node)
        if "decimal" in modules and source.path != MONEY_FILE:
            yield _fault(source, node, f"decimal is banned: text and kopecks meet in {MONEY_FILE} only")
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and _is_in(source, PURE_FOLDERS):
            yield _fault(source, node, "'/' makes a float: use '//' and keep the remainder")


def sql_text(source: Source) -> Iterator[Fault]:
    """Rule 11: SQL lives in .sql files."""
    for node, text in _strings(source.tree):
        if SQL.match(text) and not PROSE.match(text):
            yield _fault(source, node, "SQL in Python: move it into a .sql file as a named statement (ledger/statements.py)")


def frozen_structs(source: Source) -> Iterator[Fault]:
    """Rule 13: data is frozen and keyword-only."""
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.ClassDef) or not any(_dotted(base) in ("msgspec.Struct", "Struct") for base in node.bases):
            continue
        chosen = {word.arg for word in node.keywords if isinstance(word.value, ast.Constant) and word.value.value is True}
        if "frozen" not in chosen or not chosen & {"kw_only", "array_like"}:
            yield _fault(source, node, f"{node.name}: declare it frozen=True, kw_only=True (array_like=True may be positional)")


def clocks(source: Source) -> Iterator[Fault]:
    """Rule 18: time comes in as an argument."""
    for node in ast.walk(source.tree):
        name = _dotted(node) if isinstance(node, ast.Attribute) else ""
        if re.search(r"\b(datetime\.(now|utcnow|today)|date\.today|time\.time(_ns)?)$", name) and source.path != CLOCK_FILE:
            yield _fault(source, node, f"{name}: take the time as an argument; only {CLOCK_FILE} asks the machine")
        if re.search(r"\btime\.(monotonic|perf_counter)(_ns)?$", name) and not _is_in(source, STOPWATCH_FOLDERS):
            yield _fault(source, node, f"{name}: no stopwatch here; measure at the edge that calls this")


def broad_excepts(source: Source) -> Iterator[Fault]:
    """Expected failures are named; three loops may catch everything and say why."""
    lines = source.text.splitlines()
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.ExceptHandler) or not _is_broad(node.type):
            continue
        explained = "#" in "".join(lines[max(node.lineno - 2, 0) : node.lineno + 1])
        if source.path not in BROAD_EXCEPT_FILES:
            yield _fault(source, node, "a broad except: name the errors that are expected here")
        elif not explained:
            yield _fault(source, node, "a broad except without a comment: say why everything is caught")


def tests_assert(source: Source) -> Iterator[Fault]:
    """A test that asserts nothing proves nothing."""
    if not source.is_test:
        return
    checkers = _checkers(source.tree)
    for function in _functions(source.tree):
        if function.name.startswith("test_") and not _asserts(function, checkers):
            yield _fault(source, function, f"{function.name} asserts nothing: assert what must hold, or expect an error")


def docstrings(source: Source) -> Iterator[Fault]:
    """Every module says what it is; public functions of the lower rooms say what the signature does not."""
    if source.tree.body and ast.get_docstring(source.tree) is None:
        yield _fault(source, 1, "no module docstring: say what the file is and which station of the way (design.md 1)")
    if not _is_in(source, DOCUMENTED_FOLDERS):
        return
    for function in _public_functions(source.tree.body):
        if ast.get_docstring(function) is None:
            yield _fault(source, function, f"{function.name} has no docstring: give shapes, units, errors, the rule's source")


RULES: tuple[Callable[[Source], Iterator[Fault]], ...] = (
    sizes,
    money,
    sql_text,
    frozen_structs,
    clocks,
    broad_excepts,
    tests_assert,
    docstrings,
)


def names(path: str) -> Iterator[Fault]:
    """No vague file or folder names."""
    *folders, file = Path(path).parts
    for folder in folders:
        if folder in VAGUE_FOLDERS:
            yield Fault(path=path, line=1, remedy=f"the folder name {folder!r} says nothing: name it after the thing")
    if Path(file).stem in VAGUE_NAMES:
        yield Fault(path=path, line=1, remedy=f"the file name {file!r} says nothing: name it after the thing")


TEXT_RULES = (
    (OPEN_WORK, "open work in a comment: do it now or write it into an issue"),
    (BANNER, "a banner: a module of its own or a blank line divides better"),
    (HOME_PATH, "somebody's home folder: paths are relative or come from the configuration"),
    (SECRET, "looks like a secret: make it at run time and remove it from the history"),
)


def words(path: str, text: str) -> Iterator[Fault]:
    """What no text file of the house may hold."""
    for pattern, remedy in TEXT_RULES:
        for match in pattern.finditer(text):
            yield Fault(path=path, line=text.count("\n", 0, match.start()) + 1, remedy=remedy)


def _fault(source: Source, where: ast.AST | int, remedy: str) -> Fault:
    line = where if isinstance(where, int) else getattr(where, "lineno", 1)
    return Fault(path=source.path, line=line, remedy=remedy)


def _functions(tree: ast.AST) -> list[Function]:
    return [node for node in ast.walk(tree) if isinstance(node, Function)]


def _public_functions(body: list[ast.stmt]) -> Iterator[Function]:
    for node in body:
        if isinstance(node, Function) and not node.name.startswith("_"):
            yield node
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from _public_functions(node.body)


def _argument_count(function: Function) -> int:
    given = function.args
    taken = [argument.arg for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return len(taken) - (taken[:1] in (["self"], ["cls"]))


def _is_command(function: Function) -> bool:
    """A click command's arguments are the options a person types."""
    decorators = [_dotted(part.func if isinstance(part, ast.Call) else part) for part in function.decorator_list]
    return any(name == "click.command" or name.endswith(".command") for name in decorators)


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


def _is_in(source: Source, folders: tuple[str, ...]) -> bool:
    return any(source.path.startswith(f"{folder}/") for folder in folders)


def _strings(tree: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Every string but docstrings; an f-string as one, a word in place of each of its values."""
    seen = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            seen |= {id(part) for part in node.values}
            yield node, "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in seen:
            yield node, node.value


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _is_broad(kind: ast.expr | None) -> bool:
    named = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(part is None or _dotted(part) in ("Exception", "BaseException") for part in named)


def _checkers(tree: ast.AST) -> set[str]:
    """Names of the file's functions that assert, themselves or through one another."""
    found: set[str] = set()
    while True:
        more = {function.name for function in _functions(tree) if _asserts(function, found)}
        if more <= found:
            return found
        found |= more


def _asserts(function: Function, checkers: set[str]) -> bool:
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            return True
        called = _dotted(node.func) if isinstance(node, ast.Call) else ""
        name = called.rpartition(".")[2]
        if called in ASSERTING_CALLS or name in checkers or name.startswith("assert_"):
            return True
    return False
