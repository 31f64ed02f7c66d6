"""The rules by which lines are classified: one JSON object a line, checked whole, every fault with its line.

A rule holds when everything that it names fits the line. Rules of a class are tried in the order of the file; the classes in the
order of ``classify``. Lines of the other form say from which day covers of a transit account are believed from whom.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Literal

import msgspec

from services.clearing.core.patterns import ACCOUNT_PATTERN, CODE, COVER_GROUPS, compiled
from services.clearing.core.verdict import DEBITS_ONLY, Line, LineClass, Rate

C = LineClass
RULED = (C.COVER, C.PAYMENT, C.TO_HOLD, C.FROM_HOLD, C.DEBT, C.TECHNICAL)
"""Classes that rules give; orders are settlement's to know, and unknown is what is left."""
BEGINNING = "*"
"""At the end of a payer's account: any that begins so."""

_ACCOUNT = re.compile(r"[0-9]{20}", re.ASCII)


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule as a file gives it. ``transit`` is 20 digits, ``space`` an operation space's name, ``bearer`` and ``party`` are
    recipients' codes; ``rates`` and ``bearer`` of a cover tell of the acquirer's fee that is kept back from it.

    ``namespaces`` of a payment: which group of the pattern names an account of which namespace. ``says`` of a cover is a pattern
    like ``purpose``, only no condition: its groups are read wherever it matches.
    """

    name: str
    transit: str
    line_class: LineClass = msgspec.field(name="class")
    payer_inn: tuple[str, ...] = ()
    payer_account: tuple[str, ...] = ()
    payer_bic: tuple[str, ...] = ()
    operation: tuple[str, ...] = ()
    purpose: str = ""
    says: str = ""
    space: str = ""
    bearer: str = ""
    rates: tuple[Rate, ...] = ()
    namespaces: Mapping[str, str] = {}
    party: str = ""


class Believed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom covers of a transit account are believed from, from a day on: its ``statement``, or the bank's ``feed``."""

    transit: str
    since: date
    believed: Literal["statement", "feed"]


class Numbers(msgspec.Struct, frozen=True, kw_only=True):
    """The registers of numbers that rules name."""

    transits: Mapping[str, int]
    spaces: Mapping[str, int]
    recipients: Mapping[str, int]


class RuleReady(msgspec.Struct, frozen=True, kw_only=True):
    """A rule with its pattern compiled and its names turned into numbers, 0 where it names none."""

    rule: Rule
    transit: int
    pattern: re.Pattern[str] | None
    says: re.Pattern[str] | None = None
    space: int = 0
    bearer: int = 0
    party: int = 0

    def fits(self, line: Line) -> bool:
        """Whether everything but the pattern fits."""
        rule = self.rule
        return (
            self.transit == line.transit
            and _moves(rule.line_class, line)
            and (not rule.payer_inn or line.inn in rule.payer_inn)
            and (not rule.payer_bic or line.bic in rule.payer_bic)
            and (not rule.operation or line.operation in rule.operation)
            and (not rule.payer_account or any(_is_account(wanted, line.account) for wanted in rule.payer_account))
        )


def read_rules(lines: Iterable[bytes], numbers: Numbers) -> tuple[list[Rule], list[Believed], list[str]]:
    """Read a file; the third list holds the faults, each with its line. Nothing of a file with faults may be used."""
    rules: list[Rule] = []
    believed: list[Believed] = []
    faults: list[str] = []
    for number, content in enumerate(lines, start=1):
        if not content.strip():
            continue
        try:
            read = _row(content)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            faults.append(f"строка {number}: {error}")
            continue
        if isinstance(read, Believed):
            believed.append(read)
            faults += [f"строка {number}: счёт {read.transit} не заведён"] if read.transit not in numbers.transits else []
            continue
        faults += [f"строка {number}: {fault}" for fault in rule_faults(read, numbers)]
        if read.name in [one.name for one in rules]:
            faults.append(f"строка {number}: имя {read.name} уже есть")
        rules.append(read)
    return rules, believed, faults


def ready(rule: Rule, numbers: Numbers) -> RuleReady:
    """Make a rule that has no faults ready for use."""
    pattern = rule.purpose or (ACCOUNT_PATTERN if rule.line_class is C.PAYMENT else "")
    return RuleReady(
        rule=rule,
        transit=numbers.transits[rule.transit],
        pattern=compiled(pattern) if pattern else None,
        says=compiled(rule.says) if rule.says else None,
        space=numbers.spaces.get(rule.space, 0),
        bearer=numbers.recipients.get(rule.bearer, 0),
        party=numbers.recipients.get(rule.party, 0),
    )


def rule_faults(rule: Rule, numbers: Numbers) -> list[str]:
    """Return what is wrong with a rule, in Russian."""
    faults = [] if rule.name.strip() else ["нет имени"]
    if rule.line_class not in RULED:
        return [*faults, f"класс {rule.line_class.value} правилами не назначается"]
    if _ACCOUNT.fullmatch(rule.transit) is None or rule.transit not in numbers.transits:
        faults.append(f"счёт {rule.transit} не заведён")
    conditions = (rule.payer_inn, rule.payer_account, rule.payer_bic, rule.operation, rule.purpose)
    if rule.line_class is not C.PAYMENT and not any(conditions):
        faults.append("нет ни одного условия: подошла бы любая строка")
    named = ((rule.space, numbers.spaces, "пространство"), (rule.bearer, numbers.recipients, "получатель"))
    for name, register, what in (*named, (rule.party, numbers.recipients, "получатель")):
        if name and name not in register:
            faults.append(f"{what} {name} не заведён")
    return [*faults, *_class_faults(rule), *_pattern_faults(rule)]


def _class_faults(rule: Rule) -> Iterable[str]:
    if (rule.line_class is C.COVER) != bool(rule.space):
        yield "space задаётся у покрытий (cover) и только у них"
    if (rule.line_class is C.DEBT) != bool(rule.party):
        yield "party задаётся у долгов (debt) и только у них"
    if (rule.line_class is C.PAYMENT) != bool(rule.namespaces):
        yield "namespaces задаётся у платежей (payment) и только у них"
    if rule.line_class is C.TECHNICAL and not rule.operation:
        yield "у технических строк нужен вид операции (operation): 09, 16, 17"
    if rule.line_class is not C.COVER and (rule.bearer or rule.rates or rule.says):
        yield "bearer, rates и says бывают только у покрытий (cover)"
    if rule.rates and not rule.bearer:
        yield "не сказано, кто несёт комиссию (bearer)"
    if any(not 0 <= one.rate < 100_000 or one.minimum_kopecks < 0 for one in rule.rates):
        yield "ставка — тысячные доли процента от 0 до 100 000, минимум не меньше нуля"


def _pattern_faults(rule: Rule) -> Iterable[str]:
    groups: set[str] = set()
    for name, pattern in (
        ("purpose", rule.purpose or (ACCOUNT_PATTERN if rule.line_class is C.PAYMENT else "")),
        ("says", rule.says),
    ):
        try:
            groups |= set(compiled(pattern).groupindex)
        except re.error as error:
            yield f"{name}: не регулярное выражение: {error}"
            return
    if rule.line_class is C.COVER and (unknown := groups - COVER_GROUPS):
        yield f"неизвестные группы {', '.join(sorted(unknown))}; есть {', '.join(sorted(COVER_GROUPS))}"
    if missing := {*rule.namespaces} - groups - {CODE}:
        yield f"namespaces: в выражении нет групп {', '.join(sorted(missing))}"


def _row(content: bytes) -> Rule | Believed:
    keys: Mapping[str, msgspec.Raw] = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
    if "believed" in keys:
        return msgspec.json.decode(content, type=Believed)
    return msgspec.json.decode(content, type=Rule)


def _moves(line_class: LineClass, line: Line) -> bool:
    """Whether a line of the class may move in this line's direction."""
    return line_class is C.TECHNICAL or line.is_credit is not (line_class in DEBITS_ONLY)


def _is_account(wanted: str, account: str) -> bool:
    if wanted.endswith(BEGINNING):
        return account.startswith(wanted[:-1])
    return account == wanted
